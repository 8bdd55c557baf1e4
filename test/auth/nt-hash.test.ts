// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { ntHashOfPassword } from "../../src/auth/nt-hash.ts";

it("is MD4 of the password in UTF-16LE", async () => {
  // MS-NLMP 4.2.2.1.2.
  expect((await ntHashOfPassword("Password")).toString("hex")).toBe("a4f49c406510bdcab6824ee7c30fd852");
  // RFC 1320 A.5: MD4 of nothing.
  expect((await ntHashOfPassword("")).toString("hex")).toBe("31d6cfe0d16ae931b73c59d7e0c089c0");
});
