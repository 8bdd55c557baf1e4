// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";

/** Who owns a lock: identity by reference. In SMB2 that is the open (MS-FSA 2.1.1.10, LockKey is always zero). */
export type LockOwner = object;

interface ByteRangeLock {
  readonly owner: LockOwner;
  readonly offset: bigint;
  readonly length: bigint;
  readonly exclusive: boolean;
}

/** A lock request that waits until the locks in its way are gone. */
interface Waiter {
  readonly lock: ByteRangeLock;
  readonly granted: () => void;
}

/** Ranges of length zero touch only what lies strictly around them, as NTFS does; {0, 0} never conflicts (MS-FSA 2.1.4.10). */
function overlaps(a: { offset: bigint; length: bigint }, b: { offset: bigint; length: bigint }): boolean {
  if (a.length === 0n && b.length === 0n) return false;
  if (a.length === 0n) return b.offset < a.offset && a.offset < b.offset + b.length;
  if (b.length === 0n) return a.offset < b.offset && b.offset < a.offset + a.length;
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

/** Stream.ByteRangeLockList (MS-FSA 2.1.1.5): locks granted and locks waited for on one stream. */
export class ByteRangeLockList {
  #locks: ByteRangeLock[] = [];
  #waiters: Waiter[] = [];

  /** True where a lock begins below `size`, the space that the stream has: locks beyond touch no data (MS-FSA 2.1.5.18). */
  beginsBelow(size: number): boolean {
    return this.#locks.some(({ offset }) => offset < BigInt(size));
  }

  count(owner: LockOwner): number {
    let count = 0;
    for (const lock of this.#locks) if (lock.owner === owner) count++;
    return count;
  }

  /** What this owner holds, in the order in which it was taken. */
  *heldBy(owner: LockOwner): Iterable<{ offset: bigint; length: bigint; exclusive: boolean }> {
    for (const { offset, length, exclusive, owner: holder } of this.#locks) {
      if (holder === owner) yield { offset, length, exclusive };
    }
  }

  /** An owner may put a shared lock over its own exclusive one, but no second exclusive one (MS-FSA 2.1.4.10). */
  #conflictsWithLock(wanted: ByteRangeLock): boolean {
    for (const lock of this.#locks) {
      if (!overlaps(lock, wanted)) continue;
      if (wanted.exclusive || (lock.exclusive && lock.owner !== wanted.owner)) return true;
    }
    return false;
  }

  /** True where reading or writing this range must fail with FILE_LOCK_CONFLICT (MS-FSA 2.1.4.10). */
  blocksIo(owner: LockOwner, offset: number, length: number, write: boolean): boolean {
    if (this.#locks.length === 0 || length === 0) return false;
    const range = { offset: BigInt(offset), length: BigInt(length) };
    for (const lock of this.#locks) {
      if (!overlaps(lock, range)) continue;
      if (lock.exclusive ? lock.owner !== owner : write) return true;
    }
    return false;
  }

  /** @throws SmbError INVALID_LOCK_RANGE where the range wraps around 64 bits (MS-FSA 2.1.5.8) */
  tryLock(owner: LockOwner, offset: bigint, length: bigint, exclusive: boolean): boolean {
    const lock = makeLock(owner, offset, length, exclusive);
    if (this.#conflictsWithLock(lock)) return false;
    this.#locks.push(lock);
    return true;
  }

  /** Queues a lock; `granted` runs when it is taken, in the order of requests. Returns the way to give up waiting. */
  wait(owner: LockOwner, offset: bigint, length: bigint, exclusive: boolean, granted: () => void): () => void {
    const waiter: Waiter = { lock: makeLock(owner, offset, length, exclusive), granted };
    this.#waiters.push(waiter);
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    };
  }

  /** Undoes the last `count` locks taken, which nobody has seen yet: what a request took before it failed. */
  undo(count: number): void {
    this.#locks.length -= count;
  }

  /**
   * Removes the first lock of exactly this range (MS-FSA 2.1.5.9). False where there is none.
   * @throws SmbError INVALID_LOCK_RANGE where the range wraps around 64 bits
   */
  unlock(owner: LockOwner, offset: bigint, length: bigint): boolean {
    checkRange(offset, length);
    const index = this.#locks.findIndex(
      (lock) => lock.owner === owner && lock.offset === offset && lock.length === length,
    );
    if (index < 0) return false;
    this.#locks.splice(index, 1);
    this.#serveWaiters();
    return true;
  }

  /** Drops everything that this owner holds or waits for. */
  releaseAll(owner: LockOwner): void {
    this.#waiters = this.#waiters.filter((waiter) => waiter.lock.owner !== owner);
    const before = this.#locks.length;
    if (before === 0) return;
    this.#locks = this.#locks.filter((lock) => lock.owner !== owner);
    if (this.#locks.length !== before) this.#serveWaiters();
  }

  #serveWaiters(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    const still: Waiter[] = [];
    const served: Waiter[] = [];
    for (const waiter of waiters) {
      if (this.#conflictsWithLock(waiter.lock)) {
        still.push(waiter);
      } else {
        this.#locks.push(waiter.lock);
        served.push(waiter);
      }
    }
    this.#waiters = still;
    for (const waiter of served) waiter.granted();
  }
}

const RANGE_END = 1n << 64n;

function checkRange(offset: bigint, length: bigint): void {
  if (length !== 0n && offset + length > RANGE_END) throw new SmbError(NtStatus.INVALID_LOCK_RANGE);
}

function makeLock(owner: LockOwner, offset: bigint, length: bigint, exclusive: boolean): ByteRangeLock {
  checkRange(offset, length);
  return { owner, offset, length, exclusive };
}
