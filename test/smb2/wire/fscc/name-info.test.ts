// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import { decodeFileNameInformation, encodeFileNameInformation } from "../../../../src/smb2/wire/fscc/name-info.ts";
import { expectGolden, hex, wide, written } from "./codec.ts";

describe("names", () => {
  it("writes FILE_NAME_INFORMATION", () => {
    expectGolden(
      `06000000 ${wide("a\u00e9\u4e00")}`,
      "a\u00e9\u4e00",
      (writer, name) => {
        encodeFileNameInformation(writer, name);
      },
      decodeFileNameInformation,
    );
  });

  it.each([
    [10, true, "abc"],
    [9, false, "ab"],
    [8, false, "ab"],
    [7, false, "a"],
    [4, false, ""],
    [0, false, ""],
  ])("fits a name of 6 bytes into %i bytes of room: %s", (room, complete, kept) => {
    const writer = new Writer();
    expect(encodeFileNameInformation(writer, "abc", room)).toBe(complete);
    expect(writer.view().toString("hex")).toBe(`06000000${wide(kept)}`);
  });

  it("keeps unpaired surrogates", () => {
    const bytes = written((writer) => encodeFileNameInformation(writer, "\ud800a"));
    expect(decodeFileNameInformation(new Reader(bytes))).toBe("\ud800a");
  });

  it.each(["03000000 61006200", "06000000 61006200"])("refuses a length of %s", (bytes) => {
    expect(() => decodeFileNameInformation(new Reader(hex(bytes)))).toThrow(MalformedPacketError);
  });
});
