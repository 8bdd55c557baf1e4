// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import type { Connection } from "./connection.ts";
import type { Request } from "./request.ts";
import type { Smb2Server } from "./server.ts";
import type { Lease } from "./state/lease.ts";
import type { FileOpen } from "./state/open.ts";
import type { BreakEvents, CacheHolder, HeldOplock } from "./state/oplock.ts";
import type { Session } from "./state/session.ts";
import { sendUnsolicited } from "./unsolicited.ts";
import { Command, LeaseBreakFlag, LeaseState, OplockLevel } from "./wire/constants.ts";
import type { Writer } from "./wire/cursor.ts";
import { encodeOplockBreakNotification, type LeaseBreakNotification, type OplockBreak } from "./wire/oplock-break.ts";

/** Acknowledgment timers of oplocks and leases: 35 seconds (MS-SMB2 3.3.2.1, 3.3.2.5). */
const ACKNOWLEDGMENT_TIMEOUT = 35_000;

export function breakEvents(server: Smb2Server): BreakEvents {
  return {
    notify: (holder, from, to, acknowledge) =>
      holder.kind === "lease" ? notifyLease(server, holder, from, to, acknowledge) : notifyOplock(holder, to),
    unreachable: (holder) => closeDurable(server, holder),
    startTimer(expired) {
      const timer = server.context.clock.after(ACKNOWLEDGMENT_TIMEOUT, expired);
      return () => timer.cancel();
    },
  };
}

/**
 * Nobody could be told: what was kept for a client that is cut off, because it cached the handle, is kept no longer (MS-SMB2
 * 3.3.4.6, 3.3.4.7).
 */
function closeDurable(server: Smb2Server, holder: CacheHolder): Awaitable<void> {
  const opens = holder.kind === "lease" ? [...holder.opens] : [holder.open];
  const lost = opens.filter(({ isDisconnected, durability }) => isDisconnected && durability?.kind === "durable");
  return lost.length === 0 ? undefined : server.closeOpens(lost);
}

/** Oplock Break Notification, on the first channel of the session that works (MS-SMB2 3.3.4.6). */
function notifyOplock({ open }: HeldOplock, to: number): boolean {
  const { session, isDisconnected } = open;
  if (isDisconnected) return false;
  const notification: OplockBreak = {
    kind: "oplock",
    oplockLevel: to === LeaseState.NONE ? OplockLevel.NONE : OplockLevel.II,
    fileId: { persistent: open.persistentId, volatile: open.volatileId },
  };
  for (const { connection } of session.channels.values()) {
    if (send(connection, notification, session.encryptData ? session : undefined)) return true;
  }
  return false;
}

/** Lease Break Notification, on the first connection of the client that works (MS-SMB2 3.3.4.7). */
function notifyLease(server: Smb2Server, lease: Lease, from: number, to: number, acknowledge: boolean): boolean {
  const notification: LeaseBreakNotification = {
    kind: "lease",
    newEpoch: lease.version === 2 ? lease.epoch : 0,
    flags: acknowledge ? LeaseBreakFlag.ACK_REQUIRED : 0,
    leaseKey: lease.leaseKey,
    currentLeaseState: from,
    newLeaseState: to,
  };
  for (const connection of server.connections) {
    if (!connection.clientGuid.equals(lease.clientGuid)) continue;
    if (send(connection, notification, encryptingSession(lease, connection))) return true;
  }
  return false;
}

/** The session whose key a notification of this lease needs on a connection (MS-SMB2 3.3.4.1.4). */
function encryptingSession(lease: Lease, connection: Connection): Session | undefined {
  for (const { session, tree } of lease.opens) {
    if ((session.encryptData || tree.encryptData) && session.channels.has(connection)) return session;
  }
  return undefined;
}

/** Sends a notification, unsigned. False where the connection is gone. */
function send(
  connection: Connection,
  notification: OplockBreak | LeaseBreakNotification,
  encrypting: Session | undefined,
): boolean {
  const message = {
    command: Command.OPLOCK_BREAK,
    sessionId: encrypting?.sessionId ?? 0n,
    encode: (writer: Writer) => encodeOplockBreakNotification(writer, notification),
  };
  return sendUnsolicited(connection, message, encrypting);
}

/**
 * Waits until others have given up what they cache, with STATUS_PENDING for the client. Afterwards the caller checks again
 * whatever it had found out before.
 * @throws SmbError CANCELLED, or what has become of session, tree connect or handle meanwhile
 */
export async function untilBroken(request: Request, broken: Promise<void>): Promise<void> {
  const open = request.maybeOpen;
  const onClose = open?.kind === "file" ? open.onClose : undefined;
  let closed: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      void broken.then(resolve);
      closed = () => reject(new SmbError(NtStatus.FILE_CLOSED));
      onClose?.add(closed);
      request.goAsync(() => reject(new SmbError(NtStatus.CANCELLED)));
    });
  } finally {
    if (closed !== undefined) onClose?.delete(closed);
  }
  if (open?.closing) throw new SmbError(NtStatus.FILE_CLOSED);
  if (request.session.state === "closing") throw new SmbError(NtStatus.USER_SESSION_DELETED);
  if (request.tree.closing) throw new SmbError(NtStatus.NETWORK_NAME_DELETED);
}

/**
 * Has others give up what they cache, again and again until nobody has to be waited for.
 * @param revoke one round: `undefined` where nothing is in the way
 * @throws SmbError as {@link untilBroken}
 */
export function awaitRevocation(request: Request, revoke: () => Promise<void> | undefined): Awaitable<void> {
  const broken = revoke();
  if (broken !== undefined) return goOn(request, broken, revoke);
}

async function goOn(request: Request, first: Promise<void>, revoke: () => Promise<void> | undefined): Promise<void> {
  for (let broken: Promise<void> | undefined = first; broken !== undefined; broken = revoke()) {
    await untilBroken(request, broken);
  }
}

/** Others stop reading from their caches what a handle is about to change. @throws SmbError as {@link untilBroken} */
export function breakForChange(request: Request, open: FileOpen): Awaitable<void> {
  const { oplock } = open.stream;
  if (!oplock.isEmpty) return awaitRevocation(request, () => oplock.breakForChange(open));
}
