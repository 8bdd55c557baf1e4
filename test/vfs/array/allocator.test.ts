// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import { Allocator, type Piece } from "../../../src/vfs/array/allocator.ts";

const UNIT = 4096;

function allocator(...lengths: number[]): Allocator {
  const made = new Allocator(UNIT);
  for (const [lun, units] of lengths.entries()) made.release({ lun, start: UNIT, length: units * UNIT });
  return made;
}

describe("Allocator", () => {
  it("takes whole units, in one piece where it can", () => {
    const made = allocator(10, 20);
    expect(made.take(1)).toEqual([{ lun: 0, start: UNIT, length: UNIT }]);
    expect(made.take(15 * UNIT)).toEqual([{ lun: 1, start: UNIT, length: 15 * UNIT }]);
    expect(made.free).toBe(14 * UNIT);
  });

  it("goes on behind what a file has", () => {
    const made = allocator(10);
    made.take(UNIT);
    made.take(UNIT);
    made.release({ lun: 0, start: UNIT, length: UNIT });
    expect(made.take(UNIT, { lun: 0, start: 3 * UNIT })).toEqual([{ lun: 0, start: 3 * UNIT, length: UNIT }]);
  });

  it("takes several pieces where no one is long enough, and nothing where all together are not", () => {
    const made = allocator(3, 5);
    expect(() => made.take(9 * UNIT)).toThrow(expect.objectContaining({ status: NtStatus.DISK_FULL }));
    expect(made.free).toBe(8 * UNIT);
    expect(made.take(7 * UNIT)).toEqual([
      { lun: 1, start: UNIT, length: 5 * UNIT },
      { lun: 0, start: UNIT, length: 2 * UNIT },
    ]);
  });

  it("refuses what is free already, and what is not free", () => {
    const made = allocator(4);
    expect(() => made.release({ lun: 0, start: 2 * UNIT, length: UNIT })).toThrow(RangeError);
    const [piece] = made.take(UNIT);
    expect(() => made.claim(piece as Piece)).toThrow(RangeError);
  });

  it("neither loses a byte nor gives one out twice", () => {
    const operation = fc.record({ take: fc.boolean(), units: fc.integer({ min: 1, max: 6 }), which: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const made = allocator(16, 9);
        const held: Piece[] = [];
        for (const { take, units, which } of operations) {
          if (take && units * UNIT <= made.free) held.push(...made.take(units * UNIT, held.at(which)));
          else for (const piece of held.splice(which % (held.length + 1), 1)) made.release(piece);
        }
        const owners = new Set<string>();
        for (const { lun, start, length } of [...held, ...made.pieces()]) {
          for (let at = start; at < start + length; at += UNIT) {
            expect(owners.has(`${lun}:${at}`)).toBe(false);
            owners.add(`${lun}:${at}`);
          }
        }
        expect(owners.size).toBe(25);
        expect([...made.pieces()].reduce((sum, { length }) => sum + length, 0)).toBe(made.free);
      }),
    );
  });
});
