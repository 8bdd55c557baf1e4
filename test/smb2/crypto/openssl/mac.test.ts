// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AesCmac } from "../../../../src/smb2/crypto/aes-cmac.ts";
import { AesGmac } from "../../../../src/smb2/crypto/aes-gmac.ts";
import { HmacSha256 } from "../../../../src/smb2/crypto/hmac-sha256.ts";
import type { Gmac, Mac } from "../../../../src/smb2/crypto/mac.ts";
import { opensslCmac, opensslGmac, opensslHmacSha256 } from "../../../../src/smb2/crypto/openssl/mac.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");

function direct<T>(found: T | undefined): T {
  if (found === undefined) throw new Error("this Node does not show the functions of its OpenSSL");
  return found;
}

const NONCE = Buffer.alloc(12, 7);

/** GMAC with a nonce that stays: these keys sign nothing. */
const withNonce = (gmac: Gmac | undefined): Mac => {
  const { onWorker } = direct(gmac);
  return {
    compute: (pieces) => direct(gmac).compute(NONCE, pieces),
    ...(onWorker && {
      onWorker: { worthIt: onWorker.worthIt, compute: (pieces) => onWorker.compute(Buffer.from(NONCE), pieces) },
    }),
  };
};

const codes: readonly [string, (key: Buffer) => Mac, (key: Buffer) => Mac][] = [
  ["CMAC", (key) => direct(opensslCmac(key)), (key) => new AesCmac(key)],
  ["HMAC-SHA256", (key) => direct(opensslHmacSha256(key)), (key) => new HmacSha256(key)],
  ["GMAC", (key) => withNonce(opensslGmac(key)), (key) => withNonce(new AesGmac(key))],
];

describe.each(codes)("OpenSSL's %s", (_name, ours, theirs) => {
  it("is that of node:crypto, however the message is cut", () => {
    const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(70_000)), { maxLength: 5 });
    fc.assert(
      fc.property(lengths, fc.nat(255), (sizes, fill) => {
        const key = Buffer.alloc(16, fill);
        const pieces = sizes.map((size, index) => Buffer.alloc(size, `piece ${index}`));
        const code = Buffer.from(ours(key).compute(pieces).subarray(0, 16));
        expect(code.toString("hex")).toBe(theirs(key).compute(pieces).toString("hex", 0, 16));
      }),
      { numRuns: 100 },
    );
  });

  it("is the same on other threads, for several keys and messages at a time", async () => {
    const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(200_000)), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(lengths, fc.nat(3)), { maxLength: 8 }), async (messages) => {
        await Promise.all(
          messages.map(async ([sizes, fill]) => {
            const mac = ours(Buffer.alloc(16, fill));
            const pieces = sizes.map((size, index) => Buffer.alloc(size, `piece ${index}`));
            const expected = mac.compute(pieces).toString("hex", 0, 16);
            expect((await direct(mac.onWorker).compute(pieces)).toString("hex", 0, 16)).toBe(expected);
          }),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("keeps keys apart that are used in turn", () => {
    const [one, other] = [ours(Buffer.alloc(16, 1)), ours(Buffer.alloc(16, 2))];
    const message = [Buffer.from("message")];
    const first = one.compute(message).toString("hex");
    expect(other.compute(message).toString("hex")).not.toBe(first);
    expect(one.compute(message).toString("hex")).toBe(first);
  });

  it("does not change what it reads", () => {
    const message = Buffer.alloc(100_000, 5);
    ours(Buffer.alloc(16, 3)).compute([message]);
    expect(message.equals(Buffer.alloc(100_000, 5))).toBe(true);
  });
});

describe("opensslCmac", () => {
  it("gives the values of RFC 4493 section 4", () => {
    const cmac = direct(opensslCmac(hex("2b7e151628aed2a6abf7158809cf4f3c")));
    const message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411");
    expect(cmac.compute([]).toString("hex", 0, 16)).toBe("bb1d6929e95937287fa37d129b756746");
    expect(cmac.compute([message]).toString("hex", 0, 16)).toBe("dfa66747de9ae63030ca32611497c827");
  });
});

describe("opensslHmacSha256", () => {
  it("gives the value of RFC 4231 section 4.2, with a key of 20 bytes", () => {
    const hmac = direct(opensslHmacSha256(Buffer.alloc(20, 0x0b)));
    expect(hmac.compute([Buffer.from("Hi There")]).toString("hex")).toBe(
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    );
  });
});
