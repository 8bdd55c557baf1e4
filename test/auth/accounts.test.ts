// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  accountNameProblem,
  MemoryAccountStore,
  machineSidFromBytes,
  machineSidFromSeed,
} from "../../src/auth/accounts.ts";
import { accountPart } from "../../src/auth/names.ts";

const ntHash = Buffer.alloc(16);

describe("MemoryAccountStore", () => {
  it("finds accounts by name, without regard to case, and by RID", () => {
    const store = new MemoryAccountStore("S-1-5-21-1-2-3", [
      { name: "Jörg", ntHash },
      { name: "anna", ntHash },
    ]);
    expect(store.lookup("JÖRG")?.rid).toBe(1000);
    expect(store.lookup("Anna")?.rid).toBe(1001);
    expect(store.lookupRid(1001)?.name).toBe("anna");
    expect(store.lookup("nobody")).toBeUndefined();
    expect(store.list().map(({ name }) => name)).toEqual(["Jörg", "anna"]);
  });

  it("refuses what would be ambiguous or broken", () => {
    const make = (...accounts: { name: string; ntHash: Buffer; rid?: number }[]) =>
      new MemoryAccountStore("S-1-5-21-1-2-3", accounts);
    expect(() => make({ name: "a", ntHash }, { name: "A", ntHash })).toThrow(RangeError);
    expect(() => make({ name: "a", ntHash, rid: 1000 }, { name: "b", ntHash, rid: 1000 })).toThrow(RangeError);
    expect(() => make({ name: "a", ntHash: Buffer.alloc(15) })).toThrow(RangeError);
    expect(() => make({ name: "a/b", ntHash })).toThrow(RangeError);
  });
});

it("derives a machine SID that stays", () => {
  expect(machineSidFromBytes(Buffer.from("0100000002000000ffffffff", "hex"))).toBe("S-1-5-21-1-2-4294967295");
  expect(machineSidFromSeed("a")).toMatch(/^S-1-5-21(-\d+){3}$/);
  expect(machineSidFromSeed("a")).toBe(machineSidFromSeed("a"));
  expect(machineSidFromSeed("a")).not.toBe(machineSidFromSeed("b"));
});

it.each(["", "a@b", "a\\b", "a/b", "a:b", "tab\t", "...", " a", "a ", "x".repeat(65)])(
  "finds fault with %j",
  (name) => {
    expect(accountNameProblem(name)).toBeTypeOf("string");
  },
);

it.each(["a", "Jörg Müller", "o'brien", "x".repeat(64), "svc$", "first.last"])("takes %j", (name) => {
  expect(accountNameProblem(name)).toBeUndefined();
});

it("takes the account out of user@domain", () => {
  expect(["a@b.c", "a", "@b", "a@b@c", ""].map(accountPart)).toEqual(["a", "a", "@b", "a@b", ""]);
});
