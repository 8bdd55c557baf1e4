// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../src/smb2/wire/cursor.ts";
import { hex } from "./golden.ts";

describe("Reader", () => {
  it("reads little-endian fields in order", () => {
    const reader = new Reader(hex("01 0302 07060504 0f0e0d0c0b0a0908 feffffffffffffff 6100 aabb cc"));
    expect(reader.u8()).toBe(0x01);
    expect(reader.u16()).toBe(0x0203);
    expect(reader.u32()).toBe(0x04050607);
    expect(reader.u64()).toBe(0x08090a0b0c0d0e0fn);
    expect(reader.i64()).toBe(-2n);
    expect(reader.utf16(2)).toBe("a");
    expect(reader.bytes(2)).toEqual(hex("aabb"));
    expect(reader.remaining).toBe(1);
    reader.skip(1);
    expect(reader.position).toBe(reader.length);
  });

  it("throws on a short read and stays where it was", () => {
    const reader = new Reader(hex("0102030405060708"), 6);
    for (const read of [
      () => reader.u32(),
      () => reader.u64(),
      () => reader.i64(),
      () => reader.bytes(3),
      () => reader.bytes(-1),
      () => reader.utf16(4),
      () => reader.utf16(1),
      () => reader.skip(3),
      () => reader.seek(9),
      () => reader.seek(-1),
      () => reader.at(7, 2),
      () => reader.at(-1, 1),
      () => reader.at(0, -1),
    ]) {
      expect(read).toThrow(MalformedPacketError);
      expect(reader.position).toBe(6);
    }
    reader.seek(8);
    expect(reader.at(8, 0)).toHaveLength(0);
  });

  it("gives views", () => {
    const buffer = hex("01020304");
    const reader = new Reader(buffer);
    const [taken, there] = [reader.bytes(2), reader.at(2, 2)];
    buffer.fill(0xff);
    expect(taken).toEqual(hex("ffff"));
    expect(there).toEqual(hex("ffff"));
  });
});

describe("Writer", () => {
  it("grows, and keeps what it holds", () => {
    const writer = new Writer(2);
    writer.u8(0x01);
    writer.u16(0x0203);
    writer.u32(0xfcfdfeff);
    writer.u64(0x08090a0b0c0d0e0fn);
    writer.i64(-2n);
    writer.utf16("a");
    writer.bytes(hex("aabb"));
    writer.zeros(2);
    expect(writer.view()).toEqual(hex("01 0302 fffefdfc 0f0e0d0c0b0a0908 feffffffffffffff 6100 aabb 0000"));
  });

  it("counts offsets and alignment from the start of the message", () => {
    const writer = new Writer();
    writer.zeros(5);
    writer.beginMessage();
    expect([writer.base, writer.offset]).toEqual([5, 0]);
    writer.u8(1);
    writer.align(8);
    expect([writer.position, writer.offset]).toEqual([13, 8]);
    writer.align(8);
    expect(writer.offset).toBe(8);
  });

  it("patches and truncates", () => {
    const writer = new Writer();
    writer.zeros(8);
    writer.patchU16(1, 0x0102);
    writer.patchU32(4, 0xa1a2a3a4);
    writer.truncate(7);
    expect(writer.view()).toEqual(hex("00 0201 00 a4a3a2"));
    expect(writer.view(1, 3)).toEqual(hex("0201"));
  });
});
