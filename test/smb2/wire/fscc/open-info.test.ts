// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as open from "../../../../src/smb2/wire/fscc/open-info.ts";
import { expectFixedLength, expectGolden } from "./codec.ts";

describe("information about the open", () => {
  it.each([
    ["access", open.encodeFileAccessInformation, open.decodeFileAccessInformation],
    ["alignment", open.encodeFileAlignmentInformation, open.decodeFileAlignmentInformation],
    ["mode", open.encodeFileModeInformation, open.decodeFileModeInformation],
    ["EA size", open.encodeFileEaInformation, open.decodeFileEaInformation],
  ])("writes %s as 32 bits", (_, encode, decode) => {
    expectGolden("efbeadde", 0xdeadbeef, encode, decode);
    expectFixedLength(4, decode);
  });

  it("writes the file ID in 64 and in 128 bits", () => {
    expectGolden(
      "8877665544332211",
      0x1122334455667788n,
      open.encodeFileInternalInformation,
      open.decodeFileInternalInformation,
    );
    expectGolden(
      "efbeadde00000000 8877665544332211 0000000000000000",
      { volumeSerialNumber: 0xdeadbeefn, fileId: 0x1122334455667788n },
      open.encodeFileIdInformation,
      open.decodeFileIdInformation,
    );
    expectFixedLength(24, open.decodeFileIdInformation);
  });
});
