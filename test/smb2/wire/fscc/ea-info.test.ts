// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NtStatus } from "../../../../src/nt/status.ts";
import { Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as ea from "../../../../src/smb2/wire/fscc/ea-info.ts";
import { expectHostile, hex, written } from "./codec.ts";

const list = [
  { name: "AB", flags: 0, value: Buffer.from("xyz") },
  { name: "C", flags: ea.FILE_NEED_EA, value: Buffer.alloc(0) },
];
const first = "10000000 00 02 0300 414200 78797a 0000";
const second = "00000000 80 01 0000 4300";

const inconsistent = expect.objectContaining({ status: NtStatus.EA_LIST_INCONSISTENT });
const invalidName = expect.objectContaining({ status: NtStatus.INVALID_EA_NAME });

describe("FILE_FULL_EA_INFORMATION", () => {
  it("chains elements on 4-byte boundaries", () => {
    const bytes = hex(`${first} ${second}`);
    expect(written((writer) => ea.encodeFullEaList(writer, list)).toString("hex")).toBe(bytes.toString("hex"));
    expect(ea.decodeFullEaList(bytes)).toEqual(list);
    expect(ea.fullEaListLength(list)).toBe(bytes.length);
    expect(ea.fullEaListLength([])).toBe(0);
    expectHostile(bytes, ea.decodeFullEaList);
  });

  it.each([
    [26, 2],
    [25, 1],
    [14, 1],
    [13, 0],
  ])("in %i bytes of room writes %i elements", (room, count) => {
    const writer = new Writer();
    expect(ea.encodeFullEaList(writer, list, room)).toBe(count);
    if (count > 0) expect(ea.decodeFullEaList(Buffer.from(writer.view()))).toEqual(list.slice(0, count));
  });

  it.each([
    ["nothing at all", ""],
    ["a fixed part cut short", "00000000 00 02 03"],
    ["a value beyond the end", "00000000 00 02 0400 414200 78797a"],
    ["a name without its NUL", "00000000 00 02 0300 414278 797a00"],
    ["a next element that is not aligned", `0e000000 00 02 0300 414200 78797a ${second}`],
    ["a next element inside this one", `08000000 00 02 0300 414200 78797a 0000 ${second}`],
    ["a next element beyond the end", "10000000 00 02 0300 414200 78797a 0000"],
    ["a next element far beyond", "fcffffff 00 02 0300 414200 78797a 0000"],
  ])("calls %s inconsistent", (_, bytes) => {
    expect(() => ea.decodeFullEaList(hex(bytes))).toThrow(inconsistent);
  });

  it.each([
    ["no name", "00000000 00 00 0000 00"],
    ["a forbidden character", "00000000 00 02 0000 413d00"],
    ["a control character", "00000000 00 02 0000 411f00"],
    ["a character that is not ASCII", "00000000 00 02 0000 41e900"],
    ["an unknown flag", "00000000 01 01 0000 4100"],
    ["a name of 255 characters", `00000000 00 ff 0000 ${"41".repeat(255)} 00`],
  ])("calls %s an invalid name", (_, bytes) => {
    expect(() => ea.decodeFullEaList(hex(bytes))).toThrow(invalidName);
  });

  it.each([...'\\/:*?"<>|,+=[];'])("forbids %s in a name", (character) => {
    expect(ea.isValidEaName(`a${character}`)).toBe(false);
  });

  it("accepts what else is ASCII", () => {
    expect(ea.isValidEaName("user.my attr-1!#$%&'()-.@^_`{}~")).toBe(true);
    expect(ea.isValidEaName("a".repeat(254))).toBe(true);
  });

  it("refuses to write a value that its length cannot tell", () => {
    const large = [{ name: "A", flags: 0, value: Buffer.alloc(0x10000) }];
    expect(() => ea.encodeFullEaList(new Writer(), large)).toThrow(RangeError);
  });

  it("reads back whatever it wrote", () => {
    const name = fc.string({ minLength: 1, maxLength: 254 }).filter(ea.isValidEaName);
    const element = fc.record({
      name,
      flags: fc.constantFrom(0, ea.FILE_NEED_EA),
      value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 5 }), (elements) => {
        const bytes = written((writer) => ea.encodeFullEaList(writer, elements));
        expect(bytes.length).toBe(ea.fullEaListLength(elements));
        expect(ea.decodeFullEaList(bytes)).toEqual(elements);
      }),
    );
  });
});

describe("FILE_GET_EA_INFORMATION", () => {
  it("chains names on 4-byte boundaries", () => {
    const bytes = hex("08000000 02 414200 00000000 03 43444500");
    expect(written((writer) => ea.encodeGetEaList(writer, ["AB", "CDE"])).toString("hex")).toBe(bytes.toString("hex"));
    expect(ea.decodeGetEaList(bytes)).toEqual(["AB", "CDE"]);
    expectHostile(bytes, ea.decodeGetEaList);
  });

  it("asks for all with an empty list", () => {
    expect(ea.decodeGetEaList(Buffer.alloc(0))).toEqual([]);
  });

  it("checks its elements", () => {
    expect(() => ea.decodeGetEaList(hex("00000000"))).toThrow(inconsistent);
    expect(() => ea.decodeGetEaList(hex("00000000 02 4142"))).toThrow(inconsistent);
    expect(() => ea.decodeGetEaList(hex("04000000 02 414200 00000000 01 4300"))).toThrow(inconsistent);
    expect(() => ea.decodeGetEaList(hex("00000000 01 2a00"))).toThrow(invalidName);
  });
});
