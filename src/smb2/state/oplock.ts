// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import type { Awaitable } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { LeaseState, OplockLevel } from "../wire/constants.ts";
import type { Lease } from "./lease.ts";
import type { FileOpen } from "./open.ts";
import type { SharedStream } from "./shared-file.ts";

const R = LeaseState.READ_CACHING;
const H = LeaseState.HANDLE_CACHING;
const W = LeaseState.WRITE_CACHING;
const NONE = LeaseState.NONE;

/** A break that a client has been told of and that it has to acknowledge. */
export interface Break {
  /** `LeaseState` bits that the client was told to keep. */
  readonly to: number;
  /** Bits that it may keep by now: fewer than `to` where something else has asked for more meanwhile. */
  readonly allowed: number;
  readonly stopWaiting: () => void;
}

/** An oplock of the kind that belongs to one open (Open.OplockLevel, MS-SMB2 3.3.1.10), in terms of what it lets a client cache. */
export class HeldOplock {
  readonly kind = "oplock";
  readonly open: FileOpen;
  /** R for level II, RW for exclusive, RWH for batch; while a break is under way, what it was before. */
  state: number;
  breaking: Break | undefined;

  constructor(open: FileOpen, state: number) {
    this.open = open;
    this.state = state;
  }
}

/** Whoever may cache something of a stream. */
export type CacheHolder = HeldOplock | Lease;

/** Who does something to a stream: its own cache rights do not stand in its way (TargetOplockKey, MS-FSA 2.1.4.12.2). */
export interface CacheUser {
  readonly lease: Lease | undefined;
  readonly oplock?: HeldOplock | undefined;
}

/** Nobody in particular: a process outside of the server, for instance. */
export const STRANGER: CacheUser = { lease: undefined };

/** How holders hear of a break, and when it ends by itself (MS-SMB2 3.3.4.6, 3.3.4.7). */
export interface BreakEvents {
  /**
   * Tells a holder that it has lost everything, which it does not acknowledge.
   * @param from `LeaseState` bits that it held
   */
  tell(holder: CacheHolder, from: number): void;
  /**
   * Tells a holder what to give up, now or when its client is back, and starts the acknowledgment timer (MS-SMB2 3.3.2.1, 3.3.2.5).
   * @param from,to `LeaseState` bits before and after
   * @param expired called where the acknowledgment does not come in time
   * @returns ends the wait; `undefined` where no connection is left, and nobody to wait for
   */
  ask(holder: CacheHolder, from: number, to: number, expired: () => void): (() => void) | undefined;
  /** The holder could not be told, and has lost everything: a durable handle without a client closes (MS-SMB2 3.3.4.6). */
  unreachable(holder: CacheHolder): Awaitable<void>;
}

/** What an operation takes away from others (the local variables of MS-FSA 2.1.4.12). */
interface Revocation {
  /** BreakCacheState: bits that leases lose. */
  readonly leases: number;
  /** BreakToTwo, BreakToNone: what oplocks keep; `undefined` leaves them alone. */
  readonly oplocks: number | undefined;
}

const OPEN: Revocation = { leases: W, oplocks: R };
const OVERWRITE: Revocation = { leases: R | W, oplocks: NONE };
const CHANGE: Revocation = OVERWRITE;
const HANDLES: Revocation = { leases: H, oplocks: undefined };
const CHANGE_IN_DIRECTORY: Revocation = { leases: R | W, oplocks: undefined };

/** Rights with which an open disturbs no oplock, or no lease (MS-FSA 2.1.4.12, case OPEN). */
const HARMLESS_TO_OPLOCKS = Access.READ_ATTRIBUTES | Access.WRITE_ATTRIBUTES | Access.SYNCHRONIZE;
const HARMLESS_TO_LEASES = HARMLESS_TO_OPLOCKS | Access.READ_CONTROL;

const NOBODY: readonly CacheHolder[] = [];

/**
 * What clients may cache of one stream (Oplock, MS-FSA 2.1.1.10). Leases and oplocks are two ways to hold the same three
 * rights: to cache reads, handles and writes. Whoever caches writes is alone; reads and handles are cached by any number.
 */
export class Oplock {
  readonly #stream: SharedStream;
  readonly #events: BreakEvents;
  /** All with a state, or with a break to be acknowledged. */
  #holders: readonly CacheHolder[] = NOBODY;
  #waiters: (() => void)[] = [];
  /** Handles close of clients that could not be told of a break. */
  #ending: Promise<void> | undefined;

  constructor(stream: SharedStream, events: BreakEvents) {
    this.#stream = stream;
    this.#events = events;
  }

