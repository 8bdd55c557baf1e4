// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { NtStatus } from "../../../../src/nt/status.ts";
import {
  FileInformationClass as F,
  FileSystemInformationClass as FS,
  queryFileRule,
  queryFileSystemRule,
  setFileMinimumLength,
  setFileSystemMinimumLength,
} from "../../../../src/smb2/wire/fscc/classes.ts";

const notSupported = expect.objectContaining({ status: NtStatus.NOT_SUPPORTED });
const invalidClass = expect.objectContaining({ status: NtStatus.INVALID_INFO_CLASS });

describe("information classes", () => {
  it("knows what a query needs", () => {
    expect(queryFileRule(F.FileBasicInformation)).toEqual({ minimumLength: 40, variable: false });
    expect(queryFileRule(F.FileAllInformation)).toEqual({ minimumLength: 104, variable: true });
    expect(queryFileSystemRule(FS.FileFsVolumeInformation)).toEqual({ minimumLength: 24, variable: true });
    expect(queryFileSystemRule(FS.FileFsSectorSizeInformation)).toEqual({ minimumLength: 28, variable: false });
  });

  it("knows what a set request must bring", () => {
    expect(setFileMinimumLength(F.FileRenameInformation)).toBe(24);
    expect(setFileMinimumLength(F.FileDispositionInformation)).toBe(1);
    expect(setFileSystemMinimumLength(FS.FileFsControlInformation)).toBe(48);
  });

  it.each([F.FileNameInformation, F.FileHardLinkInformation, F.FileStandardLinkInformation, F.FileObjectIdInformation])(
    "does not query class %i, which is for local use",
    (informationClass) => {
      expect(() => queryFileRule(informationClass)).toThrow(notSupported);
    },
  );

  it.each([F.FileDirectoryInformation, F.FileRenameInformation, F.FileEndOfFileInformation, 0, 55, 255])(
    "calls class %i invalid in a file query",
    (informationClass) => {
      expect(() => queryFileRule(informationClass)).toThrow(invalidClass);
    },
  );

  it("tells unsupported from invalid when setting", () => {
    expect(() => setFileMinimumLength(F.FileQuotaInformation)).toThrow(notSupported);
    expect(() => setFileMinimumLength(F.FileStandardInformation)).toThrow(invalidClass);
    expect(() => setFileMinimumLength(200)).toThrow(invalidClass);
  });

  it("tells unsupported from invalid for a file system", () => {
    expect(() => queryFileSystemRule(FS.FileFsLabelInformation)).toThrow(notSupported);
    expect(() => queryFileSystemRule(99)).toThrow(invalidClass);
    expect(() => setFileSystemMinimumLength(FS.FileFsLabelInformation)).toThrow(notSupported);
    expect(() => setFileSystemMinimumLength(FS.FileFsVolumeInformation)).toThrow(invalidClass);
    expect(() => setFileSystemMinimumLength(0)).toThrow(invalidClass);
  });
});
