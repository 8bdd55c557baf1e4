// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  foldName,
  isValidFileName,
  isValidStreamName,
  parseSharePath,
  parseStreamPath,
  sameName,
} from "../../src/nt/names.ts";
import { NtStatus } from "../../src/nt/status.ts";

const invalid = expect.objectContaining({ status: NtStatus.OBJECT_NAME_INVALID });

describe("foldName", () => {
  it.each([
    ["", ""],
    ["Already UPPER 1", "ALREADY UPPER 1"],
    ["straße", "STRAßE"],
    ["ÄÖÜ äöü ÿ", "ÄÖÜ ÄÖÜ Ÿ"],
    ["σς", "ΣΣ"],
    ["ı ſ µ K", "ı ſ µ K"],
    ["ǆ ǅ Ǆ", "Ǆ ǅ Ǆ"],
    ["привет", "ПРИВЕТ"],
    ["\uff41", "\uff21"],
    ["ᾳ", "ᾼ"],
    ["ა", "ა"],
    ["𐐨 a", "𐐨 A"],
    ["\ud800x\udc00", "\ud800X\udc00"],
    ["e\u0301", "E\u0301"],
    ["İ", "İ"],
  ])("%s → %s", (name, folded) => {
    expect(foldName(name)).toBe(folded);
  });

  it("keeps the length and is stable", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        const folded = foldName(name);
        expect(folded.length).toBe(name.length);
        expect(foldName(folded)).toBe(folded);
      }),
    );
  });

  it("is stable for every code unit", () => {
    for (let unit = 0; unit < 0x10000; unit++) {
      const folded = foldName(String.fromCharCode(unit));
      expect(folded.length === 1 && foldName(folded) === folded).toBe(true);
    }
  });

  it("takes names of any length", () => {
    expect(foldName("ä".repeat(100_000))).toBe("Ä".repeat(100_000));
  });

  it("compares", () => {
    expect(sameName("Straße", "STRAßE")).toBe(true);
    expect(sameName("straße", "strasse")).toBe(false);
    expect(sameName("é", "e\u0301")).toBe(false);
  });
});

describe("validity", () => {
  it.each(["a", "a.b", "...", ".a", " ", "a ", "a.", "\u007f", "\ud800", "x".repeat(255)])(
    "allows the file name %j",
    (name) => {
      expect(isValidFileName(name)).toBe(true);
    },
  );

  it.each(["", ".", "..", "a\0", "a\x1f", 'a"', "a*", "a/b", "a:b", "a<", "a>", "a?", "a\\b", "a|b", "x".repeat(256)])(
    "refuses the file name %j",
    (name) => {
      expect(isValidFileName(name)).toBe(false);
    },
  );

  it("has laxer rules for streams", () => {
    for (const name of ["?Stream*", "\x05Info", 'a"<>|', ".", "..", "x".repeat(255)])
      expect(isValidStreamName(name)).toBe(true);
    for (const name of ["", "a\0", "a/b", "a\\b", "a:b", "x".repeat(256)]) expect(isValidStreamName(name)).toBe(false);
  });
});

describe("parseStreamPath", () => {
  it.each([
    ["file", "file", "", ""],
    ["file:s", "file", "s", ""],
    ["file:s:$data", "file", "s", "$DATA"],
    ["file::$DATA", "file", "", "$DATA"],
    ["file:$DATA", "file", "$DATA", ""],
    ["dir::$INDEX_ALLOCATION", "dir", "", "$INDEX_ALLOCATION"],
    ["dir:$i30:$Index_Allocation", "dir", "", "$INDEX_ALLOCATION"],
    [":s", "", "s", ""],
  ])("%s", (text, name, stream, type) => {
    expect(parseStreamPath(text)).toEqual({ name, stream, type });
  });

  it.each([
    "file:",
    "file::",
    "file:s:",
    "file:s:$FOO",
    "file::$FOO",
    "file:s:$DATA:",
    "a:b:c:d",
    "d:x:$INDEX_ALLOCATION",
    "file:a\0",
  ])("refuses %j", (text) => {
    expect(() => parseStreamPath(text)).toThrow(invalid);
  });
});

describe("parseSharePath", () => {
  it.each<[string, string[], string, boolean]>([
    ["", [], "", false],
    ["a", ["a"], "", false],
    ["a\\b\\c", ["a", "b", "c"], "", false],
    ["a\\b\\", ["a", "b"], "", true],
    ["a\\b:s:$DATA", ["a", "b"], "s", false],
    [":s", [], "s", false],
  ])("%j", (path, components, stream, trailingSeparator) => {
    expect(parseSharePath(path)).toMatchObject({ components, stream, trailingSeparator });
  });

  it("gives the type of the root's index", () => {
    expect(parseSharePath("::$INDEX_ALLOCATION")).toMatchObject({
      components: [],
      stream: "",
      type: "$INDEX_ALLOCATION",
    });
  });

  it.each([
    "\\",
    "\\a",
    "a\\\\b",
    "a\\.\\b",
    "a:s\\b",
    "a/b",
    "a\\:s",
    "a:s\\",
    "a\\b*",
    "x".repeat(256),
    "a\\".repeat(16_381),
  ])("refuses %j", (path) => {
    expect(() => parseSharePath(path)).toThrow(invalid);
  });

  it("takes a name back for each `..`, and leads nowhere above the root", () => {
    expect(parseSharePath("a\\..").components).toEqual([]);
    expect(parseSharePath("a\\b\\..\\..\\c:s").components).toEqual(["c"]);
    for (const path of ["..", "..\\a", "a\\..\\..", "a\\..\\..\\a"]) {
      expect(() => parseSharePath(path)).toThrow(expect.objectContaining({ status: NtStatus.OBJECT_PATH_SYNTAX_BAD }));
    }
  });
});
