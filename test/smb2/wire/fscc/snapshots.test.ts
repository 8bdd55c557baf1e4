// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Reader } from "../../../../src/smb2/wire/cursor.ts";
import * as snapshots from "../../../../src/smb2/wire/fscc/snapshots.ts";
import { expectHostile, hex, wide, written } from "./codec.ts";

describe("SRV_SNAPSHOT_ARRAY", () => {
  const tokens = ["@GMT-2026.01.02-03.04.05", "@GMT-2026.01.03-03.04.05"];

  it("ends each token with a NUL, and the array with one more", () => {
    const bytes = hex(`02000000 02000000 66000000 ${wide(`${tokens.join("\0")}\0\0`)}`);
    expect(written((writer) => snapshots.encodeSrvSnapshotArray(writer, tokens, bytes.length)).toString("hex")).toBe(
      bytes.toString("hex"),
    );
    expect(snapshots.decodeSrvSnapshotArray(new Reader(bytes))).toEqual({
      numberOfSnapShots: 2,
      snapShotArraySize: 0x66,
      snapShots: tokens,
    });
    expectHostile(bytes, (buffer) => snapshots.decodeSrvSnapshotArray(new Reader(buffer)));
  });

  it("tells the size where they do not fit, or where there is none", () => {
    const none = (list: string[], room: number) =>
      written((writer) => snapshots.encodeSrvSnapshotArray(writer, list, room)).toString("hex");
    expect(none(tokens, 113)).toBe(hex("02000000 00000000 66000000 0000").toString("hex"));
    expect(none([], 16)).toBe(hex("00000000 00000000 02000000 0000").toString("hex"));
  });
});