  get isEmpty(): boolean {
    return this.#holders.length === 0;
  }

  holders(): readonly CacheHolder[] {
    return this.#holders;
  }

  // -------------------------------------------------------------------------------------------------------------------

  /**
   * Grants what can be granted of an oplock to a handle that has just been opened (MS-FSA 2.1.5.18, MS-SMB2 3.3.5.9).
   * @param level `OplockLevel` value
   * @param allocated bytes: AllocationSize of the stream
   * @returns the level granted
   */
  requestOplock(open: FileOpen, level: number, allocated: number): number {
    const exclusive = level === OplockLevel.EXCLUSIVE || level === OplockLevel.BATCH;
    if (!exclusive && level !== OplockLevel.II) return OplockLevel.NONE;
    const alone = this.#stream.opens.size === 1 && this.isEmpty && !this.#stream.changes.isActive;
    if (exclusive && alone) {
      this.#give(open, level === OplockLevel.BATCH ? R | W | H : R | W);
      return level;
    }
    if (this.#stream.locks.beginsBelow(allocated) || this.#stream.changes.isActive) return OplockLevel.NONE;
    // Level II and the caching of handles exclude each other.
    if (this.#holders.some((holder) => (holder.state & ~R) !== 0)) return OplockLevel.NONE;
    this.#give(open, R);
    return OplockLevel.II;
  }

  #give(open: FileOpen, state: number): void {
    const held = new HeldOplock(open, state);
    open.oplock = held;
    this.#hold([...this.#holders, held]);
  }

  /**
   * Extends a lease to `wanted`, or to what can be had of it; it never loses anything by that (MS-SMB2 3.3.5.9.8, MS-FSA
   * 2.1.5.18). The lease already has the open for which it is asked for.
   * @param wanted `LeaseState` bits
   * @param allocated bytes: AllocationSize of the stream
   */
  requestLease(lease: Lease, wanted: number, allocated: number): void {
    if (lease.breaking !== undefined || (wanted & R) === 0) return;
    if (lease.state !== NONE) {
      // What is held already is extended as asked for, or not at all.
      const grows = (lease.state & ~wanted) === 0 && lease.state !== wanted;
      if (grows && this.#isGrantable(lease, wanted, allocated)) this.#extend(lease, wanted);
      return;
    }
    for (const state of [wanted, wanted & ~W, R]) {
      if (this.#isGrantable(lease, state, allocated)) {
        this.#extend(lease, state);
        return;
      }
    }
  }

  #extend(lease: Lease, state: number): void {
    this.#set(lease, state);
    lease.advanceEpoch();
  }

  #isGrantable(lease: Lease, state: number, allocated: number): boolean {
    const { opens, locks, data, deletePending, changes } = this.#stream;
    // What is read while data change may be neither old nor new, and is not to be kept.
    if (changes.isActive) return false;
    if ((state & H) !== 0 && (deletePending || lease.link.deletePending)) return false;
    if ((state & W) !== 0) {
      if (data === undefined) return false;
      for (const open of opens) if (open.lease !== lease && disturbsLeases(open.grantedAccess)) return false;
    } else if (locks.beginsBelow(allocated)) {
      return false;
    }
    for (const other of this.#holders) {
      if (other === lease) continue;
      if ((state & W) !== 0 || (other.state & W) !== 0) return false;
      if ((state & H) !== 0 && other.kind === "oplock") return false;
      if (other.breaking !== undefined) return false;
    }
    return true;
  }

  // -------------------------------------------------------------------------------------------------------------------

