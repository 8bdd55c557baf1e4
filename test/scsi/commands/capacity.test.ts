// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { decodeReadCapacity16, readCapacity16 } from "../../../src/scsi/commands/capacity.ts";
import { ProtocolError } from "../../../src/scsi/errors.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");
const rest = "00000000 00000000 00000000 00000000";

describe("READ CAPACITY(16)", () => {
  it("asks for 32 bytes", () => {
    expect(readCapacity16()).toEqual(hex("9e 10 0000000000000000 00000020 00 00"));
  });

  it("reads size, blocks and provisioning", () => {
    expect(decodeReadCapacity16(hex(`00000000000fffff 00000200 00 03 c0 07 ${rest}`))).toEqual({
      blocks: 1048576,
      blockSize: 512,
      physicalBlockSize: 4096,
      lowestAlignedLba: 7,
      provisioningManaged: true,
      readsZeros: true,
      protection: false,
    });
    expect(decodeReadCapacity16(hex(`00000000000fffff 00001000 01 00 00 00 ${rest}`))).toMatchObject({
      blockSize: 4096,
      physicalBlockSize: 4096,
      provisioningManaged: false,
      readsZeros: false,
      protection: true,
    });
  });

  it.each([
    ["a block size of 0", "00000000000fffff 00000000 0000 0000"],
    ["a block size of 520", "00000000000fffff 00000208 0000 0000"],
    ["more bytes than a number holds", "001fffffffffffff 00000200 0000 0000"],
    ["more blocks than a number holds", "ffffffffffffffff 00000200 0000 0000"],
    ["too few bytes", "00000000000fffff 00000200"],
  ])("refuses %s", (_name, data) => {
    expect(() => decodeReadCapacity16(hex(data))).toThrow(ProtocolError);
  });
});
