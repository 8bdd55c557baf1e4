// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSense, describeSense } from "../../src/scsi/sense.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

describe("decodeSense", () => {
  it("reads fixed format", () => {
    // ILLEGAL REQUEST, INVALID TOKEN OPERATION, token unknown
    expect(decodeSense(hex("70 00 05 00000000 0a 00000000 23 04 00 000000"))).toEqual({
      key: 5,
      asc: 0x23,
      ascq: 4,
      information: undefined,
      deferred: false,
    });
  });

  it("reads INFORMATION only where it is valid", () => {
    const sense = hex("f0 00 0a 000003e8 0a 00000000 0d 04 00 000000");
    expect(decodeSense(sense)?.information).toBe(1000n);
    sense[0] = 0x70;
    expect(decodeSense(sense)?.information).toBeUndefined();
  });

  it("reads descriptor format with its information descriptor", () => {
    const data = hex("72 0b 0d 04 000000 10 020200ff 000a8000 0000000100000002");
    expect(decodeSense(data)).toEqual({ key: 0xb, asc: 0x0d, ascq: 4, information: 0x1_0000_0002n, deferred: false });
    // VALID off.
    data[14] = 0;
    expect(decodeSense(data)?.information).toBeUndefined();
  });

  it("knows deferred errors of both formats", () => {
    expect(decodeSense(hex("71 00 04 00000000 0a 00000000 44 00"))?.deferred).toBe(true);
    expect(decodeSense(hex("73 04 44 00 00000000"))?.deferred).toBe(true);
  });

  it("knows no other formats", () => {
    expect(decodeSense(hex("7f 00 05"))).toBeUndefined();
    expect(decodeSense(Buffer.alloc(0))).toBeUndefined();
    expect(decodeSense(Buffer.alloc(18))).toBeUndefined();
  });

  it("takes any bytes of any length", () => {
    fc.assert(
      fc.property(fc.constantFrom(0x70, 0xf0, 0x71, 0x72, 0x73), fc.uint8Array({ maxLength: 80 }), (code, rest) => {
        const sense = decodeSense(Buffer.from([code, ...rest]));
        expect(sense).toBeDefined();
        expect(sense?.key).toBeLessThan(16);
      }),
    );
  });
});

describe("describeSense", () => {
  const sense = { information: undefined, deferred: false };

  it("names what administrators meet", () => {
    expect(describeSense({ ...sense, key: 5, asc: 0x23, ascq: 7 })).toBe(
      "ILLEGAL REQUEST 5/23h/07h, invalid token operation, token expired",
    );
  });

  it("names the code where it does not know the qualifier, and nothing where it knows neither", () => {
    expect(describeSense({ ...sense, key: 6, asc: 0x29, ascq: 0x7f })).toMatch(/^UNIT ATTENTION 6\/29h\/7fh, power on/);
    expect(describeSense({ ...sense, key: 3, asc: 0x99, ascq: 1 })).toBe("MEDIUM ERROR 3/99h/01h");
  });
});
