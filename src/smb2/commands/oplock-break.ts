// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import {
  decodeOplockBreakRequest,
  encodeOplockBreakResponse,
  type LeaseBreak,
  type OplockBreak,
} from "../wire/oplock-break.ts";
import { command } from "./command.ts";

/** SMB2 OPLOCK_BREAK acknowledgment (MS-SMB2 3.3.5.22). Leases are not granted, so that there is none to acknowledge. */
export const oplockBreak = command({
  decode: decodeOplockBreakRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => (message.kind === "oplock" ? message.fileId : undefined),
});

function handle(request: Request, message: OplockBreak | LeaseBreak): void {
  if (message.kind === "lease") throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  const open = request.fileOpen;
  const oplockLevel = open.stream.oplock.acknowledge(open, message.oplockLevel);
  encodeOplockBreakResponse(request.writer, { kind: "oplock", oplockLevel, fileId: message.fileId });
}
