// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientName, storedName } from "../../../src/vfs/posix/names.ts";
import { decodeStored, encodeStored } from "../../../src/vfs/posix/native/path.ts";

describe("names", () => {
  it.each([
    ["plain.txt", "plain.txt"],
    ["Größe 😀", "Größe 😀"],
    ["a:b", "a\uf022b"],
    ['"*:<>?\\|', "\uf020\uf021\uf022\uf023\uf024\uf025\uf026\uf027"],
    ["\x01\x1f", "\uf001\uf01f"],
    ["dot.", "dot\uf029"],
    ["space ", "space\uf028"],
    ["two..", "two.\uf029"],
    ["dot\uf029", "dot."],
    ["bad\udcff\udc80name", "bad\uf1ff\uf180name"],
  ])("stored %j is %j for clients", (stored, client) => {
    expect(clientName(stored)).toBe(client);
    expect(storedName(client)).toBe(stored);
  });

  it.each([
    "",
    ".",
    "..",
    "a/b",
    "a\0b",
    "a\\b",
    "a:b",
    "\ud800",
    "\udc80",
    "a\udfff",
    "\uf029",
    ".\uf029",
    "x".repeat(256),
  ])("%j can be stored by nobody", (name) => {
    expect(storedName(name)).toBeUndefined();
  });

  it("that would come back as another name are refused", () => {
    // The escapes for C3 A9, which are the UTF-8 of é.
    expect(storedName("\uf1c3\uf1a9")).toBeUndefined();
    expect(storedName("\uf1c3x\uf1a9")).toBe("\udcc3x\udca9");
  });

  it("come back from disk as the bytes they were", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const name = Buffer.from(bytes);
        expect(encodeStored(decodeStored(name)).equals(name)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("that a client made come back to it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 40 }), (name) => {
        const stored = storedName(name);
        fc.pre(stored !== undefined);
        expect(clientName(decodeStored(encodeStored(stored ?? "")))).toBe(name);
      }),
      { numRuns: 500 },
    );
  });
});
