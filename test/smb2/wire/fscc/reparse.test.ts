// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as reparse from "../../../../src/smb2/wire/fscc/reparse.ts";
import { expectGolden, expectHostile, hex, wide } from "./codec.ts";

describe("reparse points", () => {
  const link = { substituteName: "\\??\\C:\\t", printName: "C:\\t", flags: 0 };
  const linkHex = `0000 1000 1000 0800 00000000 ${wide("\\??\\C:\\t")} ${wide("C:\\t")}`;

  it("writes a symbolic link", () => {
    expect(reparse.encodeSymbolicLinkReparseData(link).toString("hex")).toBe(hex(linkHex).toString("hex"));
    expect(reparse.decodeSymbolicLinkReparseData(hex(linkHex))).toEqual(link);
    expectHostile(hex(linkHex), reparse.decodeSymbolicLinkReparseData);
  });

  it("reads names in either order", () => {
    const bytes = hex(`0400 0200 0000 0400 01000000 ${wide("pp")} ${wide("s")}`);
    expect(reparse.decodeSymbolicLinkReparseData(bytes)).toEqual({
      substituteName: "s",
      printName: "pp",
      flags: reparse.SYMLINK_FLAG_RELATIVE,
    });
  });

  it("writes a mount point, its names ended by NULs", () => {
    const names = { substituteName: "ab", printName: "c" };
    const bytes = hex(`0000 0400 0600 0200 ${wide("ab\0c\0")}`);
    expect(reparse.encodeMountPointReparseData(names).toString("hex")).toBe(bytes.toString("hex"));
    expect(reparse.decodeMountPointReparseData(bytes)).toEqual(names);
    expectHostile(bytes, reparse.decodeMountPointReparseData);
  });

  it("wraps data of Microsoft's tags", () => {
    const data = hex(linkHex);
    expectGolden(
      `0c0000a0 2400 0000 ${linkHex}`,
      { reparseTag: reparse.ReparseTag.SYMLINK, data },
      reparse.encodeReparseDataBuffer,
      reparse.decodeReparseDataBuffer,
    );
  });

  it("wraps data of others behind a GUID", () => {
    const buffer = { reparseTag: 0x00001234, guid: Buffer.alloc(16, 9), data: Buffer.from("x") };
    expectGolden(
      `34120000 0100 0000 ${"09".repeat(16)} 78`,
      buffer,
      reparse.encodeReparseDataBuffer,
      reparse.decodeReparseDataBuffer,
    );
    const without = { reparseTag: 0x00001234, data: Buffer.from("x") };
    expect(() => reparse.encodeReparseDataBuffer(new Writer(), without)).toThrow(RangeError);
  });

  it.each(["0c0000a0 0300 0000 0102", "0c0000a0 0100 0000 0102"])("refuses %s", (bytes) => {
    expect(() => reparse.decodeReparseDataBuffer(new Reader(hex(bytes)))).toThrow(MalformedPacketError);
  });
});
