// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { type ChangeNotifyRequest, decodeChangeNotifyRequest } from "../wire/change-notify.ts";
import { command } from "./command.ts";

/** SMB2 CHANGE_NOTIFY (MS-SMB2 3.3.5.19): volumes do not report changes, so that clients look for themselves. */
export const changeNotify = command({
  decode: decodeChangeNotifyRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
  payload: (message) => message.outputBufferLength,
});

function handle(request: Request, message: ChangeNotifyRequest): void {
  if (!request.fileOpen.file.node.directory) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (message.outputBufferLength > request.server.context.options.maxTransactSize) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  throw new SmbError(NtStatus.NOT_SUPPORTED);
}
