// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  decodeReportLuns,
  decodeTargetPortGroups,
  decodeWriteProtect,
  modeSense6,
  reportLuns,
  reportTargetPortGroups,
} from "../../../src/scsi/commands/report.ts";
import { ProtocolError } from "../../../src/scsi/errors.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

describe("REPORT LUNS", () => {
  it("lists 64-bit LUNs, as many as have come", () => {
    expect(reportLuns(16384)).toEqual(hex("a0 00 00 000000 00004000 00 00"));
    const data = hex("00000018 00000000 0000000000000000 0001000000000000 4100000000000000");
    expect(decodeReportLuns(data)).toEqual([0n, 0x0001_0000_0000_0000n, 0x4100_0000_0000_0000n]);
    expect(decodeReportLuns(data.subarray(0, 30))).toHaveLength(2);
    expect(() => decodeReportLuns(data.subarray(0, 7))).toThrow(ProtocolError);
  });
});

describe("REPORT TARGET PORT GROUPS", () => {
  it("tells the state of each group", () => {
    expect(reportTargetPortGroups(4096)).toEqual(hex("a3 0a 00 000000 00001000 00 00"));
    const data = hex("00000018 80 0f 0001 00 00 00 01 00000001 02 0f 0002 00 00 00 01 00000002");
    expect(decodeTargetPortGroups(data)).toEqual([
      { group: 1, state: 0, preferred: true },
      { group: 2, state: 2, preferred: false },
    ]);
    expect(decodeTargetPortGroups(data.subarray(0, 20))).toHaveLength(1);
  });
});

describe("MODE SENSE(6)", () => {
  it("tells whether the medium is write protected", () => {
    expect(modeSense6()).toEqual(hex("1a 00 3f 00 04 00"));
    expect(decodeWriteProtect(hex("43 00 90 00"))).toBe(true);
    expect(decodeWriteProtect(hex("43 00 10 00"))).toBe(false);
    expect(() => decodeWriteProtect(hex("43 00"))).toThrow(ProtocolError);
  });
});
