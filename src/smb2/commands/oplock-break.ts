// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { leaseId } from "../state/lease.ts";
import {
  decodeOplockBreakRequest,
  encodeOplockBreakResponse,
  type LeaseBreak,
  type OplockBreak,
} from "../wire/oplock-break.ts";
import { command } from "./command.ts";

/** SMB2 OPLOCK_BREAK acknowledgment, of an oplock or of a lease (MS-SMB2 3.3.5.22). */
export const oplockBreak = command({
  decode: decodeOplockBreakRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => (message.kind === "oplock" ? message.fileId : undefined),
});

function handle(request: Request, message: OplockBreak | LeaseBreak): void {
  if (message.kind === "lease") {
    acknowledgeLease(request, message);
    return;
  }
  const open = request.fileOpen;
  const oplockLevel = open.stream.oplock.acknowledgeOplock(open, message.oplockLevel);
  encodeOplockBreakResponse(request.writer, { kind: "oplock", oplockLevel, fileId: message.fileId });
}

/** MS-SMB2 3.3.5.22.2. */
function acknowledgeLease({ connection, server, writer }: Request, { leaseKey, leaseState }: LeaseBreak): void {
  const lease = server.leases.find(leaseId(connection.clientGuid, leaseKey));
  if (lease === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  lease.stream.oplock.acknowledgeLease(lease, leaseState);
  encodeOplockBreakResponse(writer, { kind: "lease", leaseKey, leaseState: lease.state });
}
