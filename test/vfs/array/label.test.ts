// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { decodeLabel, encodeLabel, LABEL_LENGTH } from "../../../src/vfs/array/label.ts";

const label = {
  lun: 1,
  luns: 3,
  allocationUnit: 65_536,
  volumeId: Buffer.from("00112233445566778899aabbccddeeff", "hex"),
};

describe("LUN label", () => {
  it("has the layout that is documented", () => {
    const bytes = encodeLabel(label);
    expect(bytes).toHaveLength(LABEL_LENGTH);
    expect(bytes.subarray(0, 64).toString("hex")).toBe(
      "54455353455241204152524159204c554e000000000000000000000000000000" +
        "0000000100000001000000030001000000112233445566778899aabbccddeeff",
    );
    expect(bytes.subarray(64, LABEL_LENGTH - 4).every((byte) => byte === 0)).toBe(true);
    expect(decodeLabel(bytes)).toEqual(label);
  });

  it("is none where a bit is wrong, or something is missing", () => {
    for (const at of [0, 20, 36, 50, 4000, LABEL_LENGTH - 1]) {
      const bytes = encodeLabel(label);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(decodeLabel(bytes)).toBeUndefined();
    }
    expect(decodeLabel(encodeLabel(label).subarray(0, 512))).toBeUndefined();
    expect(decodeLabel(Buffer.alloc(LABEL_LENGTH))).toBeUndefined();
  });
});
