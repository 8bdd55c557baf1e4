// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import type { Connection } from "./connection.ts";
import type { Smb2Server } from "./server.ts";
import type { Timer } from "./server-context.ts";
import type { Lease } from "./state/lease.ts";
import type { FileOpen } from "./state/open.ts";
import type { BreakEvents, CacheHolder } from "./state/oplock.ts";
import type { Session } from "./state/session.ts";
import { sendUnsolicited } from "./unsolicited.ts";
import { Command, LeaseBreakFlag, LeaseState, OplockLevel } from "./wire/constants.ts";
import type { Writer } from "./wire/cursor.ts";
import { encodeOplockBreakNotification, type LeaseBreakNotification, type OplockBreak } from "./wire/oplock-break.ts";

/** Acknowledgment timers of oplocks and leases: 35 seconds (MS-SMB2 3.3.2.1, 3.3.2.5). */
const ACKNOWLEDGMENT_TIMEOUT = 35_000;
/** Milliseconds between two looks at what the systems of clients have acknowledged. */
const LOOK_INTERVAL = 500;
/**
 * Milliseconds that a connection gets nothing through before another one takes its place: within these 3 seconds TCP has tried
 * four times in a local network, and enough of the acknowledgment timer is left for other channels.
 */
const PATIENCE = 3_000;
/**
 * The same for the only connection of a client. Its end comes before that of the acknowledgment timer, which would take what the
 * client caches, and let it write that into a file that others have changed, once the network is back. Looks that come late on a
 * busy server do not add up.
 */
const LAST_PATIENCE = 30_000;

/** A notification that its client may not have got, or has to acknowledge. */
interface Notice {
  readonly message: OplockBreak | LeaseBreakNotification;
  /** Called where the acknowledgment does not come in time; absent where none is expected. */
  readonly expired: (() => void) | undefined;
  timer: Timer | undefined;
  /** On which it was sent; `undefined` while there is none that could carry it. */
  connection: Connection | undefined;
  /** Bytes that the connection had sent with it (`Transport.sentBytes`). */
  end: number;
  /** The client's system has got it. */
  delivered: boolean;
}

/** How far a connection had come at the last look, and since when it has not moved, in milliseconds since 1970. */
interface Progress {
  readonly acknowledged: number | undefined;
  readonly since: number;
}

/**
 * Break notifications, from the moment when a client loses a right to its acknowledgment. A channel can be dead without
 * anybody having said so: while a notification is on its way, the acknowledgments of TCP are watched, and a channel that gets
 * nothing through is ended: soon where the client has another one, else before the acknowledgment timer is. What a channel carried
 * when it ended goes over the next one (MS-SMB2 3.3.4.6, 3.3.4.7).
 */
export class BreakNotices implements BreakEvents {
  readonly #server: Smb2Server;
  readonly #notices = new Map<CacheHolder, Notice>();
  readonly #progress = new Map<Connection, Progress>();
  #looking: Timer | undefined;

  constructor(server: Smb2Server) {
    this.#server = server;
  }

  tell(holder: CacheHolder, from: number): void {
    const notice = this.#newNotice(holder, from, LeaseState.NONE, undefined);
    if (!this.#send(holder, notice)) return;
    if (this.#alternative(holder, notice.connection) === undefined) return;
    this.#notices.set(holder, notice);
    this.#watch();
  }

  ask(holder: CacheHolder, from: number, to: number, expired: () => void): (() => void) | undefined {
    const notice = this.#newNotice(holder, from, to, expired);
    if (!this.#send(holder, notice) && !isKept(holder)) return undefined;
    this.#notices.set(holder, notice);
    this.#watch();
    return () => {
      notice.timer?.cancel();
      if (this.#notices.get(holder) === notice) this.#notices.delete(holder);
    };
  }

  /**
   * Nobody could be told: what was kept for a client that is cut off, because it cached the handle, is kept no longer (MS-SMB2
   * 3.3.4.6, 3.3.4.7).
   */
  unreachable(holder: CacheHolder): Awaitable<void> {
    const opens = holder.kind === "lease" ? [...holder.opens] : [holder.open];
    const lost = opens.filter(({ isDisconnected, durability }) => isDisconnected && durability?.kind === "durable");
    return lost.length === 0 ? undefined : this.#server.closeOpens(lost);
  }

  /** A connection is gone: what it carried goes over another one, if there is one. */
  connectionClosed(connection: Connection): void {
    this.#progress.delete(connection);
    for (const [holder, notice] of this.#notices) {
      if (notice.connection !== connection) continue;
      notice.connection = undefined;
      if (!this.#send(holder, notice) && notice.expired === undefined) this.#notices.delete(holder);
    }
    this.#watch();
  }

  /** The client of a persistent handle is back, and hears what it could not be told meanwhile (MS-SMB2 3.3.5.9.12). */
  clientIsBack({ lease }: FileOpen): void {
    const notice = lease === undefined ? undefined : this.#notices.get(lease);
    if (lease === undefined || notice === undefined || notice.connection !== undefined) return;
    this.#send(lease, notice);
    this.#watch();
  }

  #newNotice(holder: CacheHolder, from: number, to: number, expired: Notice["expired"]): Notice {
    const message = notification(holder, from, to, expired !== undefined);
    return { message, expired, timer: undefined, connection: undefined, end: 0, delivered: false };
  }

  /** Sends a notification on the first connection that can take it, and starts the acknowledgment timer with the first try. */
  #send(holder: CacheHolder, notice: Notice): boolean {
    for (const connection of this.#connectionsOf(holder)) {
      if (!send(connection, notice.message, encryptingSession(holder, connection))) continue;
      notice.connection = connection;
      notice.end = connection.transport.sentBytes;
      notice.delivered = false;
      const { expired } = notice;
      if (expired !== undefined) {
        notice.timer ??= this.#server.context.clock.after(ACKNOWLEDGMENT_TIMEOUT, expired);
      }
      return true;
    }
    return false;
  }

  /**
   * Where the client of a holder can be reached: for an oplock the channels of its session, the one first on which the handle was
   * opened (3.3.4.1.6); for a lease all connections of the client.
   */
  *#connectionsOf(holder: CacheHolder): Iterable<Connection> {
    if (holder.kind === "lease") {
      for (const connection of this.#server.connections) {
        // Anybody can name a ClientGuid: who has not logged on takes no notification from its client.
        if (connection.clientGuid.equals(holder.clientGuid) && connection.isAuthenticated) yield connection;
      }
      return;
    }
    const { session, connection: first, isDisconnected } = holder.open;
    if (isDisconnected) return;
    if (first !== undefined) yield first;
    for (const connection of session.channels.keys()) if (connection !== first) yield connection;
  }

  #alternative(holder: CacheHolder, connection: Connection | undefined): Connection | undefined {
    for (const other of this.#connectionsOf(holder)) if (other !== connection && !other.isClosed) return other;
    return undefined;
  }

  /** Looks again after a while, as long as something is on its way. */
  #watch(): void {
    if (this.#looking !== undefined) return;
    for (const { connection, delivered } of this.#notices.values()) {
      if (connection === undefined || delivered) continue;
      this.#looking = this.#server.context.clock.after(LOOK_INTERVAL, () => {
        this.#looking = undefined;
        this.#look();
        this.#watch();
      });
      return;
    }
  }

