// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as sparse from "../../../../src/smb2/wire/fscc/sparse.ts";
import { expectFixedLength, expectGolden, expectHostile, hex, written } from "./codec.ts";

const long = 0x0102030405060708n;
const longHex = "0807060504030201";

describe("sparse files", () => {
  it("sets sparse with no data at all", () => {
    expectGolden("01", true, sparse.encodeSetSparse, sparse.decodeSetSparse);
    expectGolden("00", false, sparse.encodeSetSparse, sparse.decodeSetSparse);
    expect(sparse.decodeSetSparse(new Reader(Buffer.alloc(0)))).toBe(true);
  });

  it("writes FILE_ZERO_DATA_INFORMATION", () => {
    expectGolden(
      `${longHex} ffffffffffffffff`,
      { fileOffset: long, beyondFinalZero: -1n },
      sparse.encodeSetZeroData,
      sparse.decodeSetZeroData,
    );
    expectFixedLength(16, sparse.decodeSetZeroData);
  });

  it("writes allocated ranges, as many as fit", () => {
    expectGolden(
      `${longHex} ffffffffffffffff`,
      { offset: long, length: -1n },
      sparse.encodeQueryAllocatedRangesInput,
      sparse.decodeQueryAllocatedRangesInput,
    );
    const ranges = [
      { offset: 0, length: 0x10000 },
      { offset: 0x1_0000_0000, length: 4096 },
    ];
    expectGolden(
      "0000000000000000 0000010000000000 0000000001000000 0010000000000000",
      ranges,
      sparse.encodeQueryAllocatedRangesOutput,
      sparse.decodeQueryAllocatedRangesOutput,
    );
    const writer = new Writer();
    expect(sparse.encodeQueryAllocatedRangesOutput(writer, ranges, 31)).toBe(false);
    expect(writer.position).toBe(16);
    expect(sparse.encodeQueryAllocatedRangesOutput(new Writer(), ranges, 32)).toBe(true);
  });

  it("writes FILE_LEVEL_TRIM", () => {
    expectGolden(
      `07000000 01000000 ${longHex} 0010000000000000`,
      { key: 7, ranges: [{ offset: long, length: 4096n }] },
      sparse.encodeFileLevelTrim,
      sparse.decodeFileLevelTrim,
    );
    expectGolden("02000000", 2, sparse.encodeFileLevelTrimOutput, sparse.decodeFileLevelTrimOutput);
    const many = hex("00000000 ffffffff 0000000000000000 0000000000000000");
    expect(() => sparse.decodeFileLevelTrim(new Reader(many))).toThrow(MalformedPacketError);
  });

  it("writes FSCTL_QUERY_FILE_REGIONS", () => {
    expectGolden(
      `${longHex} 0010000000000000 01000000 00000000`,
      { offset: long, length: 4096n, desiredUsage: sparse.FileRegionUsage.VALID_CACHED_DATA },
      sparse.encodeQueryFileRegionsInput,
      sparse.decodeQueryFileRegionsInput,
    );
    expect(sparse.decodeQueryFileRegionsInput(new Reader(Buffer.alloc(0)))).toBeUndefined();
    const regions = [
      { offset: 0, length: 5, usage: 1 },
      { offset: 5, length: 7, usage: 0 },
    ];
    const one = "0000000000000000 0500000000000000 01000000 00000000";
    const two = "0500000000000000 0700000000000000 00000000 00000000";
    const whole = hex(`00000000 02000000 02000000 00000000 ${one} ${two}`);
    expect(written((writer) => sparse.encodeQueryFileRegionsOutput(writer, regions)).toString("hex")).toBe(
      whole.toString("hex"),
    );
    expect(sparse.decodeQueryFileRegionsOutput(new Reader(whole))).toEqual({ totalRegionEntryCount: 2, regions });
    expectHostile(whole, (buffer) => sparse.decodeQueryFileRegionsOutput(new Reader(buffer)));
    const writer = new Writer();
    expect(sparse.encodeQueryFileRegionsOutput(writer, regions, 63)).toBe(false);
    expect(writer.view().toString("hex")).toBe(hex(`00000000 02000000 01000000 00000000 ${one}`).toString("hex"));
  });
});
