// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameAssembler } from "../../src/smb2/frame-assembler.ts";
import { MalformedPacketError } from "../../src/smb2/wire/cursor.ts";
import { frameHeader } from "../../src/smb2/wire/frame.ts";

const MAXIMUM = 4096;
const KEEP_ALIVE = Buffer.from([0x85, 0, 0, 0]);

function framed(message: Buffer): Buffer {
  return Buffer.concat([frameHeader(message.length), message]);
}

function assemble(chunks: readonly Buffer[], maximum = MAXIMUM): Buffer[] {
  const assembler = new FrameAssembler(maximum);
  const frames: Buffer[] = [];
  for (const chunk of chunks) assembler.push(chunk, (frame) => frames.push(Buffer.from(frame)));
  return frames;
}

/** Cuts a stream at the given places. */
function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  const chunks: Buffer[] = [];
  let at = 0;
  for (const end of [...ends, stream.length]) {
    chunks.push(stream.subarray(at, end));
    at = end;
  }
  return chunks;
}

describe("FrameAssembler", () => {
  it("gives the same frames however the stream is cut, and skips keep-alives", () => {
    const message = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    const part = fc.oneof({ weight: 4, arbitrary: message }, { weight: 1, arbitrary: fc.constant(undefined) });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.array(fc.nat(4000), { maxLength: 30 }), (parts, places) => {
        const stream = Buffer.concat(parts.map((one) => (one === undefined ? KEEP_ALIVE : framed(one))));
        const expected = parts.filter((one) => one !== undefined);
        expect(assemble(cut(stream, places))).toEqual(expected);
      }),
    );
  });

  it("takes a stream byte by byte", () => {
    const messages = [Buffer.from("first"), Buffer.from("second"), Buffer.alloc(257, 3)];
    const stream = Buffer.concat(messages.map(framed));
    expect(assemble([...stream].map((byte) => Buffer.from([byte])))).toEqual(messages);
  });

  it("gives each frame memory of its own, since a chunk is only lent", () => {
    const chunk = Buffer.concat([framed(Buffer.from("abc")), framed(Buffer.from("defg"))]);
    const frames: Buffer[] = [];
    new FrameAssembler(MAXIMUM).push(chunk, (frame) => frames.push(frame));
    chunk.fill(0);
    expect(frames).toEqual([Buffer.from("abc"), Buffer.from("defg")]);
  });

  it("gives the same frames where bytes are put into its space", () => {
    const message = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (messages, sizes) => {
          const stream = Buffer.concat(messages.map(framed));
          const assembler = new FrameAssembler(MAXIMUM);
          const frames: Buffer[] = [];
          const take = (frame: Buffer) => frames.push(frame);
          for (let at = 0; at < stream.length; ) {
            const size: number = sizes.next().value;
            const { space } = assembler;
            if (space === undefined) {
              assembler.push(stream.subarray(at, at + size), take);
              at += Math.min(size, stream.length - at);
            } else {
              const copied = stream.copy(space, 0, at, at + size);
              assembler.filled(copied, take);
              at += copied;
            }
          }
          expect(frames).toEqual(messages);
          expect(assembler.space).toBeUndefined();
        },
      ),
    );
  });

  it("has no space between frames", () => {
    const assembler = new FrameAssembler(MAXIMUM);
    expect(assembler.space).toBeUndefined();
    expect(() => assembler.filled(1, () => {})).toThrow(RangeError);
    assembler.push(framed(Buffer.alloc(10)).subarray(0, 6), () => {});
    expect(assembler.space).toHaveLength(8);
  });

  it("puts a frame of several chunks together in a buffer that it asked for", () => {
    const own = Buffer.alloc(64);
    const assembler = new FrameAssembler(MAXIMUM, (length) => own.subarray(0, length));
    const frames: Buffer[] = [];
    for (const chunk of cut(framed(Buffer.from("abcdef")), [2, 7]))
      assembler.push(chunk, (frame) => frames.push(frame));
    expect(frames).toEqual([Buffer.from("abcdef")]);
    expect(frames[0]?.buffer).toBe(own.buffer);
  });

  it("stops where no more is wanted, and goes on from there", () => {
    const messages = [Buffer.from("one"), Buffer.from("two"), Buffer.from("three")];
    const stream = Buffer.concat(messages.map(framed));
    // The first frame lies in two chunks, the others in one.
    const pending = [stream.subarray(0, 5), stream.subarray(5)];
    const assembler = new FrameAssembler(MAXIMUM);
    const frames: Buffer[] = [];
    const counts: number[] = [];
    while (pending[0] !== undefined) {
      const before = frames.length;
      const used = assembler.push(pending[0], (frame) => {
        frames.push(frame);
        return false;
      });
      counts.push(frames.length - before);
      if (used < pending[0].length) pending[0] = pending[0].subarray(used);
      else pending.shift();
    }
    expect(frames).toEqual(messages);
    expect(counts).toEqual([0, 1, 1, 1]);
  });

  it("skips empty session messages", () => {
    expect(assemble([Buffer.concat([frameHeader(0), framed(Buffer.from("x"))])])).toEqual([Buffer.from("x")]);
  });

  it("takes a frame of the maximum and refuses a longer one before it arrives", () => {
    expect(assemble([framed(Buffer.alloc(16))], 16)).toHaveLength(1);
    expect(() => assemble([frameHeader(17)], 16)).toThrow(MalformedPacketError);
  });

  it("judges each frame by the maximum of the moment", () => {
    const assembler = new FrameAssembler(8);
    const lengths: number[] = [];
    const stream = Buffer.concat([framed(Buffer.alloc(8)), framed(Buffer.alloc(64))]);
    assembler.push(stream, (frame) => {
      lengths.push(frame.length);
      assembler.maximum = 64;
    });
    expect(lengths).toEqual([8, 64]);
  });

  it.each([0x01, 0x81, 0x82, 0x83, 0x84, 0xff])("refuses frames of type 0x%s", (type) => {
    expect(() => assemble([Buffer.from([type, 0, 0, 0])])).toThrow(MalformedPacketError);
  });

  it("refuses a keep-alive with a length", () => {
    expect(() => assemble([Buffer.from([0x85, 0, 0, 1])])).toThrow(MalformedPacketError);
  });
});
