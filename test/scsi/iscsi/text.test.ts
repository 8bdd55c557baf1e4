// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../../../src/scsi/errors.ts";
import {
  decodeText,
  encodeText,
  formatTextBinary,
  parseTextBinary,
  parseTextNumber,
  textValue,
} from "../../../src/scsi/iscsi/text.ts";

describe("text", () => {
  it("is key=value pairs that end with NUL", () => {
    const pairs = [
      ["InitiatorName", "iqn.2026-01.test:ä"],
      ["Empty", ""],
      ["X", "a=b"],
    ] as const;
    const data = encodeText(pairs);
    expect(data.toString()).toBe("InitiatorName=iqn.2026-01.test:ä\0Empty=\0X=a=b\0");
    expect(decodeText(data)).toEqual(pairs);
    // The last NUL may be missing, and padding may follow.
    expect(decodeText(data.subarray(0, -1))).toEqual(pairs);
    expect(decodeText(Buffer.concat([data, Buffer.alloc(3)]))).toEqual(pairs);
  });

  it("refuses what is none", () => {
    for (const bad of ["novalue\0", "=x\0", `${"k".repeat(64)}=x\0`, `k=${"v".repeat(8193)}\0`, "k=v\0".repeat(8193)]) {
      expect(() => decodeText(Buffer.from(bad))).toThrow(ProtocolError);
    }
  });

  it("takes any bytes, or says that they are wrong", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          decodeText(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });

  it("finds a key that may occur once", () => {
    expect(textValue([["a", "1"]], "a")).toBe("1");
    expect(textValue([["a", "1"]], "b")).toBeUndefined();
    const twice = ["1", "2"].map((value) => ["a", value] as const);
    expect(() => textValue(twice, "a")).toThrow(ProtocolError);
  });
});

describe("values", () => {
  it("are numbers, decimal or hexadecimal, within bounds", () => {
    expect(parseTextNumber("k", "0x1F", 0, 100)).toBe(31);
    expect(parseTextNumber("k", "100", 0, 100)).toBe(100);
    for (const bad of ["101", "-1", "", "1e3", "0x", "1 ", "9".repeat(30)]) {
      expect(() => parseTextNumber("k", bad, 0, 100)).toThrow(ProtocolError);
    }
  });

  it("are binary, in hexadecimal or base64", () => {
    expect(parseTextBinary("k", "0x0aff", 10)).toEqual(Buffer.from([0x0a, 0xff]));
    expect(parseTextBinary("k", "0Xaff", 10)).toEqual(Buffer.from([0x0a, 0xff]));
    expect(parseTextBinary("k", "0bCv8=", 10)).toEqual(Buffer.from([0x0a, 0xff]));
    expect(formatTextBinary(Buffer.from([1, 0xab]))).toBe("0x01ab");
    for (const bad of ["", "12", "0x", "0xzz", "0b", "0b***", `0x${"00".repeat(11)}`]) {
      expect(() => parseTextBinary("k", bad, 10)).toThrow(ProtocolError);
    }
  });
});
