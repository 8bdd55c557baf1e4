// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { QueryDirectoryFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeQueryDirectoryRequest,
  decodeQueryDirectoryResponse,
  encodeQueryDirectoryRequest,
  encodeQueryDirectoryResponse,
} from "../../../src/smb2/wire/query-directory.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, withBody, withU16 } from "./golden.ts";

describe("QUERY_DIRECTORY", () => {
  it("asks with a pattern", () => {
    expectGolden(captured.queryDirectoryRequest, decodeQueryDirectoryRequest, encodeQueryDirectoryRequest, {
      fileInformationClass: 0x25,
      flags: 0,
      fileIndex: 0,
      fileId: { persistent: 0xea58f97en, volatile: 0x22de25fan },
      fileName: "*",
      outputBufferLength: 8388608,
    });
  });

  it("asks without a pattern", () => {
    expectGolden(
      withBody("2100 03 11 04030201 1112131415161718 2122232425262728 0000 0000 00000100 00"),
      decodeQueryDirectoryRequest,
      encodeQueryDirectoryRequest,
      {
        fileInformationClass: 3,
        flags: QueryDirectoryFlag.REOPEN | QueryDirectoryFlag.RESTART_SCANS,
        fileIndex: 0x01020304,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        fileName: "",
        outputBufferLength: 0x10000,
      },
    );
  });

  it.each([
    ["an odd length", withU16(captured.queryDirectoryRequest, 64 + 26, 1)],
    ["a pattern inside the fixed part", withU16(captured.queryDirectoryRequest, 64 + 24, 0x5e)],
    ["a pattern behind the end", withU16(captured.queryDirectoryRequest, 64 + 26, 4)],
  ])("is rejected with %s", (_name, message) => {
    expect(() => decodeQueryDirectoryRequest(bodyOf(message))).toThrow(MalformedPacketError);
  });

  it("answers with entries", () => {
    expectGolden(captured.queryDirectoryResponse, decodeQueryDirectoryResponse, encodeQueryDirectoryResponse, {
      output: hex("1000000000000000020000002e0000000000000000000000040000002e002e00"),
    });
  });
});
