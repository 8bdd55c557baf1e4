// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { toSafeLength } from "../../src/nt/length.ts";
import { NtStatus } from "../../src/nt/status.ts";

describe("toSafeLength", () => {
  it.each([0n, 1n, 2n ** 53n - 1n])("takes %s", (value) => {
    expect(BigInt(toSafeLength(value))).toBe(value);
  });

  it.each([-1n, 2n ** 53n, 2n ** 64n - 1n])("refuses %s", (value) => {
    expect(() => toSafeLength(value)).toThrow(expect.objectContaining({ status: NtStatus.INVALID_PARAMETER }));
  });
});
