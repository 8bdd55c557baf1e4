// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { nextSerial, serialDistance } from "../../../src/scsi/iscsi/serial.ts";

describe("serial numbers", () => {
  it("go round", () => {
    expect(nextSerial(0xffffffff)).toBe(0);
    expect(nextSerial(0x7fffffff)).toBe(0x80000000);
  });

  it("are ahead and behind across the end", () => {
    expect(serialDistance(1, 0xfffffffe)).toBe(3);
    expect(serialDistance(0xfffffffe, 1)).toBe(-3);
    expect(serialDistance(0x80000000, 0x7fffffff)).toBe(1);
    expect(serialDistance(5, 5)).toBe(0);
  });
});
