// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { intersection, type PreservedBlock, PreservedRanges, union } from "../../src/offload/preserved-ranges.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import type { ByteRange } from "../../src/vfs/volume.ts";

const SIZE = 64;
const range = fc
  .record({ offset: fc.nat(SIZE - 1), length: fc.integer({ min: 1, max: SIZE }) })
  .map(({ offset, length }) => ({ offset, length: Math.min(length, SIZE - offset) }));

const live = await new MemoryVolume().create(["live"], { directory: false, attributes: 0 }).file.openStream("");

function covers(ranges: readonly ByteRange[]): boolean[] {
  return Array.from({ length: SIZE }, (_, at) =>
    ranges.some(({ offset, length }) => at >= offset && at < offset + length),
  );
}

describe("preserved ranges", () => {
  it("tell what is missing, and where each byte is, whatever was added in whatever order", () => {
    if (live === undefined) throw new Error("no stream");
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), range, (added, asked) => {
        const ranges = new PreservedRanges();
        const blocks: PreservedBlock[] = [];
        const model = new Array<PreservedBlock | undefined>(SIZE).fill(undefined);
        for (const one of added) {
          for (const gap of ranges.gaps(one)) {
            const block = { ...gap, from: Buffer.alloc(gap.length), start: 100, references: 0 };
            blocks.push(block);
            ranges.add(gap, block);
            model.fill(block, gap.offset, gap.offset + gap.length);
          }
        }
        const missing = covers(ranges.gaps(asked));
        expect(missing).toEqual(covers([asked]).map((inside, at) => inside && model[at] === undefined));
        expect(ranges.isFree(asked.offset, asked.length)).toBe(
          covers([asked]).every((inside, at) => !inside || missing[at]),
        );
        for (let at = asked.offset; at < asked.offset + asked.length; ) {
          const place = ranges.locate(at, asked.offset + asked.length - at, live);
          expect(place.length).toBeGreaterThan(0);
          for (let i = 0; i < place.length; i++) {
            const block = model[at + i];
            expect(place.from).toBe(block === undefined ? live : block.from);
            expect(place.offset + i).toBe(block === undefined ? at + i : 100 + at + i - block.offset);
          }
          at += place.length;
        }
        const released: PreservedBlock[] = [];
        ranges.clear((block) => released.push(block));
        expect(released.length).toBe(blocks.length);
        expect(blocks.every(({ references }) => references === 0)).toBe(true);
      }),
    );
  });

  it("are joined and cut like sets", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), range, range, (many, a, b) => {
        expect(covers(union(many))).toEqual(covers(many));
        const both = intersection(a, b);
        expect(covers(both === undefined ? [] : [both])).toEqual(
          covers([a]).map((inside, at) => inside && covers([b])[at]),
        );
      }),
    );
  });
});
