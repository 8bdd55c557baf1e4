// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BufferPool } from "../../src/memory/buffer-pool.ts";
import { addressOf } from "../../src/native/ffi.ts";

const MEBIBYTE = 1024 * 1024;

describe("BufferPool", () => {
  it("gives buffers of exactly the length asked for", () => {
    const pool = new BufferPool();
    fc.assert(
      fc.property(fc.array(fc.nat(200_000), { maxLength: 20 }), (lengths) => {
        const buffers = lengths.map((length) => pool.take(length));
        expect(buffers.map((buffer) => buffer.length)).toEqual(lengths);
        for (const buffer of buffers) pool.give(buffer);
      }),
    );
  });

  it("has file data begin at a multiple of 64 bytes, wherever in the buffer they are", () => {
    const pool = new BufferPool();
    const length = fc.integer({ min: 4096, max: 70_000 });
    fc.assert(
      fc.property(fc.array(fc.record({ length, dataAt: fc.nat(300) }), { maxLength: 20 }), (steps) => {
        const buffers = steps.map((step) => pool.take(step.length, step.dataAt));
        expect(buffers.map((buffer, index) => (addressOf(buffer) + (steps[index]?.dataAt ?? 0)) % 64)).toEqual(
          buffers.map(() => 0),
        );
        expect(buffers.map((buffer) => buffer.length)).toEqual(steps.map((step) => step.length));
        for (const buffer of buffers) pool.give(buffer);
      }),
    );
  });

  it("never lends the same memory twice at a time", () => {
    const pool = new BufferPool();
    const length = fc.integer({ min: 4096, max: 70_000 });
    fc.assert(
      fc.property(fc.array(fc.record({ length, back: fc.nat(3) }), { maxLength: 40 }), (steps) => {
        const out: Buffer[] = [];
        for (const step of steps) {
          const taken = pool.take(step.length);
          expect(out.map(({ buffer }) => buffer)).not.toContain(taken.buffer);
          out.push(taken);
          for (const buffer of out.splice(0, step.back)) pool.give(buffer);
        }
        for (const buffer of out) pool.give(buffer);
      }),
    );
  });

  it.each([
    [4096, 4096],
    [65_536, 65_536],
    // A WRITE of 64 KiB in its frame, encrypted, and the data of a READ of as much.
    [65_536 + 112 + 52, 65_536],
    [8 * MEBIBYTE, 5 * MEBIBYTE],
  ])("uses the memory of %d bytes again for %d", (first, second) => {
    const pool = new BufferPool();
    const buffer = pool.take(first);
    pool.give(buffer);
    expect(pool.take(second).buffer).toBe(buffer.buffer);
  });

  it.each([0, 100, 9 * MEBIBYTE])("does not keep buffers of %d bytes", (length) => {
    const pool = new BufferPool();
    const buffer = pool.take(length);
    pool.give(buffer);
    const { buffer: memory, byteOffset } = pool.take(length);
    // Small ones may lie beside each other in one piece of memory.
    expect(memory === buffer.buffer && byteOffset === buffer.byteOffset).toBe(false);
  });

  it("takes a buffer back once, and no buffer of others", () => {
    const pool = new BufferPool();
    const buffer = pool.take(MEBIBYTE);
    pool.give(buffer);
    pool.give(buffer);
    pool.give(Buffer.alloc(MEBIBYTE));
    pool.give(pool.take(MEBIBYTE).subarray(0));
    const taken = [pool.take(MEBIBYTE), pool.take(MEBIBYTE)];
    expect(new Set(taken.map(({ buffer: memory }) => memory)).size).toBe(2);
  });

  it("keeps no more than its bound", () => {
    const pool = new BufferPool(2.5 * MEBIBYTE);
    const buffers = [pool.take(MEBIBYTE), pool.take(MEBIBYTE), pool.take(MEBIBYTE)];
    for (const buffer of buffers) pool.give(buffer);
    const kept = new Set(buffers.map(({ buffer }) => buffer));
    const again = Array.from({ length: 3 }, () => pool.take(MEBIBYTE));
    expect(again.filter(({ buffer }) => kept.has(buffer))).toHaveLength(2);
    // What is out counts no longer.
    for (const buffer of again.slice(0, 2)) pool.give(buffer);
    expect(pool.take(MEBIBYTE).buffer).toBe(again[1]?.buffer);
  });
});
