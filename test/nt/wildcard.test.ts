// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldName } from "../../src/nt/names.ts";
import { NtStatus } from "../../src/nt/status.ts";
import { compilePattern, hasWildcard } from "../../src/nt/wildcard.ts";

/** The rules of MS-FSA 2.1.4.4 word by word, in exponential time. */
function naive(pattern: string, name: string, lastDot = name.lastIndexOf("."), at = 0): boolean {
  if (pattern === "") return at === name.length;
  const rest = pattern.slice(1);
  const further = () => naive(rest, name, lastDot, at + 1);
  const skip = () => naive(rest, name, lastDot, at);
  const over = at === name.length;
  switch (pattern[0]) {
    case "*":
      return skip() || (!over && naive(pattern, name, lastDot, at + 1));
    case "<":
      return skip() || (!over && at !== lastDot && naive(pattern, name, lastDot, at + 1));
    case ">":
      return over || name[at] === "." ? skip() : further();
    case '"':
      return over ? skip() : name[at] === "." && further();
    case "?":
      return !over && further();
    default:
      return !over && foldName(name[at] ?? "") === foldName(pattern[0] ?? "") && further();
  }
}

describe("compilePattern", () => {
  it.each<[string, string, boolean]>([
    ["*", "anything", true],
    ["*", "", false],
    ["*.*", "nodot", true],
    ["", "", true],
    ["", "a", false],
    ["a", "", false],
    ["File.TXT", "fILE.txt", true],
    ["File.TXT", "File.TXTx", false],
    ["*.txt", "A.TXT", true],
    ["*.txt", ".txt", true],
    ["*.txt", "txt", false],
    ["*ß", "straß", true],
    ["ab*", "ABC", true],
    ["ab*", "a", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["a*c*e", "abcde", true],
    ["a*c*e", "abcd", false],
    ["**a**", "bab", true],
    ["<.txt", "a.b.txt", true],
    ["<.b", "a.b.txt", false],
    ["<", "a.txt", false],
    ["<", "name", true],
    ['<"', "name", true],
    ['<"', "name.", true],
    ['<"*', "name", true],
    ['<"*', "a.b.c", true],
    ["<.", "name", false],
    [">>>.txt", "a.txt", true],
    [">>>.txt", "abc.txt", true],
    [">>>.txt", "abcd.txt", false],
    [">>>", "a", true],
    [">>>", "", false],
    ['a>>"b', "a.b", true],
    ['file"', "file", true],
    ['file"', "file.", true],
    ['file"', "filex", false],
    ['>>>>>>>>">>>', "readme", true],
    ['>>>>>>>>">>>', "readme.txt", true],
    ['>>>>>>>>">>>', "readme.text", false],
    ['>>>>>>>>">>>', "a.b.c", false],
    ["?????", "\ud83d\ude00abc", true],
  ])("%j and %j: %s", (pattern, name, expected) => {
    expect(compilePattern(pattern)(name)).toBe(expected);
  });

  it("agrees with the rules taken word by word", () => {
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?", "<", ">", '"'), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom("a", "B", ".", "c"), minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(pattern, fc.array(name, { minLength: 1, maxLength: 4 }), (text, names) => {
        const matches = compilePattern(text);
        for (const one of names) expect([one, matches(one)]).toEqual([one, text === "*.*" || naive(text, one)]);
      }),
      { numRuns: 5000 },
    );
  });

  it.each(["*a", "<a", "*a<", "?*a", '*a>"'])("is not led into a maze by %j repeated", (piece) => {
    const matches = compilePattern(`${piece.repeat(Math.floor(250 / piece.length))}b`);
    const name = "a".repeat(255);
    const start = process.cpuUsage();
    for (let round = 0; round < 20; round++) expect(matches(name)).toBe(false);
    expect(process.cpuUsage(start).user).toBeLessThan(2_000_000);
  });

  it("refuses a pattern longer than a name", () => {
    expect(() => compilePattern("*".repeat(256))).toThrow(
      expect.objectContaining({ status: NtStatus.OBJECT_NAME_INVALID }),
    );
  });

  it("knows wildcards", () => {
    expect(["*", "?", "<", ">", '"'].every((unit) => hasWildcard(`a${unit}`))).toBe(true);
    expect(hasWildcard("a.b|")).toBe(false);
  });
});
