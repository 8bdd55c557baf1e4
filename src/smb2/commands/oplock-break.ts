// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { decodeOplockBreakRequest } from "../wire/oplock-break.ts";
import { command } from "./command.ts";

/**
 * SMB2 OPLOCK_BREAK acknowledgment (MS-SMB2 3.3.5.22). The server grants neither oplocks nor leases, so that there is
 * never a break to acknowledge.
 */
export const oplockBreak = command({
  decode: decodeOplockBreakRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => (message.kind === "oplock" ? message.fileId : undefined),
});

function handle(request: Request): void {
  throw new SmbError(request.maybeOpen === undefined ? NtStatus.OBJECT_NAME_NOT_FOUND : NtStatus.INVALID_PARAMETER);
}
