// SPDX-License-Identifier: Apache-2.0

import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AesCmac } from "../../../src/smb2/crypto/aes-cmac.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");

/** RFC 4493 section 4. */
const key = hex("2b7e151628aed2a6abf7158809cf4f3c");
const message = hex(
  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
);
const examples = [
  [0, "bb1d6929e95937287fa37d129b756746"],
  [16, "070a16b46b4d4144f79bdd9dd04a287c"],
  [40, "dfa66747de9ae63030ca32611497c827"],
  [64, "51f0bebf7e3b9d92fc49741779363cfe"],
] as const;

describe("AesCmac", () => {
  it("gives the values of RFC 4493, one after the other under one key", () => {
    const cmac = new AesCmac(key);
    for (const [length, expected] of [...examples, ...examples]) {
      expect(cmac.compute([message.subarray(0, length)]).toString("hex")).toBe(expected);
    }
  });

  it("does not care how a message is cut, nor what came before it", () => {
    const used = new AesCmac(key);
    const source = Buffer.alloc(100_000, "tessera");
    const size = fc.oneof(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 16_300, max: 16_500 }), fc.nat(100_000));
    fc.assert(
      fc.property(size, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 }), (length, cuts) => {
        const whole = source.subarray(0, length);
        const at = [0, ...cuts.map((cut) => Math.floor(cut * length)).sort((a, b) => a - b), length];
        const pieces = at.slice(1).map((end, i) => whole.subarray(at[i], end));
        expect(used.compute(pieces).equals(reference(whole))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("does not change what it reads", () => {
    const copy = Buffer.from(message);
    new AesCmac(key).compute([copy]);
    expect(copy).toEqual(message);
  });
});

/** RFC 4493 figure 2.3, block by block. */
function reference(data: Buffer): Buffer {
  const ecb = (block: Buffer): Buffer => createCipheriv("aes-128-ecb", key, null).setAutoPadding(false).update(block);
  // Subkeys of RFC 4493 section 4.
  const k1 = hex("fbeed618357133667c85e08f7236a8de");
  const k2 = hex("f7ddac306ae266ccf90bc11ee46d513b");
  const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((value, i) => value ^ (b[i] ?? 0)));
  const count = Math.max(1, Math.ceil(data.length / 16));
  let state: Buffer = Buffer.alloc(16);
  for (let i = 0; i < count - 1; i++) state = ecb(xor(state, data.subarray(i * 16, i * 16 + 16)));
  const rest = data.subarray((count - 1) * 16);
  const last = rest.length === 16 ? xor(rest, k1) : xor(Buffer.concat([rest, hex("80"), Buffer.alloc(15)], 16), k2);
  return ecb(xor(state, last));
}
