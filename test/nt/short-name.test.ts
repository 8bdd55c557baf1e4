// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isShortName, isShortNameShape, shortNameOf } from "../../src/nt/short-name.ts";

describe("8.3 names", () => {
  it.each(["A", "readme.txt", "FILE1234.C", "a-b_c~1.{x}"])("%s needs no other", (name) => {
    expect(shortNameOf(name)).toBe("");
    expect(isShortName(name)).toBe(true);
  });

  it.each([
    ["a long name.text", /^A[0-9A-Z]{5}~[0-9A-Z]\.TEX$/],
    ["readme.html", /^R[0-9A-Z]{5}~[0-9A-Z]\.HTM$/],
    [".profile", /^P[0-9A-Z]{5}~[0-9A-Z]$/],
    ["a.b.c", /^A[0-9A-Z]{5}~[0-9A-Z]\.C$/],
    ["name.", /^N[0-9A-Z]{5}~[0-9A-Z]$/],
    ["größe", /^G[0-9A-Z]{5}~[0-9A-Z]$/],
    ["名前.テキスト", /^_[0-9A-Z]{5}~[0-9A-Z]\.___$/],
    ["a+b", /^A[0-9A-Z]{5}~[0-9A-Z]$/],
    [" . ", /^_[0-9A-Z]{5}~[0-9A-Z]$/],
    ["~temporary.doc", /^_[0-9A-Z]{5}~[0-9A-Z]\.DOC$/],
  ])("%s gets one", (name, shape) => {
    expect(shortNameOf(name)).toMatch(shape);
  });

  it("depends on the whole name, without regard to case", () => {
    expect(shortNameOf("Some Long Name.txt")).toBe(shortNameOf("SOME LONG NAME.TXT"));
    expect(shortNameOf("some long name 1.txt")).not.toBe(shortNameOf("some long name 2.txt"));
  });

  it("makes legal names that can be told by their shape", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (name) => {
        const short = shortNameOf(name);
        if (short === "") return;
        expect(isShortName(short)).toBe(true);
        expect(isShortNameShape(short)).toBe(true);
        expect(isShortNameShape(short.toLowerCase())).toBe(true);
      }),
    );
    expect(isShortNameShape("readme.txt")).toBe(false);
    expect(isShortNameShape("ABCDEF~1.TEXT")).toBe(false);
  });

  it("rarely gives one name twice", () => {
    const seen = new Set<string>();
    for (let index = 0; index < 20_000; index++) seen.add(shortNameOf(`A longer file name ${index}.dat`));
    expect(seen.size).toBe(20_000);
  });
});