  /** True where somebody else holds a batch oplock: it goes before sharing is checked, since he may only be caching a close. */
  hasBatchOfOthers(user: CacheUser): boolean {
    return this.#holders.some(
      (holder) => holder.kind === "oplock" && holder !== user.oplock && (holder.state & H) !== 0,
    );
  }

  /**
   * Makes way for an open (MS-FSA 2.1.4.12, case OPEN).
   * @param access the rights asked for
   * @returns `undefined`: nothing is in the way any more. Else the caller waits, and checks everything again.
   */
  breakForOpen(user: CacheUser, access: number, overwrites: boolean): Promise<void> | undefined {
    if (this.isEmpty || (!overwrites && !disturbsOplocks(access))) return undefined;
    const revocation = overwrites ? OVERWRITE : OPEN;
    const spared = !overwrites && !disturbsLeases(access) ? { ...revocation, leases: NONE } : revocation;
    return this.#revoke(user, spared);
  }

  /**
   * Lets clients close handles that they only keep for later (case OPEN_BREAK_H, and SET_INFORMATION for dispositions and
   * links): the operation at hand is in conflict with them.
   */
  breakHandles(user: CacheUser): Promise<void> | undefined {
    return this.isEmpty ? undefined : this.#revoke(user, HANDLES);
  }

  /** The name is about to change: batch oplocks go as well (case SET_INFORMATION, FileRenameInformation). */
  breakForRename(user: CacheUser): Promise<void> | undefined {
    if (this.isEmpty) return undefined;
    return this.#revoke(user, this.hasBatchOfOthers(user) ? { leases: H, oplocks: NONE } : HANDLES);
  }

  /**
   * Data are about to change: nobody else may go on reading from a cache (cases WRITE, LOCK_CONTROL, SET_INFORMATION and
   * FS_CONTROL). Nobody caches writes beside the open that makes the change, so that it only waits where a client has just been
   * told that it may keep its data, and has to hear the contrary first.
   */
  breakForChange(user: CacheUser): Promise<void> | undefined {
    return this.isEmpty ? undefined : this.#revoke(user, CHANGE);
  }

  /**
   * What a listing of this directory shows has changed (PARENT_OBJECT).
   * @param parentId the lease on the directory that who has changed it said is his own
   */
  breakForChangeInDirectory(parentId: string | undefined): void {
    if (this.isEmpty) return;
    const own = this.#holders.find((holder) => holder.kind === "lease" && holder.id === parentId);
    void this.#revoke(own?.kind === "lease" ? { lease: own } : STRANGER, CHANGE_IN_DIRECTORY);
  }

  #revoke(user: CacheUser, revocation: Revocation): Promise<void> | undefined {
    let waits = false;
    const ending = this.#ending;
    for (const holder of this.#holders) {
      const must =
        holder.kind === "lease"
          ? this.#revokeLease(holder, user, revocation)
          : this.#revokeOplock(holder, user, revocation);
      waits ||= must;
    }
    if (waits) return new Promise((resolve) => this.#waiters.push(resolve));
    return this.#ending === ending ? undefined : this.#ending;
  }

  /** @returns true where the operation waits for the holder */
  #revokeOplock(holder: HeldOplock, user: CacheUser, { oplocks: to }: Revocation): boolean {
    if (to === undefined) return false;
    if (holder.state === R) {
      // Level II ends for the handle that changes data, too.
      if (to === NONE) this.#begin(holder, NONE);
      return false;
    }
    if (holder === user.oplock) return false;
    this.#restrict(holder, to);
    return holder.breaking !== undefined;
  }

  #revokeLease(holder: Lease, user: CacheUser, { leases: bits }: Revocation): boolean {
    if (holder === user.lease || (holder.state & bits) === 0) return false;
    const { state } = holder;
    this.#restrict(holder, withoutRemains(state & ~bits));
    const { breaking } = holder;
    if (breaking === undefined) return false;
    // Who caches writes has to give them up first, whose handles are in the way has to close them, and nobody goes on reading
    // old data because an earlier break has left that to him.
    return (state & W) !== 0 || (bits & H) !== 0 || (breaking.to & bits & R) !== 0;
  }

  #restrict(holder: CacheHolder, to: number): void {
    const { breaking } = holder;
    if (breaking === undefined) {
      if ((holder.state & ~to) !== 0) this.#begin(holder, to);
    } else holder.breaking = { ...breaking, allowed: withoutRemains(breaking.allowed & to) };
  }

  #begin(holder: CacheHolder, to: number): void {
    const { state } = holder;
    if (holder.kind === "lease") holder.advanceEpoch();
    // Only the caching of reads ends without an acknowledgment.
    if (state === R) {
      this.#set(holder, NONE);
      this.#events.tell(holder, state);
      return;
    }
    // A client that does not answer has lost what it cached.
    const stopWaiting = this.#events.ask(holder, state, to, () => this.#settle(holder, NONE));
    if (stopWaiting !== undefined) {
      holder.breaking = { to, allowed: to, stopWaiting };
      return;
    }
    this.#set(holder, NONE);
    const ended = this.#events.unreachable(holder);
    if (ended instanceof Promise) this.#ending = Promise.all([this.#ending, ended]).then(() => {});
  }

  // -------------------------------------------------------------------------------------------------------------------

  /**
   * A client's acknowledgment of an oplock break (MS-SMB2 3.3.5.22.1).
   * @param level `OplockLevel` value that it wants to keep
   * @returns the level it holds from now on
   * @throws SmbError INVALID_DEVICE_STATE no break is under way
   * @throws SmbError INVALID_OPLOCK_PROTOCOL a level that the break does not leave to the client, or no exclusive oplock
   */
  acknowledgeOplock(open: FileOpen, level: number): number {
    const held = open.oplock;
    // Breaks of level II are not acknowledged: who does so mistakes the protocol.
    if (held === undefined || held.state === R) throw new SmbError(NtStatus.INVALID_OPLOCK_PROTOCOL);
    if (held.breaking === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_STATE);
    const { to } = held.breaking;
    const keeps = level === OplockLevel.II && to === R;
    const gaveUpHandle = level === OplockLevel.EXCLUSIVE && (held.state & H) !== 0;
    this.#settle(held, keeps ? R : NONE);
    if (level === OplockLevel.LEASE) throw new SmbError(NtStatus.INVALID_PARAMETER);
    // No break leaves an exclusive oplock, but who held a batch one may say so.
    if (gaveUpHandle) return OplockLevel.NONE;
    if (!keeps && level !== OplockLevel.NONE) throw new SmbError(NtStatus.INVALID_OPLOCK_PROTOCOL);
    return level;
  }

  /**
   * A client's acknowledgment of a lease break (MS-SMB2 3.3.5.22.2).
   * @param state `LeaseState` bits that it wants to keep
   * @throws SmbError UNSUCCESSFUL no break is under way
   * @throws SmbError REQUEST_NOT_ACCEPTED more than the break leaves to the client
   */
  acknowledgeLease(lease: Lease, state: number): void {
    if (lease.breaking === undefined) throw new SmbError(NtStatus.UNSUCCESSFUL);
    if ((state & ~lease.breaking.to) !== 0) throw new SmbError(NtStatus.REQUEST_NOT_ACCEPTED);
    this.#settle(lease, withoutRemains(state));
  }

  #settle(holder: CacheHolder, state: number): void {
    const { breaking } = holder;
    if (breaking === undefined) return;
    holder.breaking = undefined;
    breaking.stopWaiting();
    this.#set(holder, state);
    // What follows comes after the answer to the acknowledgment. Who waits does so until the client has heard everything.
    if ((state & ~breaking.allowed) === 0) this.#wake();
    else queueMicrotask(() => this.#goOn(holder, breaking.allowed));
  }

  /** More than the acknowledged break has been asked for meanwhile. Windows takes handles before reads. */
  #goOn(holder: CacheHolder, allowed: number): void {
    const { state } = holder;
    if (holder.breaking === undefined && (state & ~allowed) !== 0) {
      this.#begin(holder, state === (R | H) ? R : withoutRemains(state & allowed));
      this.#restrict(holder, allowed);
    }
    if (holder.breaking === undefined) this.#wake();
  }

  #set(holder: CacheHolder, state: number): void {
    holder.state = state;
    const listed = this.#holders.includes(holder);
    if (state === NONE) {
      if (listed) this.#hold(this.#holders.filter((other) => other !== holder));
      if (holder.kind === "oplock") holder.open.oplock = undefined;
    } else if (!listed) {
      this.#hold([...this.#holders, holder]);
    }
  }

  #hold(holders: readonly CacheHolder[]): void {
    this.#holders = holders;
    this.#stream.file.outside?.caches(this.#stream, holders.length > 0);
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    for (const go of this.#waiters.splice(0)) go();
  }

  /** A handle closes, and with it its oplock, or the lease whose last one it was: who waits for either goes on. */
  closed(open: FileOpen): void {
    if (this.isEmpty) return;
    if (open.oplock !== undefined) this.#drop(open.oplock);
    if (open.lease !== undefined && open.lease.opens.size === 0) this.#drop(open.lease);
  }

  #drop(holder: CacheHolder): void {
    holder.breaking?.stopWaiting();
    holder.breaking = undefined;
    this.#set(holder, NONE);
    this.#wake();
  }
}

/** `OplockLevel` that a handle holds, also while it is being broken. */
export function oplockLevelOf({ lease, oplock }: FileOpen): number {
  if (lease !== undefined) return OplockLevel.LEASE;
  const state = oplock?.state ?? NONE;
  if ((state & W) === 0) return state === NONE ? OplockLevel.NONE : OplockLevel.II;
  return (state & H) === 0 ? OplockLevel.EXCLUSIVE : OplockLevel.BATCH;
}

/** Whether an open with these rights breaks oplocks: those of a handle that only looks at attributes do not. */
export function disturbsOplocks(access: number): boolean {
  return (access & ~HARMLESS_TO_OPLOCKS) !== 0;
}

function disturbsLeases(access: number): boolean {
  return (access & ~HARMLESS_TO_LEASES) !== 0;
}

/** Handles and writes are cached only where reads are. */
function withoutRemains(state: number): number {
  return (state & R) === 0 ? NONE : state;
}
