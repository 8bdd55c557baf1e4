// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader } from "../../../../src/smb2/wire/cursor.ts";
import * as size from "../../../../src/smb2/wire/fscc/size-info.ts";
import { expectFixedLength, expectGolden, hex } from "./codec.ts";

const standard = {
  allocationSize: 0x1_0000_1000,
  endOfFile: 0x1_0000_0005,
  numberOfLinks: 2,
  deletePending: true,
  directory: false,
};
const standardHex = "0010000001000000 0500000001000000 02000000 01 00 0000";

describe("sizes", () => {
  it("writes FileStandardInformation, 24 bytes", () => {
    expectGolden(standardHex, standard, size.encodeFileStandardInformation, size.decodeFileStandardInformation);
    expectFixedLength(24, size.decodeFileStandardInformation);
  });

  it("takes any nonzero byte for TRUE", () => {
    const bytes = hex("0000000000000000 0000000000000000 01000000 7f 80 0000");
    expect(size.decodeFileStandardInformation(new Reader(bytes))).toMatchObject({
      deletePending: true,
      directory: true,
    });
  });

  it("refuses a size that is no safe integer", () => {
    const bytes = hex("0000000000002000 0000000000000000 01000000 00 00 0000");
    expect(() => size.decodeFileStandardInformation(new Reader(bytes))).toThrow(MalformedPacketError);
  });

  it("writes FileCompressionInformation", () => {
    expectGolden(
      "3412000000000000 0200 10 0c 0b 000000",
      { compressedFileSize: 0x1234, compressionFormat: 2, compressionUnitShift: 16, chunkShift: 12, clusterShift: 11 },
      size.encodeFileCompressionInformation,
      size.decodeFileCompressionInformation,
    );
  });

  it.each([
    ["position", size.encodeFilePositionInformation, size.decodeFilePositionInformation],
    ["end of file", size.encodeFileEndOfFileInformation, size.decodeFileEndOfFileInformation],
    ["allocation", size.encodeFileAllocationInformation, size.decodeFileAllocationInformation],
    ["valid data length", size.encodeFileValidDataLengthInformation, size.decodeFileValidDataLengthInformation],
  ])("keeps the sign of a %s", (_, encode, decode) => {
    expectGolden("0807060504030201", 0x0102030405060708n, encode, decode);
    expectGolden("feffffffffffffff", -2n, encode, decode);
    expectFixedLength(8, decode);
  });
});
