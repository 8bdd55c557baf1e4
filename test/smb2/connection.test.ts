// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { CipherId } from "../../src/smb2/crypto/encryption.ts";
import { SigningAlgorithm } from "../../src/smb2/crypto/signing.ts";
import { Dialect } from "../../src/smb2/wire/constants.ts";
import { alice, ServerHarness } from "../support/server-harness.ts";

const protections = [
  { name: "2.0.2", negotiate: { dialects: [Dialect.SMB_2_0_2] }, encrypt: false },
  { name: "2.1", negotiate: { dialects: [Dialect.SMB_2_1] }, encrypt: false },
  { name: "3.0", negotiate: { dialects: [Dialect.SMB_3_0] }, encrypt: false },
  { name: "3.0 encrypted", negotiate: { dialects: [Dialect.SMB_3_0] }, encrypt: true },
  { name: "3.0.2 encrypted", negotiate: { dialects: [Dialect.SMB_3_0_2] }, encrypt: true },
  ...Object.entries(SigningAlgorithm).map(([name, algorithm]) => ({
    name: `3.1.1 ${name}`,
    negotiate: { dialects: [Dialect.SMB_3_1_1], signingAlgorithms: [algorithm] },
    encrypt: false,
  })),
  ...Object.entries(CipherId).map(([name, cipher]) => ({
    name: `3.1.1 ${name}`,
    negotiate: { dialects: [Dialect.SMB_3_1_1], ciphers: [cipher] },
    encrypt: true,
  })),
];

describe("a conversation", () => {
  it.each(protections)("in $name", async ({ negotiate, encrypt }) => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount("data", { negotiate, encrypt, sign: true });
    await tree.put("hello.txt", "Salve!");
    expect((await tree.get("HELLO.TXT")).toString()).toBe("Salve!");
    await tree.disconnect();
    await tree.session.logOff();
    const again = await harness.logOn(alice, { negotiate });
    expect(again.connection.dialect).toBe(negotiate.dialects[0]);
    expect(harness.errors).toEqual([]);
  });
});
