// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import type { Awaitable } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { OplockLevel } from "../wire/constants.ts";
import type { FileOpen } from "./open.ts";

/** How the holders of an oplock hear of its end, and when it ends by itself. */
export interface OplockEvents {
  /** Sends the break notification (MS-SMB2 3.3.4.6). False where no connection is left that could carry it. */
  notify(open: FileOpen, newLevel: number): boolean;
  /** The holder could not be told and has lost its oplock: a durable handle without a client closes (MS-SMB2 3.3.4.6). */
  unreachable(open: FileOpen): Awaitable<void>;
  /** Starts the acknowledgment timer (MS-SMB2 3.3.2.1) and returns the way to stop it. */
  startTimer(expired: () => void): () => void;
}

/** An exclusive oplock on its way down; everybody who waits for it goes on when it has arrived. */
interface Break {
  readonly to: number;
  readonly waiters: Array<() => void>;
  readonly stopTimer: () => void;
}

/** Rights with which an open disturbs no oplock (MS-FSA 2.1.4.12, case OPEN). */
const HARMLESS_ACCESS = Access.READ_ATTRIBUTES | Access.WRITE_ATTRIBUTES | Access.SYNCHRONIZE;

/** Whether an open leaves every oplock alone: it neither reads nor changes data. */
export function disturbsOplocks(access: number, overwrites: boolean): boolean {
  return overwrites || (access & ~HARMLESS_ACCESS) !== 0;
}

/**
 * The opportunistic locks of one stream (Oplock, MS-FSA 2.1.1.10): one exclusive or batch holder, or any number of
 * level II holders.
 */
export class Oplock {
  #exclusive: FileOpen | undefined;
  #level: number = OplockLevel.NONE;
  #breaking: Break | undefined;
  readonly #shared = new Set<FileOpen>();

  get isEmpty(): boolean {
    return this.#exclusive === undefined && this.#shared.size === 0;
  }

  /** True where a batch oplock is held: it goes before sharing is checked, since its holder may only be caching a close. */
  get isBatch(): boolean {
    return this.#exclusive !== undefined && this.#level === OplockLevel.BATCH;
  }

  get isBreaking(): boolean {
    return this.#breaking !== undefined;
  }

  get isExclusive(): boolean {
    return this.#exclusive !== undefined;
  }

  /**
   * Grants what can be granted of `level` to a handle that has just been opened (MS-FSA 2.1.5.18, MS-SMB2 3.3.5.9).
   * @param others handles of the stream besides this one
   * @param hasLocks byte-range locks exist on the stream
   */
  request(open: FileOpen, level: number, others: number, hasLocks: boolean): number {
    const exclusive = level === OplockLevel.EXCLUSIVE || level === OplockLevel.BATCH;
    if (!exclusive && level !== OplockLevel.II) return OplockLevel.NONE;
    if (this.#exclusive !== undefined) return OplockLevel.NONE;
    if (exclusive && others === 0 && this.#shared.size === 0) {
      this.#exclusive = open;
      this.#level = level;
      return level;
    }
    if (hasLocks) return OplockLevel.NONE;
    this.#shared.add(open);
    return OplockLevel.II;
  }

  /** The level that a handle holds, also while it is being broken. */
  levelOf(open: FileOpen): number {
    if (this.#exclusive === open) return this.#level;
    return this.#shared.has(open) ? OplockLevel.II : OplockLevel.NONE;
  }

  /**
   * Ends what stands in the way of an open: an exclusive oplock goes down to level II, or to none where data are to be
   * overwritten. `undefined`: nothing stands in the way any more. Else the caller waits, and asks again.
   */
  breakForOpen(toNone: boolean, events: OplockEvents): Promise<void> | undefined {
    if (this.#exclusive === undefined) {
      if (toNone) this.breakShared(events);
      return undefined;
    }
    if (this.#breaking === undefined) {
      const ended = this.#begin(toNone ? OplockLevel.NONE : OplockLevel.II, events);
      if (ended instanceof Promise) return ended;
    }
    const breaking = this.#breaking;
    if (breaking === undefined) return undefined;
    return new Promise((resolve) => {
      breaking.waiters.push(resolve);
    });
  }

  #begin(to: number, events: OplockEvents): Awaitable<void> {
    const holder = this.#exclusive;
    if (holder === undefined) return;
    if (!events.notify(holder, to)) {
      this.#exclusive = undefined;
      return events.unreachable(holder);
    }
    this.#breaking = {
      to,
      waiters: [],
      // A client that does not answer has lost what it cached.
      stopTimer: events.startTimer(() => this.#settle(OplockLevel.NONE)),
    };
  }

  /** Level II ends without an acknowledgment, as soon as data change (MS-FSA 2.1.4.12, cases WRITE and LOCK_CONTROL). */
  breakShared(events: OplockEvents): void {
    if (this.#shared.size === 0) return;
    const holders = [...this.#shared];
    this.#shared.clear();
    for (const holder of holders) events.notify(holder, OplockLevel.NONE);
  }

  /**
   * The client's acknowledgment (MS-SMB2 3.3.5.22.1). Returns the level it holds from now on.
   * @throws SmbError INVALID_DEVICE_STATE no break is under way
   * @throws SmbError INVALID_OPLOCK_PROTOCOL a level that the break does not leave to the client, or no exclusive oplock
   */
  acknowledge(open: FileOpen, level: number): number {
    const breaking = this.#breaking;
    // Breaks of level II are not acknowledged: who does so mistakes the protocol.
    if (this.#exclusive !== open) throw new SmbError(NtStatus.INVALID_OPLOCK_PROTOCOL);
    if (breaking === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_STATE);
    if (level === OplockLevel.LEASE) {
      this.#settle(OplockLevel.NONE);
      throw new SmbError(NtStatus.INVALID_PARAMETER);
    }
    const possible = level === OplockLevel.NONE || (level === OplockLevel.II && breaking.to === OplockLevel.II);
    if (!possible) {
      this.#settle(OplockLevel.NONE);
      throw new SmbError(NtStatus.INVALID_OPLOCK_PROTOCOL);
    }
    this.#settle(level);
    return level;
  }

  #settle(level: number): void {
    const holder = this.#exclusive;
    const breaking = this.#breaking;
    this.#exclusive = undefined;
    this.#breaking = undefined;
    if (holder !== undefined && level === OplockLevel.II) this.#shared.add(holder);
    breaking?.stopTimer();
    for (const go of breaking?.waiters ?? []) go();
  }

  /** The handle closes: its oplock is gone, and who waited for it goes on. */
  closed(open: FileOpen): void {
    this.#shared.delete(open);
    if (this.#exclusive === open) this.#settle(OplockLevel.NONE);
  }
}
