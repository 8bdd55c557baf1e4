// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Reader } from "../../../../src/smb2/wire/cursor.ts";
import * as rename from "../../../../src/smb2/wire/fscc/rename-info.ts";
import { expectFixedLength, expectGolden, hex, wide } from "./codec.ts";

describe("rename, link and disposition", () => {
  const info = { replaceIfExists: true, rootDirectory: 0n, fileName: "d\\ef" };

  it("writes FILE_RENAME_INFORMATION_TYPE_2", () => {
    const golden = `01 00000000000000 0000000000000000 08000000 ${wide("d\\ef")}`;
    expectGolden(golden, info, rename.encodeFileRenameInformation, rename.decodeFileRenameInformation);
    expectGolden(golden, info, rename.encodeFileLinkInformation, rename.decodeFileLinkInformation);
    expectFixedLength(20, rename.decodeFileRenameInformation);
  });

  it("pads a rename to 24 bytes, a link not", () => {
    const short = { replaceIfExists: false, rootDirectory: 1n, fileName: "x" };
    const golden = `00 00000000000000 0100000000000000 02000000 ${wide("x")}`;
    expectGolden(`${golden} 0000`, short, rename.encodeFileRenameInformation, rename.decodeFileRenameInformation);
    expectGolden(golden, short, rename.encodeFileLinkInformation, rename.decodeFileLinkInformation);
  });

  it("writes FILE_RENAME_INFORMATION_EX", () => {
    expectGolden(
      `43000000 00000000 0000000000000000 02000000 ${wide("x")} 0000`,
      { flags: 0x43, rootDirectory: 0n, fileName: "x" },
      rename.encodeFileRenameInformationEx,
      rename.decodeFileRenameInformationEx,
    );
  });

  it("ignores what lies in reserved bytes", () => {
    const bytes = hex(`01 ffffffffffffff 0000000000000000 02000000 ${wide("x")} ffff`);
    expect(rename.decodeFileRenameInformation(new Reader(bytes))).toEqual({ ...info, fileName: "x" });
  });

  it("writes FILE_DISPOSITION_INFORMATION", () => {
    expectGolden("01", true, rename.encodeFileDispositionInformation, rename.decodeFileDispositionInformation);
    expectGolden("00", false, rename.encodeFileDispositionInformation, rename.decodeFileDispositionInformation);
    expect(rename.decodeFileDispositionInformation(new Reader(hex("02")))).toBe(true);
    expectFixedLength(1, rename.decodeFileDispositionInformation);
  });

  it("writes FILE_DISPOSITION_INFORMATION_EX", () => {
    expectGolden(
      "13000000",
      rename.FileDispositionFlag.DELETE |
        rename.FileDispositionFlag.POSIX_SEMANTICS |
        rename.FileDispositionFlag.IGNORE_READONLY_ATTRIBUTE,
      rename.encodeFileDispositionInformationEx,
      rename.decodeFileDispositionInformationEx,
    );
    expectFixedLength(4, rename.decodeFileDispositionInformationEx);
  });
});
