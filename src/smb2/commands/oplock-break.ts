// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
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

function handle(request: Request, message: OplockBreak | LeaseBreak): Awaitable<void> {
  if (message.kind === "lease") return acknowledgeLease(request, message);
  const open = request.fileOpen;
  const oplockLevel = open.stream.oplock.acknowledgeOplock(open, message.oplockLevel);
  return chain(request.server.persistentOpens?.saveFile(open.file), () =>
    encodeOplockBreakResponse(request.writer, { kind: "oplock", oplockLevel, fileId: message.fileId }),
  );
}

/** MS-SMB2 3.3.5.22.2. */
function acknowledgeLease(request: Request, { leaseKey, leaseState }: LeaseBreak): Awaitable<void> {
  const { connection, server } = request;
  const lease = server.leases.find(leaseId(connection.clientGuid, leaseKey));
  if (lease === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  for (const open of lease.opens) open.isReplayEligible = false;
  lease.stream.oplock.acknowledgeLease(lease, leaseState);
  // What the client keeps is answered as it is now: a further break may follow at once.
  const answer = { kind: "lease", leaseKey, leaseState: lease.state } as const;
  return chain(server.persistentOpens?.saveFile(lease.stream.file), () =>
    encodeOplockBreakResponse(request.writer, answer),
  );
}
