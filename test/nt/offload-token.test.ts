// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeStorageOffloadToken,
  encodeStorageOffloadToken,
  TOKEN_TYPE_ZERO_DATA,
} from "../../src/nt/offload-token.ts";

describe("STORAGE_OFFLOAD_TOKEN", () => {
  const token = encodeStorageOffloadToken({ tokenType: 0x00800001, tokenId: Buffer.from("abc") });

  it("has type and length big-endian", () => {
    expect(token.toString("hex")).toBe(`0080000100000003616263${"00".repeat(501)}`);
    expect(decodeStorageOffloadToken(token)).toEqual({ tokenType: 0x00800001, tokenId: Buffer.from("abc") });
  });

  it("is taken with any length where it stands for zeros", () => {
    const zero = encodeStorageOffloadToken({ tokenType: TOKEN_TYPE_ZERO_DATA, tokenId: Buffer.alloc(0) });
    expect(zero.subarray(0, 8).toString("hex")).toBe("ffff000100000000");
    for (const length of [0, 504, 0xffff]) {
      zero.writeUInt16BE(length, 6);
      expect(decodeStorageOffloadToken(zero)?.tokenId).toHaveLength(0);
    }
  });

  it("is refused with the wrong lengths", () => {
    const wrong = Buffer.from(token);
    wrong.writeUInt16BE(505, 6);
    expect(decodeStorageOffloadToken(wrong)).toBeUndefined();
    expect(decodeStorageOffloadToken(token.subarray(1))).toBeUndefined();
    expect(() => encodeStorageOffloadToken({ tokenType: 1, tokenId: Buffer.alloc(505) })).toThrow(RangeError);
  });

  it("is decoded, or not, from whatever bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const decoded = decodeStorageOffloadToken(Buffer.from(bytes));
        return decoded === undefined || bytes.length === 512;
      }),
    );
  });
});
