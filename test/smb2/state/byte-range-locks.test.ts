// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NtStatus, SmbError } from "../../../src/nt/status.ts";
import { ByteRangeLockList } from "../../../src/smb2/state/byte-range-locks.ts";

interface Lock {
  readonly owner: object;
  readonly offset: bigint;
  readonly length: bigint;
  readonly exclusive: boolean;
}

/** MS-FSA 2.1.4.10 line by line, and lists that are searched from the start each time. */
class Model {
  locks: Lock[] = [];
  waiters: (Lock & { readonly id: number })[] = [];
  readonly granted: number[] = [];

  conflicts(wanted: Lock, lockIntent: boolean): boolean {
    if (wanted.offset === 0n && wanted.length === 0n) return false;
    for (const lock of this.locks) {
      if (lock.offset === 0n && lock.length === 0n) continue;
      const last1 = wanted.offset + wanted.length - 1n;
      const last2 = lock.offset + lock.length - 1n;
      if (!(wanted.offset <= last2 && last1 >= lock.offset)) continue;
      if (lock.exclusive) {
        if (lock.owner !== wanted.owner) return true;
        if (wanted.exclusive && lockIntent) return true;
      } else if (wanted.exclusive) {
        return true;
      }
    }
    return false;
  }

  tryLock(lock: Lock): boolean {
    if (this.conflicts(lock, true)) return false;
    this.locks.push(lock);
    return true;
  }

  unlock(owner: object, offset: bigint, length: bigint): boolean {
    const found = this.locks.find((lock) => lock.owner === owner && lock.offset === offset && lock.length === length);
    if (found === undefined) return false;
    this.locks = this.locks.filter((lock) => lock !== found);
    this.#serve();
    return true;
  }

  releaseAll(owner: object): void {
    this.waiters = this.waiters.filter((waiter) => waiter.owner !== owner);
    this.locks = this.locks.filter((lock) => lock.owner !== owner);
    this.#serve();
  }

  #serve(): void {
    for (const waiter of [...this.waiters]) {
      if (!this.tryLock(waiter)) continue;
      this.waiters = this.waiters.filter((other) => other !== waiter);
      this.granted.push(waiter.id);
    }
  }
}

const owners = [{ name: "a" }, { name: "b" }, { name: "c" }];
const RANGE_END = 1n << 64n;

const offset = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt({ min: 0n, max: 8n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: RANGE_END - 6n, max: RANGE_END - 1n }) },
);
const range = fc.record({
  owner: fc.constantFrom(...owners),
  offset,
  length: fc.bigInt({ min: 0n, max: 5n }),
  exclusive: fc.boolean(),
});
const step = fc.record({
  kind: fc.constantFrom("lock", "lock", "wait", "unlock", "unlock", "release", "giveUp", "io"),
  range,
  index: fc.nat(10),
});

