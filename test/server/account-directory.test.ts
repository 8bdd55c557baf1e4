// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MemoryAccountStore } from "../../src/auth/accounts.ts";
import { AccountDirectory } from "../../src/server/account-directory.ts";

const MACHINE = "S-1-5-21-1-2-3";
const accounts = new MemoryAccountStore(MACHINE, [{ name: "Alice", ntHash: Buffer.alloc(16) }]);
const directory = new AccountDirectory(accounts, "NAS");

describe("AccountDirectory", () => {
  it.each([
    [`${MACHINE}-1000`, "NAS", "Alice", 1],
    [`${MACHINE}-501`, "NAS", "Guest", 1],
    [`${MACHINE}-513`, "NAS", "None", 2],
    ["S-1-1-0", "", "Everyone", 5],
    ["S-1-5-11", "NT AUTHORITY", "Authenticated Users", 5],
    ["S-1-5-32-544", "BUILTIN", "Administrators", 4],
    ["S-1-22-1-1000", "Unix User", "1000", 1],
    ["S-1-22-2-50", "Unix Group", "50", 2],
  ])("knows %s as %s\\%s", (sid, domain, name, type) => {
    expect(directory.lookupSid(sid)).toEqual({ sid, domain, name, type });
  });

  it.each([`${MACHINE}-1001`, `${MACHINE}-`, `${MACHINE}-1000-1`, "S-1-5-21-9-9-9-1000", "S-1-22-3-1", ""])(
    "does not know %j",
    (sid) => {
      expect(directory.lookupSid(sid)).toBeUndefined();
    },
  );

  it.each([
    ["alice", `${MACHINE}-1000`],
    ["nas\\ALICE", `${MACHINE}-1000`],
    ["everyone", "S-1-1-0"],
    ["BUILTIN\\users", "S-1-5-32-545"],
    ["NAS\\None", `${MACHINE}-513`],
  ])("finds %s without regard to case", (name, sid) => {
    expect(directory.lookupName(name)?.sid).toBe(sid);
  });

  it.each(["bob", "OTHER\\alice", "BUILTIN\\alice", "NT AUTHORITY\\users"])("does not find %s", (name) => {
    expect(directory.lookupName(name)).toBeUndefined();
  });

  it("finds a SID's name by that name again", () => {
    for (const sid of ["S-1-5-18", "S-1-5-32-546", `${MACHINE}-1000`]) {
      const entry = directory.lookupSid(sid);
      expect(directory.lookupName(`${entry?.domain}\\${entry?.name}`)?.sid).toBe(sid);
    }
  });
});
