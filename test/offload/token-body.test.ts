// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeTokenBody, encodeTokenBody, roomForLocator, type TokenBody } from "../../src/offload/token-body.ts";

const body: TokenBody = {
  name: Buffer.alloc(16, 0x11),
  issuer: Buffer.alloc(8, 0x22),
  scope: "user",
  user: "S-1-5-21-1-2-3-1000",
  offset: 4096,
  length: 1000,
  expires: 1_700_000_000_000,
  place: { kind: "issuer" },
};
const fixedHex = `${"11".repeat(16)}${"22".repeat(8)}000000000000100000000000000003e80000018bcfe568001c`;
const sidHex = "010500000000000515000000010000000200000003000000e8030000";
const volume = Buffer.alloc(16, 0x33);

describe("what a token says", () => {
  it("is written so, for data that only the issuer knows", () => {
    expect(encodeTokenBody(body).toString("hex")).toBe(`0000${fixedHex}${sidHex}`);
    expect(decodeTokenBody(encodeTokenBody(body))).toEqual(body);
  });

  it("is written so, for data that other servers find", () => {
    const published: TokenBody = { ...body, scope: "cluster", place: { kind: "published", volume } };
    expect(encodeTokenBody(published).toString("hex")).toBe(`0102${fixedHex}${sidHex}${"33".repeat(16)}`);
    expect(decodeTokenBody(encodeTokenBody(published))).toEqual(published);
    const locator = Buffer.from("where it lies");
    const unchanged: TokenBody = { ...body, scope: "server", user: "", place: { kind: "unchanged", volume, locator } };
    expect(decodeTokenBody(encodeTokenBody(unchanged))).toEqual(unchanged);
  });

  it("leaves the rest of its room to the locator", () => {
    const room = roomForLocator(471, body.user);
    const place = { kind: "unchanged", volume, locator: Buffer.alloc(room, 1) } as const;
    expect(encodeTokenBody({ ...body, place })).toHaveLength(471);
  });

  it("is refused where it is cut, or longer than it should be", () => {
    const bytes = encodeTokenBody(body);
    for (let length = 0; length < bytes.length; length++)
      expect(decodeTokenBody(bytes.subarray(0, length))).toBe(undefined);
    expect(decodeTokenBody(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
  });

  it("is read, or not, from whatever bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        const decoded = decodeTokenBody(Buffer.from(bytes));
        return decoded === undefined || encodeTokenBody(decoded).equals(bytes);
      }),
    );
  });
});
