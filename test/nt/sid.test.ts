// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSid, sidFromBuffer, sidLength, sidToBuffer, WellKnownSid } from "../../src/nt/sid.ts";
import { NtStatus } from "../../src/nt/status.ts";

const status = (value: number) => expect.objectContaining({ status: value });

describe("SID", () => {
  it.each([
    ["S-1-5-32-544", "01020000000000052000000020020000"],
    ["S-1-1-0", "010100000000000100000000"],
    ["S-1-3", "0100000000000003"],
    ["S-1-5-21-1-4294967295-3-513", "010500000000000515000000" + "01000000ffffffff0300000001020000"],
    ["S-1-0xffffffffffff-7", "0101ffffffffffff07000000"],
    ["S-1-4294967295-0", "01010000ffffffff00000000"],
  ])("%s ⇄ %s", (text, hex) => {
    expect(sidToBuffer(text).toString("hex")).toBe(hex);
    expect(sidFromBuffer(Buffer.from(hex, "hex"))).toBe(text);
  });

  it("reads at an offset and ignores what follows", () => {
    const bytes = Buffer.concat([Buffer.alloc(3), sidToBuffer("S-1-5-18"), Buffer.from("ff", "hex")]);
    expect(sidFromBuffer(bytes, 3)).toBe("S-1-5-18");
    expect(sidLength(bytes, 3)).toBe(12);
  });

  it.each([
    ["an empty buffer", ""],
    ["a short header", "01000000000000"],
    ["revision 2", "02010000000000050000000012"],
    ["16 sub-authorities", `0110000000000005${"00".repeat(64)}`],
    ["a missing sub-authority", "010200000000000520000000"],
  ])("refuses %s", (_name, hex) => {
    const bytes = Buffer.from(hex, "hex");
    expect(sidLength(bytes)).toBe(0);
    expect(() => sidFromBuffer(bytes)).toThrow(status(NtStatus.INVALID_SID));
  });

  it.each([
    "",
    "S-1",
    "S-2-5-18",
    "S-1-5-",
    "S-1-05-18",
    "S-1-5-018",
    "S-1-5-4294967296",
    "S-1-4294967296-1",
    " S-1-5-18",
    "S-1-5-18\n",
    `S-1-5${"-1".repeat(16)}`,
  ])("refuses the text %j", (text) => {
    expect(() => sidToBuffer(text)).toThrow(status(NtStatus.INVALID_SID));
    expect(isSid(text)).toBe(false);
  });

  it("knows the well-known ones", () => {
    for (const sid of Object.values(WellKnownSid)) expect(isSid(sid)).toBe(true);
  });

  it("survives both ways", () => {
    const subAuthorities = fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 15 });
    fc.assert(
      fc.property(fc.maxSafeNat(), subAuthorities, (seed, values) => {
        const bytes = Buffer.alloc(8 + 4 * values.length);
        bytes.writeUInt8(1, 0);
        bytes.writeUInt8(values.length, 1);
        bytes.writeUIntBE(seed % 2 ** 48, 2, 6);
        values.forEach((value, index) => {
          bytes.writeUInt32LE(value, 8 + 4 * index);
        });
        expect(sidToBuffer(sidFromBuffer(bytes))).toEqual(bytes);
      }),
    );
  });
});
