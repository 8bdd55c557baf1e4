// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NtStatus, SmbError } from "../../../src/nt/status.ts";
import { check, Errno, errnoError, errnoOf } from "../../../src/vfs/posix/errno.ts";

describe("errno", () => {
  it.each([
    [Errno.ENOSPC, NtStatus.DISK_FULL],
    [Errno.EDQUOT, NtStatus.DISK_FULL],
    [Errno.EFBIG, NtStatus.INVALID_PARAMETER],
    [Errno.EROFS, NtStatus.MEDIA_WRITE_PROTECTED],
    [Errno.EMFILE, NtStatus.TOO_MANY_OPENED_FILES],
    [Errno.ENFILE, NtStatus.TOO_MANY_OPENED_FILES],
    [Errno.EIO, NtStatus.IO_DEVICE_ERROR],
    [Errno.ENOTEMPTY, NtStatus.DIRECTORY_NOT_EMPTY],
    [Errno.EACCES, NtStatus.ACCESS_DENIED],
    [Errno.EPERM, NtStatus.ACCESS_DENIED],
    [Errno.EXDEV, NtStatus.NOT_SAME_DEVICE],
    [Errno.ENAMETOOLONG, NtStatus.OBJECT_NAME_INVALID],
    [Errno.EMLINK, NtStatus.TOO_MANY_LINKS],
    [9999, NtStatus.UNEXPECTED_IO_ERROR],
  ])("%d has its NTSTATUS", (errno, status) => {
    expect(errnoError(errno, "call").status).toBe(status);
  });

  it("passes results on and throws failures", () => {
    expect(check(0, "call")).toBe(0);
    expect(check(7, "call")).toBe(7);
    expect(() => check(-Errno.EIO, "call")).toThrow(SmbError);
  });

  it("is found in exceptions of node:fs", () => {
    let caught: unknown;
    try {
      readFileSync("/nonexistent/file");
    } catch (error) {
      caught = error;
    }
    expect(errnoOf(caught)).toBe(Errno.ENOENT);
    expect(errnoOf(new Error("other"))).toBeUndefined();
  });
});
