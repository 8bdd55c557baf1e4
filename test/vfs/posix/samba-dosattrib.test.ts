// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { parseDosAttributes, serialiseDosAttributes } from "../../../src/vfs/posix/samba-dosattrib.ts";

const CREATED = 0x01dd7aabb62228ddn;

function parse(hex: string): ReturnType<typeof parseDosAttributes> {
  return parseDosAttributes(Buffer.from(hex, "hex"));
}

describe("user.DOSATTRIB", () => {
  it("is read as smbd 4.17 writes it", () => {
    expect(parse("00000500050000001100000021000000df2822b6ab7add01")).toEqual({
      attributes: FileAttribute.READONLY | FileAttribute.ARCHIVE,
      creationTime: 0x01dd7aabb62228dfn,
    });
    expect(parse("0000050005000000110000001200000069b022b6ab7add01")).toEqual({
      attributes: FileAttribute.DIRECTORY | FileAttribute.HIDDEN,
      creationTime: 0x01dd7aabb622b069n,
    });
  });

  // Made by Samba's own NDR library.
  it.each([
    ["1", "307832310000010001000000210000005500000088776655443322119900000000000000dd2822b6ab7add01df2822b6ab7add01"],
    [
      "3",
      "30783231000003000300000011000000210000005500000088776655443322119900000000000000dd2822b6ab7add01df2822b6ab7add01",
    ],
    ["4", "00000400040000005100000021000000de2822b6ab7add01dd2822b6ab7add01"],
    ["5", "00000500050000001100000021000000dd2822b6ab7add01"],
  ])("is read in version %s", (_version, hex) => {
    expect(parse(hex)).toEqual({ attributes: 0x21, creationTime: CREATED });
  });

  it("is read in the old form of a text alone", () => {
    expect(parseDosAttributes(Buffer.from("0x22"))).toEqual({ attributes: 0x22, creationTime: undefined });
    expect(parseDosAttributes(Buffer.from("0x22\0"))).toEqual({ attributes: 0x22, creationTime: undefined });
    expect(parseDosAttributes(Buffer.from("0x"))).toEqual({ attributes: undefined, creationTime: undefined });
    expect(parseDosAttributes(Buffer.from("hello"))).toEqual({ attributes: undefined, creationTime: undefined });
  });

  it("tells only what its flags call valid", () => {
    expect(parse("00000500050000000100000021000000dd2822b6ab7add01").creationTime).toBeUndefined();
    expect(parse("00000500050000001000000021000000dd2822b6ab7add01").attributes).toBeUndefined();
  });

  it("is written as smbd 4.17 writes it", () => {
    expect(serialiseDosAttributes(0x21, 0x01dd7aabb62228dfn).toString("hex")).toBe(
      "00000500050000001100000021000000df2822b6ab7add01",
    );
  });

  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const { attributes, creationTime } = parseDosAttributes(Buffer.from(bytes));
        expect(attributes === undefined || attributes >= 0).toBe(true);
        expect(creationTime === undefined || creationTime > 0n).toBe(true);
      }),
    );
  });

  it("comes back as it was written", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2n ** 63n), fc.integer({ min: 0, max: 0x7f }), (time, attributes) => {
        const known = attributes & 0x37;
        expect(parseDosAttributes(serialiseDosAttributes(known, time))).toEqual({
          attributes: known,
          creationTime: time,
        });
      }),
    );
  });
});
