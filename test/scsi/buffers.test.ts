// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { totalLength } from "../../src/memory/total-length.ts";
import { ScatterWriter, sliceBuffers } from "../../src/scsi/buffers.ts";

const buffers = fc.array(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 6 },
);

describe("sliceBuffers", () => {
  it("gives the bytes of a range as views", () => {
    fc.assert(
      fc.property(buffers, fc.nat(130), fc.nat(130), (list, offset, length) => {
        const whole = Buffer.concat(list);
        expect(totalLength(list)).toBe(whole.length);
        if (offset + length > whole.length) {
          if (length > 0) expect(() => sliceBuffers(list, offset, length)).toThrow(RangeError);
          return;
        }
        expect(Buffer.concat(sliceBuffers(list, offset, length))).toEqual(whole.subarray(offset, offset + length));
      }),
    );
  });

  it("copies nothing", () => {
    const data = Buffer.from("abcdef");
    sliceBuffers([data], 2, 2)[0]?.fill("x");
    expect(data.toString()).toBe("abxxef");
  });
});

describe("ScatterWriter", () => {
  it("fills buffers in order, whatever the pieces", () => {
    fc.assert(
      fc.property(buffers, buffers, (targets, pieces) => {
        const writer = new ScatterWriter(targets);
        const room = totalLength(targets);
        const data = Buffer.concat(pieces);
        if (data.length > room) {
          expect(() => pieces.forEach((piece) => void writer.append(piece))).toThrow(RangeError);
          return;
        }
        for (const piece of pieces) writer.append(piece);
        expect(writer.position).toBe(data.length);
        expect(Buffer.concat(targets).subarray(0, data.length)).toEqual(data);
      }),
    );
  });
});
