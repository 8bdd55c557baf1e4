// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readSecurityDescriptor } from "../../../src/nt/security-descriptor.ts";
import { parseNtAcl, serialiseNtAcl } from "../../../src/vfs/posix/samba-ntacl.ts";

/** O:BAG:BAD:(A;;FA;;;WD), self-relative; the value of every version below was made of it by Samba's own NDR library. */
const DESCRIPTOR =
  "0100048014000000240000000000000034000000010200000000000520000000200200000102000000000005200000002002000004001c00" +
  "0100000000001400ff010000010100000000000100000000";
const BODY =
  "010200000000000520000000200200000102000000000005200000002002000004001c000100000000001400ff010000010100000000000100000000";
const HASH = "07".repeat(64);
const values: [number, string][] = [
  [1, `010001000000020001000480 1c000000 2c000000 00000000 3c000000${BODY}`],
  [2, `02000200000002000400020007070707070707070707070707070707 01000480 30000000 40000000 00000000 50000000${BODY}`],
  [3, `0300030000000200040002000100${HASH}0000 01000480 64000000 74000000 00000000 84000000${BODY}`],
  [
    4,
    `0400040000000200040002000100${HASH}706f7369785f61636c00dd2822b6ab7add01${"00".repeat(64)}` +
      `01000480 b4000000 c4000000 00000000 d4000000${BODY}`,
  ],
];

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

describe("security.NTACL", () => {
  it.each(values)("is read in version %d", (_version, hex) => {
    expect(parseNtAcl(bytes(hex))?.toString("hex")).toBe(DESCRIPTOR);
  });

  it("is written in version 1", () => {
    expect(serialiseNtAcl(bytes(DESCRIPTOR)).toString("hex")).toBe(bytes(values[0]?.[1] ?? "").toString("hex"));
  });

  it("is read as smbd 4.17 writes it for a share that ignores the system's lists", () => {
    const descriptor = parseNtAcl(
      bytes(
        "0300030000000200040002000100000000000000000000000000000000000000000000000000000000000000000000000000000000000000" +
          "000000000000000000000000000000000000000000000000010004806400000080000000000000009c000000010500000000000515000000" +
          "8d1be65f9f7372b5b50c4812e80300000105000000000005150000008d1be65f9f7372b5b50c481201020000020030000200000001001400" +
          "0200000001010000000000050b00000000001400ff011f00010100000000000100000000",
      ),
    );
    const parsed = readSecurityDescriptor(descriptor ?? Buffer.alloc(0));
    expect(parsed.owner).toBe("S-1-5-21-1608915853-3044176799-306711733-1000");
    expect(parsed.group).toBe("S-1-5-21-1608915853-3044176799-306711733-513");
    expect(parsed.dacl?.aces).toMatchObject([
      { type: 1, mask: 2, sid: "S-1-5-11" },
      { type: 0, mask: 0x1f01ff, sid: "S-1-1-0" },
    ]);
  });

  it("is refused when it is cut or of another version", () => {
    for (const [, hex] of values) {
      const whole = bytes(hex);
      // Short of the descriptor's own header there is nothing to answer with.
      for (let length = 0; length < whole.length - 60; length++) {
        expect(parseNtAcl(whole.subarray(0, length))).toBeUndefined();
      }
      const other = Buffer.from(whole);
      other.writeUInt16LE(9, 0);
      expect(parseNtAcl(other)).toBeUndefined();
    }
  });

  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.constantFrom(...values), fc.nat(200), fc.integer({ min: 0, max: 255 }), ([, hex], at, value) => {
        const mutated = bytes(hex);
        mutated[at % mutated.length] = value;
        const descriptor = parseNtAcl(mutated);
        expect(descriptor === undefined || descriptor.length >= 20).toBe(true);
      }),
    );
  });
});
