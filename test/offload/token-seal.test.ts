// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isZeroToken, TokenSealer, TokenType, zeroToken } from "../../src/offload/token-seal.ts";

describe("sealed tokens", () => {
  const key = Buffer.alloc(32, 7);
  const sealer = new TokenSealer(key, randomBytes);
  const facts = { tokenType: TokenType.POINT_IN_TIME, name: Buffer.alloc(16, 3), length: 2 ** 52 + 1 };

  it("tell their maker, and whoever has the key, what was put in", () => {
    const token = sealer.seal(facts);
    expect(token).toHaveLength(512);
    expect(sealer.open(token)).toEqual(facts);
    expect(new TokenSealer(key, randomBytes).open(token)).toEqual(facts);
    expect(new TokenSealer(Buffer.alloc(32, 8), randomBytes).open(token)).toBeUndefined();
  });

  it("are different each time, and hide what they hold", () => {
    const token = sealer.seal(facts);
    expect(token.equals(sealer.seal(facts))).toBe(false);
    expect(token.includes(facts.name)).toBe(false);
  });

  it("bear no altered bit anywhere in their 512 bytes", () => {
    const token = sealer.seal(facts);
    for (let bit = 0; bit < 512 * 8; bit++) {
      const altered = Buffer.from(token);
      altered.writeUInt8((altered[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3);
      expect(sealer.open(altered)).toBeUndefined();
    }
  });

  it("open to nothing, and throw nothing, for whatever bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => sealer.open(Buffer.from(bytes)) === undefined));
  });

  it("need a key of 32 bytes", () => {
    expect(() => new TokenSealer(Buffer.alloc(16), randomBytes)).toThrow(RangeError);
  });

  it("are told from the one for zeros, which begins with its type in network order", () => {
    expect(zeroToken().subarray(0, 8).toString("hex")).toBe("ffff000100000000");
    expect(isZeroToken(zeroToken())).toBe(true);
    expect(isZeroToken(sealer.seal(facts))).toBe(false);
    expect(sealer.open(zeroToken())).toBeUndefined();
  });
});
