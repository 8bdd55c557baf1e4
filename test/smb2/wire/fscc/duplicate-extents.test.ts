// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as extents from "../../../../src/smb2/wire/fscc/duplicate-extents.ts";
import { expectFixedLength, expectGolden } from "./codec.ts";

const long = 0x0102030405060708n;
const longHex = "0807060504030201";

describe("block clone", () => {
  const data = {
    sourceFileId: { persistent: 1n, volatile: 2n },
    sourceFileOffset: long,
    targetFileOffset: -1n,
    byteCount: 4096n,
  };
  const dataHex = `0100000000000000 0200000000000000 ${longHex} ffffffffffffffff 0010000000000000`;

  it("writes SMB2_DUPLICATE_EXTENTS_DATA, 40 bytes", () => {
    expectGolden(dataHex, data, extents.encodeDuplicateExtentsData, extents.decodeDuplicateExtentsData);
    expectFixedLength(extents.DUPLICATE_EXTENTS_DATA_LENGTH, extents.decodeDuplicateExtentsData);
  });

  it("writes SMB2_DUPLICATE_EXTENTS_DATA_EX, 56 bytes that call themselves 48", () => {
    expectGolden(
      `3000000000000000 ${dataHex} 01000000 00000000`,
      { structureSize: 0x30n, ...data, flags: extents.DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC },
      extents.encodeDuplicateExtentsDataEx,
      extents.decodeDuplicateExtentsDataEx,
    );
    expectFixedLength(extents.DUPLICATE_EXTENTS_DATA_EX_LENGTH, extents.decodeDuplicateExtentsDataEx);
  });
});
