// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { statusName } from "../../src/nt/status.ts";
import { ScsiError, ScsiStatus } from "../../src/scsi/errors.ts";
import { ntStatusOf } from "../../src/scsi/nt-status.ts";

const error = (key: number, asc: number, ascq = 0) =>
  new ScsiError("TEST", ScsiStatus.CHECK_CONDITION, { key, asc, ascq, information: undefined, deferred: false });

describe("ntStatusOf", () => {
  it.each([
    [5, 0x23, 0x00, "INVALID_TOKEN", "INVALID_TOKEN"],
    [5, 0x23, 0x0a, "INVALID_TOKEN", "INVALID_TOKEN"],
    [5, 0x08, 0x04, "DEVICE_UNREACHABLE", "DEVICE_UNREACHABLE"],
    [5, 0x20, 0x00, "DEVICE_FEATURE_NOT_SUPPORTED", "INVALID_DEVICE_REQUEST"],
    [5, 0x24, 0x00, "DEVICE_FEATURE_NOT_SUPPORTED", "IO_DEVICE_ERROR"],
    [5, 0x26, 0x08, "INVALID_PARAMETER", "IO_DEVICE_ERROR"],
    [5, 0x21, 0x00, "INVALID_PARAMETER", "IO_DEVICE_ERROR"],
    [5, 0x0d, 0x04, "INVALID_PARAMETER", "IO_DEVICE_ERROR"],
    [5, 0x1a, 0x00, "INVALID_PARAMETER", "IO_DEVICE_ERROR"],
    [0xb, 0x55, 0x03, "INSUFFICIENT_RESOURCES", "IO_DEVICE_ERROR"],
    [5, 0x55, 0x0d, "INSUFFICIENT_RESOURCES", "IO_DEVICE_ERROR"],
    [7, 0x27, 0x00, "MEDIA_WRITE_PROTECTED", "MEDIA_WRITE_PROTECTED"],
    [7, 0x27, 0x07, "DISK_FULL", "DISK_FULL"],
    [2, 0x04, 0x03, "DEVICE_NOT_READY", "DEVICE_NOT_READY"],
    [3, 0x11, 0x00, "DEVICE_DATA_ERROR", "DEVICE_DATA_ERROR"],
    [4, 0x44, 0x00, "IO_DEVICE_ERROR", "IO_DEVICE_ERROR"],
  ])("%i/%i/%i is %s of a copy, and %s otherwise", (key, asc, ascq, copy, other) => {
    expect(statusName(ntStatusOf(error(key, asc, ascq), true))).toBe(`STATUS_${copy}`);
    expect(statusName(ntStatusOf(error(key, asc, ascq), false))).toBe(`STATUS_${other}`);
  });

  it("knows statuses without sense data", () => {
    expect(statusName(ntStatusOf(new ScsiError("TEST", ScsiStatus.BUSY), false))).toBe("STATUS_DEVICE_BUSY");
    expect(statusName(ntStatusOf(new ScsiError("TEST", ScsiStatus.CHECK_CONDITION), true))).toBe(
      "STATUS_IO_DEVICE_ERROR",
    );
  });
});
