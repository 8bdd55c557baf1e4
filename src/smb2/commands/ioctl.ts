// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { requireAccess, requireAnyAccess } from "../state/open.ts";
import { IoctlFlag } from "../wire/constants.ts";
import { isNoFileId } from "../wire/file-id.ts";
import { Fsctl } from "../wire/fsctl.ts";
import { decodeIoctlRequest, encodeIoctlResponse, type IoctlRequest, ioctlOutput } from "../wire/ioctl.ts";
import { command } from "./command.ts";
import { runCopy } from "./fsctl/copy-switch.ts";
import type { FsctlRow } from "./fsctl/fsctl.ts";
import { fsctlTable } from "./fsctl/table.ts";

/** SMB2 IOCTL (MS-SMB2 3.3.5.15). */
export const ioctl = command({
  decode: decodeIoctlRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => (withoutHandle.has(message.ctlCode) ? undefined : message.fileId),
  payload: (message) =>
    Math.max(message.input.length + message.outputCount, message.maxInputResponse + message.maxOutputResponse),
});

/** Control codes that concern no handle: any FileId but all ones is refused. */
const withoutHandle: ReadonlySet<number> = new Set([
  Fsctl.DFS_GET_REFERRALS,
  Fsctl.DFS_GET_REFERRALS_EX,
  Fsctl.QUERY_NETWORK_INTERFACE_INFO,
  Fsctl.VALIDATE_NEGOTIATE_INFO,
  Fsctl.PIPE_WAIT,
]);

function handle(request: Request, message: IoctlRequest): Awaitable<void> {
  const { maxTransactSize } = request.connection;
  if (message.flags !== IoctlFlag.IS_FSCTL) throw new SmbError(NtStatus.NOT_SUPPORTED);
  if (withoutHandle.has(message.ctlCode) && !isNoFileId(message.fileId)) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (
    message.input.length > maxTransactSize ||
    message.maxInputResponse > maxTransactSize ||
    message.maxOutputResponse > maxTransactSize
  ) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  const row = fsctlTable.get(message.ctlCode);
  if (row === undefined) throw unknown(request, message);
  const { copy } = row;
  const output =
    copy === undefined ? run(request, message, row) : runCopy(request, copy, () => run(request, message, row));
  return chain(output, (bytes) => encodeIoctlResponse(request.writer, ioctlOutput(message, bytes)));
}

function run(request: Request, message: IoctlRequest, row: FsctlRow): Awaitable<Buffer> {
  if (row.target === "file") {
    request.fileOpen;
  } else if (row.target === "pipe") {
    request.pipeOpen;
  }
  if (message.input.length < (row.minimumInput ?? 0)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (message.maxOutputResponse < (row.minimumOutput ?? 0)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (row.access !== undefined) requireAccess(request.open, row.access);
  if (row.anyAccess !== undefined) requireAnyAccess(request.open, row.anyAccess);
  return row.handle(request, message);
}

/** A code that nobody serves here: the connection stays, the client falls back. */
function unknown(request: Request, message: IoctlRequest): SmbError {
  const { log } = request.server.context;
  log.debug({ client: request.connection.remoteAddress, code: message.ctlCode.toString(16) }, "unknown control code");
  if (message.ctlCode === Fsctl.DFS_GET_REFERRALS || message.ctlCode === Fsctl.DFS_GET_REFERRALS_EX) {
    return new SmbError(NtStatus.FS_DRIVER_REQUIRED);
  }
  // Codes of the file system device are for the file system to refuse (MS-SMB2 3.3.5.15.8).
  const fileSystem = message.ctlCode >>> 16 === 0x0009;
  return new SmbError(fileSystem ? NtStatus.INVALID_DEVICE_REQUEST : NtStatus.NOT_SUPPORTED);
}
