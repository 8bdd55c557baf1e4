// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Writer } from "../../../../src/smb2/wire/cursor.ts";
import {
  decodeFileNotifyInformation,
  encodeFileNotifyInformation,
  FileAction,
} from "../../../../src/smb2/wire/fscc/notify-info.ts";
import { expectHostile, hex, wide, written } from "./codec.ts";

const changes = [
  { action: FileAction.RENAMED_OLD_NAME, fileName: "a\\b" },
  { action: FileAction.RENAMED_NEW_NAME, fileName: "cd" },
];
const golden = hex(`14000000 04000000 06000000 ${wide("a\\b")} 0000 00000000 05000000 04000000 ${wide("cd")}`);

describe("FILE_NOTIFY_INFORMATION", () => {
  it("chains changes on 4-byte boundaries", () => {
    expect(written((writer) => encodeFileNotifyInformation(writer, changes)).toString("hex")).toBe(
      golden.toString("hex"),
    );
    expect(decodeFileNotifyInformation(golden)).toEqual(changes);
    expect(decodeFileNotifyInformation(Buffer.alloc(0))).toEqual([]);
    expectHostile(golden, decodeFileNotifyInformation);
  });

  it("writes all or nothing", () => {
    const writer = new Writer();
    expect(encodeFileNotifyInformation(writer, changes, golden.length - 1)).toBe(false);
    expect(writer.position).toBe(0);
    expect(encodeFileNotifyInformation(writer, changes, golden.length)).toBe(true);
  });

  it.each([6, 8, 36, 0xfffffffc])("refuses a NextEntryOffset of %i", (next) => {
    const bytes = Buffer.from(golden);
    bytes.writeUInt32LE(next, 0);
    expect(() => decodeFileNotifyInformation(bytes)).toThrow(MalformedPacketError);
  });
});
