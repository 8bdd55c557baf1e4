// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as integrity from "../../../../src/smb2/wire/fscc/integrity.ts";
import { expectFixedLength, expectGolden } from "./codec.ts";

describe("integrity", () => {
  it("writes integrity information", () => {
    expectGolden(
      "0200 0000 01000000 00100000 00000100",
      { checksumAlgorithm: integrity.ChecksumType.CRC64, flags: 1, checksumChunkSize: 4096, clusterSize: 65536 },
      integrity.encodeGetIntegrityInformation,
      integrity.decodeGetIntegrityInformation,
    );
    expectGolden(
      "ffff 0000 01000000",
      { checksumAlgorithm: integrity.ChecksumType.UNCHANGED, flags: 1 },
      integrity.encodeSetIntegrityInformation,
      integrity.decodeSetIntegrityInformation,
    );
    expectGolden(
      "01 00 0000 01000000 01 00000000000000",
      { enableIntegrity: true, keepIntegrityStateUnchanged: false, flags: 1, version: 1 },
      integrity.encodeSetIntegrityInformationEx,
      integrity.decodeSetIntegrityInformationEx,
    );
    expectFixedLength(16, integrity.decodeSetIntegrityInformationEx);
  });
});
