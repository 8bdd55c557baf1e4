// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { breakForChange } from "../oplock-break.ts";
import type { Request } from "../request.ts";
import type { FileOpen } from "../state/open.ts";
import { noteWritten } from "../state/report-change.ts";
import { isWriteThrough } from "../state/write-through.ts";
import { writeDeferred } from "../state/write-time.ts";
import { Channel, Dialect, WriteFlag } from "../wire/constants.ts";
import { decodeWriteRequest, encodeWriteResponse, type WriteRequest } from "../wire/write.ts";
import { command } from "./command.ts";
import { writePipe } from "./pipe-io.ts";

/** Largest offset + length of a write (MS-FSA 2.1.5.4): signed 64 bits. */
const OFFSET_LIMIT = 0x7fff_ffff_ffff_ffffn;

/** SMB2 WRITE (MS-SMB2 3.3.5.13). */
export const write = command({
  decode: (reader, { dialect }) => decodeWriteRequest(reader, dialect >= Dialect.SMB_3_0),
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
  payload: (message) => message.data.length,
});

function handle(request: Request, message: WriteRequest): Awaitable<void> {
  const { open, connection } = request;
  const { data } = message;
  if (data.length > connection.maxWriteSize) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (message.channel !== Channel.NONE) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (open.kind === "pipe") {
    writePipe(open, data);
    encodeWriteResponse(request.writer, { count: data.length });
    return;
  }
  const { stream } = open;
  if (stream.data === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  if ((open.grantedAccess & (Access.WRITE_DATA | Access.APPEND_DATA)) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (message.offset > OFFSET_LIMIT) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const end = message.offset + BigInt(data.length);
  if (end > OFFSET_LIMIT) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (data.length === 0) {
    encodeWriteResponse(request.writer, { count: 0 });
    return;
  }
  if (end > BigInt(open.file.volume.info.maximumFileSize)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const offset = Number(message.offset);
  if ((open.grantedAccess & Access.WRITE_DATA) === 0) {
    // Who may only append writes nothing that is there already (MS-FSA 2.1.5.4).
    return chain(stream.data.size(), ({ endOfFile }) => {
      if (offset < endOfFile) throw new SmbError(NtStatus.ACCESS_DENIED);
      return writeAt(request, open, message, offset);
    });
  }
  return writeAt(request, open, message, offset);
}

function writeAt(request: Request, open: FileOpen, message: WriteRequest, offset: number): Awaitable<void> {
  const { stream } = open;
  const { data } = message;
  if (stream.data === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  if (stream.locks.blocksIo(open, offset, data.length, true)) throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  return chain(breakForChange(request, open), () => writeNow(request, open, message, offset));
}

function writeNow(request: Request, open: FileOpen, message: WriteRequest, offset: number): Awaitable<void> {
  const { stream } = open;
  const { data } = message;
  if (stream.data === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  const respond = () => {
    open.position = BigInt(offset + data.length);
    request.server.context.metrics.bytesWritten(data.length);
    encodeWriteResponse(request.writer, { count: data.length });
  };
  if (data.length === 0) return respond();
  noteWritten(open);
  const target = stream.data;
  const written = writeDeferred(open, request.server.context.clock, () =>
    stream.changes.run({ offset, length: data.length }, () => target.write(offset, data)),
  );
  if (!mustFlush(request, open, message)) return chain(written, respond);
  return chain(
    chain(written, () => target.flush()),
    respond,
  );
}

/** FILE_FLAG_WRITE_THROUGH of the handle, or of this request (MS-SMB2 3.3.5.13). */
function mustFlush(request: Request, open: FileOpen, message: WriteRequest): boolean {
  if (isWriteThrough(open)) return true;
  return request.connection.dialect >= Dialect.SMB_2_1 && (message.flags & WriteFlag.WRITE_THROUGH) !== 0;
}