  #look(): void {
    const carried = new Map<Connection, [CacheHolder, Notice][]>();
    for (const [holder, notice] of this.#notices) {
      const { connection } = notice;
      if (connection === undefined || notice.delivered) continue;
      const others = carried.get(connection);
      if (others === undefined) carried.set(connection, [[holder, notice]]);
      else others.push([holder, notice]);
    }
    for (const connection of this.#progress.keys()) if (!carried.has(connection)) this.#progress.delete(connection);
    for (const [connection, notices] of carried) this.#judge(connection, notices);
  }

  #judge(connection: Connection, notices: readonly [CacheHolder, Notice][]): void {
    const acknowledged = connection.transport.acknowledgedBytes();
    let isStuck = false;
    let alternative: Connection | undefined;
    for (const [holder, notice] of notices) {
      // Where nobody knows, only the end of the connection tells of a loss.
      notice.delivered = acknowledged === undefined || acknowledged >= notice.end;
      if (!notice.delivered) {
        isStuck = true;
        alternative ??= this.#alternative(holder, connection);
      } else if (notice.expired === undefined) this.#notices.delete(holder);
    }
    const before = this.#progress.get(connection);
    const now = this.#server.context.clock.now();
    const since = before !== undefined && before.acknowledged === acknowledged ? before.since : now;
    this.#progress.set(connection, { acknowledged, since });
    if (isStuck && now - since >= (alternative === undefined ? LAST_PATIENCE : PATIENCE)) connection.giveUp();
  }
}

/** The break waits for the client: its handle outlives the cut, whatever others want (MS-SMB2 3.3.4.7). */
function isKept(holder: CacheHolder): boolean {
  if (holder.kind === "oplock") return false;
  for (const { isDisconnected, durability } of holder.opens) {
    if (isDisconnected && durability?.kind === "persistent") return true;
  }
  return false;
}

function notification(
  holder: CacheHolder,
  from: number,
  to: number,
  acknowledge: boolean,
): OplockBreak | LeaseBreakNotification {
  if (holder.kind === "oplock") {
    const { persistentId, volatileId } = holder.open;
    return {
      kind: "oplock",
      oplockLevel: to === LeaseState.NONE ? OplockLevel.NONE : OplockLevel.II,
      fileId: { persistent: persistentId, volatile: volatileId },
    };
  }
  return {
    kind: "lease",
    newEpoch: holder.version === 2 ? holder.epoch : 0,
    flags: acknowledge ? LeaseBreakFlag.ACK_REQUIRED : 0,
    leaseKey: holder.leaseKey,
    currentLeaseState: from,
    newLeaseState: to,
  };
}

/** The session whose key a notification needs on a connection (MS-SMB2 3.3.4.1.4). */
function encryptingSession(holder: CacheHolder, connection: Connection): Session | undefined {
  if (holder.kind === "oplock") {
    const { session } = holder.open;
    return session.encryptData ? session : undefined;
  }
  return sessionOfLease(holder, connection);
}

function sessionOfLease(lease: Lease, connection: Connection): Session | undefined {
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
