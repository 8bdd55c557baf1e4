// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  read16,
  synchronizeCache10,
  testUnitReady,
  unmapCdb,
  unmapParameters,
  write16,
  writeSame16,
} from "../../../src/scsi/commands/block.ts";
import { commandName } from "../../../src/scsi/commands/names.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

describe("block commands", () => {
  it("have 64-bit addresses", () => {
    expect(read16(0x1f_ffff_0000_0001, 0x12345678)).toEqual(hex("88 00 001fffff00000001 12345678 00 00"));
    expect(write16(2048, 8, false)).toEqual(hex("8a 00 0000000000000800 00000008 00 00"));
    expect(write16(2048, 8, true)).toEqual(hex("8a 08 0000000000000800 00000008 00 00"));
    expect(writeSame16(1, 65536, true)).toEqual(hex("93 08 0000000000000001 00010000 00 00"));
    expect(writeSame16(1, 65536, false)[1]).toBe(0);
  });

  it("UNMAP lists ranges", () => {
    expect(unmapCdb(2)).toEqual(hex("42 00 00000000 00 0028 00"));
    expect(
      unmapParameters([
        { lba: 16, blocks: 8 },
        { lba: 0x1_0000_0000, blocks: 0xffffffff },
      ]),
    ).toEqual(hex("0026 0020 00000000 0000000000000010 00000008 00000000 0000000100000000 ffffffff 00000000"));
  });

  it("go without parameters where they mean everything", () => {
    expect(synchronizeCache10()).toEqual(hex("35 00 00000000 00 0000 00"));
    expect(testUnitReady()).toEqual(hex("00 00 00 00 00 00"));
  });
});

describe("commandName", () => {
  it("tells service actions apart", () => {
    expect(commandName(hex("8311"))).toBe("WRITE USING TOKEN");
    expect(commandName(hex("8407"))).toBe("RECEIVE ROD TOKEN INFORMATION");
    expect(commandName(read16(0, 1))).toBe("READ(16)");
    expect(commandName(hex("c0"))).toBe("command c0h");
  });
});
