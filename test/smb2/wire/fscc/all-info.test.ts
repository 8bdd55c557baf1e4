// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Writer } from "../../../../src/smb2/wire/cursor.ts";
import {
  decodeFileAllInformation,
  encodeFileAllInformation,
  type FileAllInformation,
} from "../../../../src/smb2/wire/fscc/all-info.ts";
import { expectFixedLength, expectGolden, hex, wide } from "./codec.ts";

const times = {
  creationTime: 0x01d0000000000001n,
  lastAccessTime: 0x01d0000000000002n,
  lastWriteTime: 0x01d0000000000003n,
  changeTime: 0x01d0000000000004n,
};
const timesHex = "010000000000d001 020000000000d001 030000000000d001 040000000000d001";
const standard = {
  allocationSize: 0x1_0000_1000,
  endOfFile: 0x1_0000_0005,
  numberOfLinks: 2,
  deletePending: true,
  directory: false,
};
const standardHex = "0010000001000000 0500000001000000 02000000 01 00 0000";

describe("FileAllInformation", () => {
  const info: FileAllInformation = {
    basic: { ...times, attributes: 0x20 },
    standard,
    fileId: 0x1122334455667788n,
    eaSize: 12,
    accessFlags: 0x001f01ff,
    currentByteOffset: 0n,
    mode: 0x20,
    alignmentRequirement: 0,
    name: "\\ab",
  };
  const golden = `${timesHex} 20000000 00000000 ${standardHex} 8877665544332211 0c000000 ff011f00 0000000000000000
    20000000 00000000 06000000 ${wide("\\ab")}`;

  it("concatenates its parts", () => {
    expectGolden(golden, info, encodeFileAllInformation, decodeFileAllInformation);
    expectFixedLength(100, decodeFileAllInformation);
  });

  it("cuts the name, never the fixed part", () => {
    const writer = new Writer();
    expect(encodeFileAllInformation(writer, info, 104)).toBe(false);
    expect(writer.view().toString("hex")).toBe(hex(golden).subarray(0, 104).toString("hex"));
    expect(encodeFileAllInformation(new Writer(), info, 106)).toBe(true);
  });
});
