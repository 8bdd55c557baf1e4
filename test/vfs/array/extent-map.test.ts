// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Extent, ExtentMap } from "../../../src/vfs/array/extent-map.ts";

const extent = (offset: number, length: number, start: number, written = true, lun = 0): Extent => ({
  offset,
  length,
  lun,
  start,
  written,
});

describe("ExtentMap", () => {
  it("joins what follows each other, and splits what is replaced in the middle", () => {
    const map = new ExtentMap();
    map.replace({ offset: 0, length: 10 }, [extent(0, 10, 100)]);
    expect(map.replace({ offset: 10, length: 5 }, [extent(10, 5, 110)])).toEqual({
      removed: [],
      stored: [extent(0, 15, 100)],
      freed: [],
    });
    expect(map.replace({ offset: 4, length: 3 }, [])).toEqual({
      removed: [],
      stored: [extent(0, 4, 100), extent(7, 8, 107)],
      freed: [{ lun: 0, start: 104, length: 3 }],
    });
    expect(map.all).toEqual([extent(0, 4, 100), extent(7, 8, 107)]);
    expect([...map.holes({ offset: 0, length: 20 })]).toEqual([
      { offset: 4, length: 3 },
      { offset: 15, length: 5 },
    ]);
    expect(map.near(4)).toEqual({ lun: 0, start: 104 });
    expect(map.near(0)).toBeUndefined();
    expect(map.allocated).toBe(12);
  });

  it("frees nothing that the new extents take over", () => {
    const map = new ExtentMap([extent(0, 10, 100, false)]);
    const { freed, removed, stored } = map.replace({ offset: 2, length: 4 }, [extent(2, 4, 102, true)]);
    expect(freed).toEqual([]);
    expect(removed).toEqual([]);
    expect(stored).toEqual([extent(0, 2, 100, false), extent(2, 4, 102), extent(6, 4, 106, false)]);
    expect([...map.within({ offset: 3, length: 4 })]).toEqual([extent(3, 3, 103), extent(6, 1, 106, false)]);
  });

  it("tells what holds data, from the start of a range on, and what does not", () => {
    const map = new ExtentMap([
      extent(0, 10, 100),
      extent(10, 10, 200),
      extent(20, 10, 300, true, 1),
      extent(30, 10, 400, false),
      extent(50, 10, 500),
    ]);
    expect(map.firstRun({ offset: 5, length: 55 })).toEqual({
      extents: [extent(5, 5, 105), extent(10, 10, 200)],
      length: 15,
    });
    expect(map.firstRun({ offset: 20, length: 40 })).toEqual({ extents: [extent(20, 10, 300, true, 1)], length: 10 });
    expect(map.firstRun({ offset: 32, length: 28 })).toEqual({ extents: [], length: 18 });
    expect(map.firstRun({ offset: 32, length: 10 })).toEqual({ extents: [], length: 10 });
    expect(map.isKnownZero({ offset: 30, length: 20 })).toBe(true);
    expect(map.isKnownZero({ offset: 29, length: 2 })).toBe(false);
    expect(map.writtenRanges({ offset: 5, length: 50 }, 10)).toEqual([
      { offset: 5, length: 25 },
      { offset: 50, length: 5 },
    ]);
    expect(map.writtenRanges({ offset: 5, length: 50 }, 1)).toEqual([{ offset: 5, length: 25 }]);
  });

  it("says the same as a table of bytes, and its changes make the same map", () => {
    const operation = fc.record({
      offset: fc.nat(40),
      length: fc.integer({ min: 1, max: 20 }),
      fill: fc.boolean(),
      written: fc.boolean(),
      gap: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
        const map = new ExtentMap();
        const bytes = new Map<number, { start: number; written: boolean }>();
        const stored = new Map<number, Extent>();
        const freed = new Set<number>();
        let next = 0;
        for (const { offset, length, fill, written, gap } of operations) {
          if (gap) next += 7;
          const extents = fill ? [extent(offset, length, next, written)] : [];
          for (let at = offset; at < offset + length; at++) {
            const old = bytes.get(at);
            if (old !== undefined) freed.add(old.start);
            bytes.delete(at);
            if (fill) bytes.set(at, { start: next++, written });
          }
          const change = map.replace({ offset, length }, extents);
          for (const one of change.removed) stored.delete(one);
          for (const one of change.stored) stored.set(one.offset, one);
          for (const piece of change.freed) {
            for (let at = piece.start; at < piece.start + piece.length; at++) expect(freed.delete(at)).toBe(true);
          }
          expect(freed.size).toBe(0);
        }
        const found = new Map<number, { start: number; written: boolean }>();
        for (const one of map.all) {
          for (let at = 0; at < one.length; at++) {
            found.set(one.offset + at, { start: one.start + at, written: one.written });
          }
        }
        expect([...found].sort()).toEqual([...bytes].sort());
        expect([...stored.values()].sort((a, b) => a.offset - b.offset)).toEqual(map.all);
        expect(map.allocated).toBe(bytes.size);
      }),
    );
  });
});
