// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameStream } from "../../../bench/load/frame-stream.ts";
import { frameHeader } from "../../../src/smb2/wire/frame.ts";

const LONG = 200 * 1024;
const HEAD = 256;

/** Different in every byte's neighbourhood, so that a misplaced piece is found. */
function content(length: number, seed: number): Buffer {
  const block = createHash("sha512").update(String(seed)).digest();
  const bytes = Buffer.alloc(length, block);
  for (let at = 0; at + 4 <= length; at += 64) bytes.writeUInt32LE(at, at);
  return bytes;
}

const framed = (frames: readonly Buffer[]) =>
  Buffer.concat(frames.flatMap((frame) => [frameHeader(frame.length), frame]));

/** What comes out when the stream arrives in pieces of these sizes, again and again. */
function take(stream: Buffer, sizes: readonly number[]): { bytes: Buffer; length: number }[] {
  const taken: { bytes: Buffer; length: number }[] = [];
  const frames = new FrameStream((bytes, length) => taken.push({ bytes: Buffer.from(bytes), length }));
  for (let at = 0, piece = 0; at < stream.length; piece += 1) {
    const size = sizes[piece % sizes.length] ?? 1;
    frames.push(stream.subarray(at, at + size));
    at += size;
  }
  return taken;
}

describe("FrameStream", () => {
  it("hands on short frames whole, however the stream is cut", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 8 });
    const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(lengths, sizes, (chosen, pieces) => {
        const frames = chosen.map((length, index) => content(length, index));
        expect(take(framed(frames), pieces)).toEqual(frames.map((bytes) => ({ bytes, length: bytes.length })));
      }),
    );
  });

  it("hands on the head of long frames that come in pieces, and one in sixteen whole", () => {
    const frames = Array.from({ length: 33 }, (_, index) => content(LONG, index));
    const taken = take(framed(frames), [70_000, 3]);
    taken.forEach(({ bytes, length }, index) => {
      const kept = index % 16 === 0 ? LONG : HEAD;
      expect({ length, kept: bytes.length }).toEqual({ length: LONG, kept });
      expect(bytes.equals(frames[index]?.subarray(0, kept) ?? Buffer.alloc(0))).toBe(true);
    });
    expect(taken).toHaveLength(33);
  });

  it("hands on a long frame whole where it lies in one chunk", () => {
    const frames = [content(LONG, 1), content(LONG, 2)];
    const taken = take(framed(frames), [1_000_000]);
    expect(taken.map(({ bytes, length }, index) => [length, frames[index]?.equals(bytes)])).toEqual([
      [LONG, true],
      [LONG, true],
    ]);
  });

  it("refuses what is no session message", () => {
    expect(() => take(Buffer.from([0x85, 0, 0, 0]), [4])).toThrow("type 133");
  });
});
