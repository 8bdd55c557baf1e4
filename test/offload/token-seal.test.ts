// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isZeroToken, MAXIMUM_BODY_LENGTH, TokenSealer, TokenType, zeroToken } from "../../src/offload/token-seal.ts";

describe("sealed tokens", () => {
  const key = Buffer.alloc(32, 7);
  const sealer = new TokenSealer([key], randomBytes);
  const facts = { tokenType: TokenType.POINT_IN_TIME, body: Buffer.from("what a token says") };

  it("tell their maker, and whoever has the key, what was put in", () => {
    const token = sealer.seal(facts);
    expect(token).toHaveLength(512);
    expect(sealer.open(token)).toEqual(facts);
    expect(new TokenSealer([key], randomBytes).open(token)).toEqual(facts);
    expect(new TokenSealer([Buffer.alloc(32, 8)], randomBytes).open(token)).toBe("unknown key");
  });

  it("are sealed with the first key, and opened with all", () => {
    const next = Buffer.alloc(32, 8);
    const rotated = new TokenSealer([next, key], randomBytes);
    expect(rotated.open(sealer.seal(facts))).toEqual(facts);
    expect(sealer.open(rotated.seal(facts))).toBe("unknown key");
    expect(new TokenSealer([next], randomBytes).open(rotated.seal(facts))).toEqual(facts);
  });

  it("are good for one process where no key is given", () => {
    const own = new TokenSealer([], randomBytes);
    expect(own.open(own.seal(facts))).toEqual(facts);
    expect(new TokenSealer([], randomBytes).open(own.seal(facts))).toBe("unknown key");
  });

  it("are different each time, and hide what they hold", () => {
    const token = sealer.seal(facts);
    expect(token.equals(sealer.seal(facts))).toBe(false);
    expect(token.includes(facts.body)).toBe(false);
  });

  it("bear no altered bit anywhere in their 512 bytes", () => {
    const token = sealer.seal(facts);
    const answers = new Set<unknown>();
    for (let bit = 0; bit < 512 * 8; bit++) {
      const altered = Buffer.from(token);
      altered.writeUInt8((altered[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3);
      answers.add(sealer.open(altered));
    }
    expect(answers).toEqual(new Set(["altered", "malformed", "unknown key"]));
  });

  it("open to nothing, and throw nothing, for whatever bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => typeof sealer.open(Buffer.from(bytes)) === "string"),
    );
  });

  it("fill the token at most", () => {
    const body = Buffer.alloc(MAXIMUM_BODY_LENGTH, 5);
    expect(sealer.open(sealer.seal({ ...facts, body }))).toEqual({ ...facts, body });
    expect(() => sealer.seal({ ...facts, body: Buffer.alloc(MAXIMUM_BODY_LENGTH + 1) })).toThrow(RangeError);
  });

  it("need keys of 32 bytes", () => {
    expect(() => new TokenSealer([Buffer.alloc(16)], randomBytes)).toThrow(RangeError);
  });

  it("are told from the one for zeros, which begins with its type in network order", () => {
    expect(zeroToken().subarray(0, 8).toString("hex")).toBe("ffff000100000000");
    expect(isZeroToken(zeroToken())).toBe(true);
    expect(isZeroToken(sealer.seal(facts))).toBe(false);
    expect(sealer.open(zeroToken())).toBe("malformed");
  });
});
