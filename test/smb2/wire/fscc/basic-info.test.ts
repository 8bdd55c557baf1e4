// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import * as basic from "../../../../src/smb2/wire/fscc/basic-info.ts";
import { expectFixedLength, expectGolden, written } from "./codec.ts";

const times = {
  creationTime: 0x01d0000000000001n,
  lastAccessTime: 0x01d0000000000002n,
  lastWriteTime: 0x01d0000000000003n,
  changeTime: 0x01d0000000000004n,
};
const timesHex = "010000000000d001 020000000000d001 030000000000d001 040000000000d001";

describe("basic information", () => {
  it("has 40 bytes", () => {
    const info = { ...times, attributes: 0x21 };
    expectGolden(
      `${timesHex} 21000000 00000000`,
      info,
      basic.encodeFileBasicInformation,
      basic.decodeFileBasicInformation,
    );
    expectFixedLength(40, basic.decodeFileBasicInformation);
  });

  it("sends NORMAL for no attributes in a reply, and 0 in a set request", () => {
    const info = { ...times, attributes: 0 };
    expect(written((writer) => basic.encodeFileBasicInformation(writer, info)).readUInt32LE(32)).toBe(0x80);
    expect(written((writer) => basic.encodeFileBasicChange(writer, info)).readUInt32LE(32)).toBe(0);
  });

  it("reads the special times of a set request", () => {
    const change = { creationTime: -1n, lastAccessTime: -2n, lastWriteTime: 0n, changeTime: -3n, attributes: 0 };
    expectGolden(
      "ffffffffffffffff feffffffffffffff 0000000000000000 fdffffffffffffff 00000000 00000000",
      change,
      basic.encodeFileBasicChange,
      basic.decodeFileBasicInformation,
    );
  });

  it("writes FileNetworkOpenInformation, 56 bytes, allocation before end of file", () => {
    expectGolden(
      `${timesHex} 0010000001000000 0500000001000000 20000000 00000000`,
      { ...times, allocationSize: 0x1_0000_1000, endOfFile: 0x1_0000_0005, attributes: 0x20 },
      basic.encodeFileNetworkOpenInformation,
      basic.decodeFileNetworkOpenInformation,
    );
    expectFixedLength(56, basic.decodeFileNetworkOpenInformation);
  });

  it("writes FileAttributeTagInformation", () => {
    expectGolden(
      "00040000 0c0000a0",
      { attributes: 0x400, reparseTag: 0xa000000c },
      basic.encodeFileAttributeTagInformation,
      basic.decodeFileAttributeTagInformation,
    );
  });
});