describe("ByteRangeLockList", () => {
  it("does what the specification's algorithm does", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const list = new ByteRangeLockList();
        const model = new Model();
        const granted: number[] = [];
        const giveUps: (() => void)[] = [];
        for (const { kind, range: lock, index } of steps) {
          const wraps = lock.length !== 0n && lock.offset + lock.length > RANGE_END;
          if (wraps && (kind === "lock" || kind === "wait")) {
            expect(() => list.tryLock(lock.owner, lock.offset, lock.length, lock.exclusive)).toThrow(SmbError);
            continue;
          }
          if (wraps && kind === "unlock") {
            expect(() => list.unlock(lock.owner, lock.offset, lock.length)).toThrow(SmbError);
            continue;
          }
          switch (kind) {
            case "lock":
              expect(list.tryLock(lock.owner, lock.offset, lock.length, lock.exclusive)).toBe(model.tryLock(lock));
              break;
            case "wait": {
              if (!model.conflicts(lock, true)) break;
              const id = giveUps.length;
              model.waiters.push({ ...lock, id });
              giveUps.push(list.wait(lock.owner, lock.offset, lock.length, lock.exclusive, () => granted.push(id)));
              break;
            }
            case "unlock":
              expect(list.unlock(lock.owner, lock.offset, lock.length)).toBe(
                model.unlock(lock.owner, lock.offset, lock.length),
              );
              break;
            case "release":
              list.releaseAll(lock.owner);
              model.releaseAll(lock.owner);
              break;
            case "giveUp":
              giveUps[index]?.();
              model.waiters = model.waiters.filter(({ id }) => id !== index);
              break;
            case "io": {
              if (lock.offset > 100n) break;
              const [from, count] = [Number(lock.offset), Number(lock.length)];
              const expected = count > 0 && model.conflicts(lock, false);
              expect(list.blocksIo(lock.owner, from, count, lock.exclusive)).toBe(expected);
              break;
            }
          }
          expect(granted).toEqual(model.granted);
          expect(list.beginsBelow(index)).toBe(model.locks.some((held) => held.offset < BigInt(index)));
          for (const owner of owners) {
            expect(list.count(owner)).toBe(model.locks.filter((held) => held.owner === owner).length);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  const [a, b, c] = [{}, {}, {}];

  it("lets the owner of an exclusive lock put a shared one on top, but no second exclusive one", () => {
    const list = new ByteRangeLockList();
    expect(list.tryLock(a, 0n, 10n, true)).toBe(true);
    expect(list.tryLock(a, 0n, 10n, true)).toBe(false);
    expect(list.tryLock(a, 5n, 1n, false)).toBe(true);
    expect(list.tryLock(b, 5n, 1n, false)).toBe(false);
  });

  it("keeps the {0, 0} range out of everything", () => {
    const list = new ByteRangeLockList();
    expect(list.tryLock(a, 0n, 0n, true)).toBe(true);
    expect(list.tryLock(b, 0n, 0n, true)).toBe(true);
    expect(list.tryLock(b, 0n, 10n, true)).toBe(true);
  });

  it("lets a range of length zero touch only what lies around it", () => {
    const list = new ByteRangeLockList();
    expect(list.tryLock(a, 10n, 10n, true)).toBe(true);
    expect(list.tryLock(b, 10n, 0n, true)).toBe(true);
    expect(list.tryLock(b, 20n, 0n, true)).toBe(true);
    expect(list.tryLock(b, 15n, 0n, true)).toBe(false);
    expect(list.unlock(a, 10n, 10n)).toBe(true);
    expect(list.tryLock(b, 15n, 0n, true)).toBe(true);
    expect(list.tryLock(a, 14n, 2n, true)).toBe(false);
  });

  it("locks up to the last byte of 64 bits and no further", () => {
    const list = new ByteRangeLockList();
    expect(list.tryLock(a, RANGE_END - 1n, 1n, true)).toBe(true);
    expect(list.tryLock(b, 0n, RANGE_END - 1n, true)).toBe(true);
    try {
      list.tryLock(a, RANGE_END - 1n, 2n, true);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ status: NtStatus.INVALID_LOCK_RANGE });
    }
  });

  it("serves waiting locks in the order of their requests", () => {
    const list = new ByteRangeLockList();
    const order: string[] = [];
    list.tryLock(a, 0n, 10n, true);
    list.wait(b, 0n, 5n, true, () => order.push("b"));
    list.wait(c, 0n, 10n, true, () => order.push("c"));
    list.wait(b, 5n, 5n, false, () => order.push("b2"));
    list.releaseAll(a);
    expect(order).toEqual(["b", "b2"]);
    list.releaseAll(b);
    expect(order).toEqual(["b", "b2", "c"]);
  });

  it("may be used by who is granted a lock, at once", () => {
    const list = new ByteRangeLockList();
    const order: string[] = [];
    list.tryLock(a, 0n, 1n, true);
    list.wait(b, 0n, 1n, true, () => {
      order.push("b");
      list.unlock(b, 0n, 1n);
    });
    list.wait(c, 0n, 1n, true, () => order.push("c"));
    list.unlock(a, 0n, 1n);
    expect(order).toEqual(["b", "c"]);
    expect(list.count(c)).toBe(1);
  });
});
