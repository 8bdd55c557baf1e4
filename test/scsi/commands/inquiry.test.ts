// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeBlockLimits,
  decodeDeviceIdentification,
  decodeProvisioning,
  decodeSerialNumber,
  decodeStandardInquiry,
  decodeSupportedPages,
  inquiry,
  noBlockLimits,
} from "../../../src/scsi/commands/inquiry.ts";
import { ProtocolError } from "../../../src/scsi/errors.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

describe("INQUIRY", () => {
  it("asks for standard data, or for a page", () => {
    expect(inquiry(96)).toEqual(hex("12 00 00 0060 00"));
    expect(inquiry(4096, 0x8f)).toEqual(hex("12 01 8f 1000 00"));
  });

  it("reads standard data", () => {
    const data = Buffer.concat([hex("00 00 06 12 5b 18 00 02"), Buffer.from("TESSERA Simulated array 0001")]);
    expect(decodeStandardInquiry(data)).toEqual({
      peripheralQualifier: 0,
      deviceType: 0,
      removable: false,
      thirdPartyCopy: true,
      targetPortGroupSupport: 1,
      vendor: "TESSERA",
      product: "Simulated array",
      revision: "0001",
    });
    data[0] = 0x7f;
    expect(decodeStandardInquiry(data)).toMatchObject({ peripheralQualifier: 3, deviceType: 31 });
    expect(() => decodeStandardInquiry(data.subarray(0, 35))).toThrow(ProtocolError);
  });

  it("shows no control characters of a unit to a terminal", () => {
    const data = Buffer.alloc(36, 0x1b);
    expect(decodeStandardInquiry(data)).toMatchObject({ vendor: "", product: "", revision: "" });
  });
});

describe("VPD pages", () => {
  it("00h lists pages", () => {
    expect(decodeSupportedPages(hex("00 00 0003 00 80 83"))).toEqual(new Set([0x00, 0x80, 0x83]));
    expect(() => decodeSupportedPages(hex("00 83 0001 00"))).toThrow(ProtocolError);
  });

  it("80h is text", () => {
    expect(decodeSerialNumber(hex("00 80 0008 2020626561663131"))).toBe("beaf11");
  });

  it("83h lists designators", () => {
    const page = hex("00 83 0020 01 03 00 08 6000000000000001 01 15 00 04 00000002 02 01 00 04 49455420 00");
    expect(decodeDeviceIdentification(page)).toEqual([
      { type: 3, association: 0, codeSet: 1, identifier: hex("6000000000000001") },
      { type: 5, association: 1, codeSet: 1, identifier: hex("00000002") },
      { type: 1, association: 0, codeSet: 2, identifier: Buffer.from("IET ") },
    ]);
  });

  it("B0h reports limits, in its long and in its short form", () => {
    const page = hex(
      "00 b0 003c 00 00 0008 00010000 00000800 00000000 00100000 00000100 00000008 80000004 0000000000200000",
    );
    expect(decodeBlockLimits(Buffer.concat([page, Buffer.alloc(20)]))).toEqual({
      maximumTransfer: 0x10000,
      optimalTransfer: 0x800,
      optimalGranularity: 8,
      maximumWriteSame: 0x200000,
      maximumUnmap: 0x100000,
      maximumUnmapRanges: 0x100,
      unmapGranularity: 8,
      unmapAlignment: 4,
    });
    expect(decodeBlockLimits(hex("00 b0 000c 00 00 0000 00000040 00000000"))).toEqual({
      ...noBlockLimits,
      maximumTransfer: 0x40,
    });
  });

  it("takes an alignment only where it is said to be one", () => {
    const page = Buffer.concat([hex("00 b0 003c"), Buffer.alloc(60)]);
    page.writeUInt32BE(4, 32);
    expect(decodeBlockLimits(page).unmapAlignment).toBe(0);
  });

  it("B2h tells of provisioning", () => {
    expect(decodeProvisioning(hex("00 b2 0004 00 e4 02 00"))).toEqual({
      kind: "thin",
      unmap: true,
      writeSameUnmap: true,
      readsZeros: true,
    });
    expect(decodeProvisioning(hex("00 b2 0004 00 08 01 00"))).toEqual({
      kind: "resource",
      unmap: false,
      writeSameUnmap: false,
      readsZeros: false,
    });
  });

  it("take any bytes, or say that they are wrong", () => {
    const decoders = [
      decodeSupportedPages,
      decodeSerialNumber,
      decodeDeviceIdentification,
      decodeBlockLimits,
      decodeProvisioning,
    ];
    const codes = [0x00, 0x80, 0x83, 0xb0, 0xb2];
    fc.assert(
      fc.property(fc.nat(4), fc.uint8Array({ maxLength: 100 }), (which, bytes) => {
        const data = Buffer.from(bytes);
        if (data.length > 1) data[1] = codes[which] ?? 0;
        try {
          decoders[which]?.(data);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});
