// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  decodeDataIn,
  decodeR2t,
  decodeScsiResponse,
  encodeDataOut,
  encodeScsiCommand,
} from "../../../src/scsi/iscsi/scsi-pdus.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

describe("SCSI Command", () => {
  const fields = {
    initiatorTaskTag: 0x11121314,
    lun: 0x4101_0000_0000_0000n,
    read: false,
    write: true,
    final: true,
    expectedDataTransferLength: 0x228,
    dataSegmentLength: 0x228,
    cmdSn: 0x21222324,
    expStatSn: 0x31323334,
  };

  it("carries a CDB of 16 bytes", () => {
    const cdb = hex("83 11 00 00 00 00 00 00 00 08 00 00 02 28 00 00");
    expect(encodeScsiCommand({ ...fields, cdb })).toEqual(
      hex(`01 a1 0000 00 000228 4101000000000000 11121314 00000228 21222324 31323334 ${cdb.toString("hex")}`),
    );
  });

  it("fills a shorter CDB up with zeros", () => {
    const bhs = encodeScsiCommand({ ...fields, cdb: hex("12 01 83 10 00 00"), read: true, write: false, final: true });
    expect(bhs[1]).toBe(0xc1);
    expect(bhs.subarray(32)).toEqual(hex("120183100000 00000000000000000000"));
  });
});

describe("SCSI Data-Out", () => {
  const fields = {
    initiatorTaskTag: 5,
    lun: 1n << 48n,
    final: true,
    dataSn: 2,
    bufferOffset: 0x2000,
    dataSegmentLength: 0x1000,
    expStatSn: 9,
  };

  it("has LUN and tag where it was asked for, and neither where it was not", () => {
    expect(encodeDataOut({ ...fields, targetTransferTag: 7 })).toEqual(
      hex(
        "05 80 0000 00 001000 0001000000000000 00000005 00000007 00000000 00000009 00000000 00000002 00002000 00000000",
      ),
    );
    expect(encodeDataOut({ ...fields, final: false, targetTransferTag: 0xffffffff })).toEqual(
      hex(
        "05 00 0000 00 001000 0000000000000000 00000005 ffffffff 00000000 00000009 00000000 00000002 00002000 00000000",
      ),
    );
  });
});

describe("from the target", () => {
  it("a SCSI Response has status and residual", () => {
    const bhs = hex(
      "21 82 00 02 00 000012 0000000000000000 00000005 00000000 00000009 0000000a 0000002a 00000000 00000000 00000064",
    );
    expect(decodeScsiResponse(bhs)).toEqual({ initiatorTaskTag: 5, response: 0, status: 2, residual: 100 });
    bhs[1] = 0x84;
    expect(decodeScsiResponse(bhs).residual).toBe(-100);
    bhs[1] = 0x80;
    expect(decodeScsiResponse(bhs).residual).toBe(0);
  });

  it("Data-In may have the status", () => {
    const bhs = hex(
      "25 83 00 08 00 000200 0000000000000000 00000005 ffffffff 00000009 0000000a 0000002a 00000003 00000600 00000010",
    );
    const expected = { initiatorTaskTag: 5, hasStatus: true, status: 8, dataSn: 3, bufferOffset: 0x600, residual: 16 };
    expect(decodeDataIn(bhs)).toEqual(expected);
    // Without the S bit the fields mean nothing.
    bhs[1] = 0x82;
    expect(decodeDataIn(bhs)).toEqual({ ...expected, hasStatus: false, status: 0, residual: 0 });
  });

  it("an R2T asks for a range", () => {
    const bhs = hex(
      "31 80 0000 00 000000 0001000000000000 00000005 00000077 00000009 0000000a 0000002a 00000001 00010000 00008000",
    );
    expect(decodeR2t(bhs)).toEqual({
      initiatorTaskTag: 5,
      targetTransferTag: 0x77,
      lun: 1n << 48n,
      r2tSn: 1,
      bufferOffset: 0x10000,
      desiredDataTransferLength: 0x8000,
    });
  });
});
