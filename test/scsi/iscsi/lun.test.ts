// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { encodeLun, formatLun, parseLun } from "../../../src/scsi/iscsi/lun.ts";

describe("LUNs", () => {
  it.each([
    [0, 0n],
    [1, 0x0001_0000_0000_0000n],
    [255, 0x00ff_0000_0000_0000n],
    [256, 0x4100_0000_0000_0000n],
    [16383, 0x7fff_0000_0000_0000n],
  ])("%i is %s", (unit, lun) => {
    expect(encodeLun(unit)).toBe(lun);
    expect(formatLun(lun)).toBe(String(unit));
    expect(parseLun(String(unit))).toBe(lun);
  });

  it("of other kinds are hexadecimal", () => {
    const lun = 0x0101_0002_0000_0000n;
    expect(formatLun(lun)).toBe("0x0101000200000000");
    expect(parseLun("0x0101000200000000")).toBe(lun);
    expect(formatLun(0xc101_0000_0000_0000n)).toBe("0xc101000000000000");
  });

  it("are not made of anything else", () => {
    expect(() => encodeLun(16384)).toThrow(RangeError);
    for (const text of ["", "16384", "-1", "1.5", "0x1", "a"]) expect(parseLun(text)).toBeUndefined();
  });
});
