// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { PipeOpen } from "../state/open.ts";
import { Channel, Dialect } from "../wire/constants.ts";
import { decodeReadRequest, encodeReadResponseHeader, type ReadRequest } from "../wire/read.ts";
import { command } from "./command.ts";
import { nextAnswer } from "./pipe-io.ts";

/** Largest offset + length of a read (MS-FSA 2.1.5.3): signed 64 bits. */
const OFFSET_LIMIT = 0x7fff_ffff_ffff_ffffn;

/** SMB2 READ (MS-SMB2 3.3.5.12). */
export const read = command({
  decode: (reader, { dialect }) => decodeReadRequest(reader, dialect >= Dialect.SMB_3_0),
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
  payload: (message) => message.length,
});

function handle(request: Request, message: ReadRequest): Awaitable<void> {
  const { open, server, connection } = request;
  if (message.length > connection.maxReadSize) throw new SmbError(NtStatus.INVALID_PARAMETER);
  // Only RDMA transports have other channels.
  if (message.channel !== Channel.NONE) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (open.kind === "pipe") return readPipe(request, open, message);
  if (open.stream.data === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  if ((open.grantedAccess & (Access.READ_DATA | Access.EXECUTE)) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (message.offset > OFFSET_LIMIT || message.offset + BigInt(message.length) > OFFSET_LIMIT) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  // No file reaches beyond 2^53 bytes, so that there is nothing to read there.
  if (message.offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    if (message.length > 0) throw new SmbError(NtStatus.END_OF_FILE);
    encodeReadResponseHeader(request.writer, 0, 0);
    return;
  }
  const offset = Number(message.offset);
  if (open.stream.locks.blocksIo(open, offset, message.length, false)) {
    throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  }
  const target = connection.intake.lend(message.length);
  request.lent = target;
  return chain(open.stream.data.read(offset, target), (count) => {
    // A read of nothing succeeds wherever it is.
    if (count < message.minimumCount || (count === 0 && message.length > 0)) throw new SmbError(NtStatus.END_OF_FILE);
    open.position = message.offset + BigInt(count);
    server.context.metrics.bytesRead(count);
    encodeReadResponseHeader(request.writer, count, 0);
    request.data = count === target.length ? target : target.subarray(0, count);
  });
}

/** Takes the next answer of a pipe, or waits for one. */
function readPipe(request: Request, open: PipeOpen, message: ReadRequest): Awaitable<void> {
  return chain(nextAnswer(request, open, message.length), (data) => {
    encodeReadResponseHeader(request.writer, data.length, 0);
    request.data = data;
  });
}
