// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";

/** File information classes (MS-FSCC 2.4). */
export const FileInformationClass = {
  FileDirectoryInformation: 1,
  FileFullDirectoryInformation: 2,
  FileBothDirectoryInformation: 3,
  FileBasicInformation: 4,
  FileStandardInformation: 5,
  FileInternalInformation: 6,
  FileEaInformation: 7,
  FileAccessInformation: 8,
  FileNameInformation: 9,
  FileRenameInformation: 10,
  FileLinkInformation: 11,
  FileNamesInformation: 12,
  FileDispositionInformation: 13,
  FilePositionInformation: 14,
  FileFullEaInformation: 15,
  FileModeInformation: 16,
  FileAlignmentInformation: 17,
  FileAllInformation: 18,
  FileAllocationInformation: 19,
  FileEndOfFileInformation: 20,
  FileAlternateNameInformation: 21,
  FileStreamInformation: 22,
  FilePipeInformation: 23,
  FilePipeLocalInformation: 24,
  FilePipeRemoteInformation: 25,
  FileMailslotQueryInformation: 26,
  FileMailslotSetInformation: 27,
  FileCompressionInformation: 28,
  FileObjectIdInformation: 29,
  FileMoveClusterInformation: 31,
  FileQuotaInformation: 32,
  FileReparsePointInformation: 33,
  FileNetworkOpenInformation: 34,
  FileAttributeTagInformation: 35,
  FileTrackingInformation: 36,
  FileIdBothDirectoryInformation: 37,
  FileIdFullDirectoryInformation: 38,
  FileValidDataLengthInformation: 39,
  FileShortNameInformation: 40,
  FileSfioReserveInformation: 44,
  FileSfioVolumeInformation: 45,
  FileHardLinkInformation: 46,
  FileNormalizedNameInformation: 48,
  FileIdGlobalTxDirectoryInformation: 50,
  FileStandardLinkInformation: 54,
  FileIdInformation: 59,
  FileIdExtdDirectoryInformation: 60,
  FileDispositionInformationEx: 64,
  FileRenameInformationEx: 65,
  FileId64ExtdDirectoryInformation: 78,
  FileId64ExtdBothDirectoryInformation: 79,
  FileIdAllExtdDirectoryInformation: 80,
  FileIdAllExtdBothDirectoryInformation: 81,
} as const;

/** File system information classes (MS-FSCC 2.5). */
export const FileSystemInformationClass = {
  FileFsVolumeInformation: 1,
  FileFsLabelInformation: 2,
  FileFsSizeInformation: 3,
  FileFsDeviceInformation: 4,
  FileFsAttributeInformation: 5,
  FileFsControlInformation: 6,
  FileFsFullSizeInformation: 7,
  FileFsObjectIdInformation: 8,
  FileFsDriverPathInformation: 9,
  FileFsVolumeFlagsInformation: 10,
  FileFsSectorSizeInformation: 11,
} as const;

/** How large the output buffer of a query must be (MS-SMB2 3.3.5.20.1, MS-FSA 2.1.5.12, 2.1.5.13). */
export interface QueryRule {
  /** Bytes. A smaller output buffer fails with INFO_LENGTH_MISMATCH. */
  readonly minimumLength: number;
  /** A variable part follows the fixed one: what does not fit is left out, with BUFFER_OVERFLOW. */
  readonly variable: boolean;
}

const fixed = (minimumLength: number): QueryRule => ({ minimumLength, variable: false });
const variable = (minimumLength: number): QueryRule => ({ minimumLength, variable: true });

const F = FileInformationClass;
const FS = FileSystemInformationClass;

/** Classes of MS-SMB2 2.2.37. */
const queryFile: ReadonlyMap<number, QueryRule> = new Map([
  [F.FileBasicInformation, fixed(40)],
  [F.FileStandardInformation, fixed(24)],
  [F.FileInternalInformation, fixed(8)],
  [F.FileEaInformation, fixed(4)],
  [F.FileAccessInformation, fixed(4)],
  [F.FilePositionInformation, fixed(8)],
  [F.FileFullEaInformation, variable(8)],
  [F.FileModeInformation, fixed(4)],
  [F.FileAlignmentInformation, fixed(4)],
  // The fixed part is 100 bytes; one character more, aligned to 8, is asked for.
  [F.FileAllInformation, variable(104)],
  // The fixed part is 4 bytes; one character more, aligned to 4, is asked for.
  [F.FileAlternateNameInformation, variable(8)],
  [F.FileNormalizedNameInformation, variable(8)],
  // 24 bytes and one character, aligned to 8.
  [F.FileStreamInformation, variable(32)],
  [F.FilePipeInformation, fixed(8)],
  [F.FilePipeLocalInformation, fixed(40)],
  [F.FilePipeRemoteInformation, fixed(12)],
  [F.FileCompressionInformation, fixed(16)],
  [F.FileNetworkOpenInformation, fixed(56)],
  [F.FileAttributeTagInformation, fixed(8)],
  [F.FileIdInformation, fixed(24)],
]);

const queryFileSystem: ReadonlyMap<number, QueryRule> = new Map([
  // 18 bytes, aligned to 8.
  [FS.FileFsVolumeInformation, variable(24)],
  [FS.FileFsSizeInformation, fixed(24)],
  [FS.FileFsDeviceInformation, fixed(8)],
  // 12 bytes and one character, aligned to 4: the size of the C structure, which Windows asks for.
  [FS.FileFsAttributeInformation, variable(16)],
  [FS.FileFsControlInformation, fixed(48)],
  [FS.FileFsFullSizeInformation, fixed(32)],
  [FS.FileFsObjectIdInformation, fixed(64)],
  [FS.FileFsSectorSizeInformation, fixed(28)],
]);

/**
 * Bytes that a set request must bring at least (MS-FSA 2.1.5.15): classes of MS-SMB2 2.2.39, and the two extended ones
 * that clients try first and do without when they are refused.
 */
const setFile: ReadonlyMap<number, number> = new Map([
  [F.FileBasicInformation, 40],
  // With the padding that MS-FSCC 2.4.42.2 requires.
  [F.FileRenameInformation, 24],
  [F.FileRenameInformationEx, 24],
  [F.FileLinkInformation, 20],
  [F.FileDispositionInformation, 1],
  [F.FileDispositionInformationEx, 4],
  [F.FilePositionInformation, 8],
  // Whatever is wrong with the list is EA_LIST_INCONSISTENT.
  [F.FileFullEaInformation, 0],
  [F.FileModeInformation, 4],
  [F.FileAllocationInformation, 8],
  [F.FileEndOfFileInformation, 8],
  [F.FilePipeInformation, 8],
  [F.FileValidDataLengthInformation, 8],
  [F.FileShortNameInformation, 4],
]);

const setFileSystem: ReadonlyMap<number, number> = new Map([
  [FS.FileFsControlInformation, 48],
  [FS.FileFsObjectIdInformation, 64],
]);

const documentedFile: ReadonlySet<number> = new Set(Object.values(F));
const documentedFileSystem: ReadonlySet<number> = new Set(Object.values(FS));

/** Classes for directory enumeration or for setting only: Windows calls them invalid in a file query (MS-SMB2 <415>). */
const invalidInQuery: ReadonlySet<number> = new Set([1, 2, 3, 10, 11, 12, 13, 19, 20, 27, 31, 36, 37, 38, 39, 40, 50]);

/**
 * The output lengths of a file query.
 * @throws SmbError NOT_SUPPORTED a class that is not queried over SMB2 (MS-SMB2 3.3.5.20.1)
 * @throws SmbError INVALID_INFO_CLASS no such class, or one that cannot be queried
 */
export function queryFileRule(informationClass: number): QueryRule {
  const rule = queryFile.get(informationClass);
  if (rule !== undefined) return rule;
  throw new SmbError(
    documentedFile.has(informationClass) && !invalidInQuery.has(informationClass)
      ? NtStatus.NOT_SUPPORTED
      : NtStatus.INVALID_INFO_CLASS,
  );
}

/**
 * The output lengths of a file system query (MS-SMB2 3.3.5.20.2).
 * @throws SmbError NOT_SUPPORTED a class that is not queried over SMB2
 * @throws SmbError INVALID_INFO_CLASS no such class
 */
export function queryFileSystemRule(informationClass: number): QueryRule {
  const rule = queryFileSystem.get(informationClass);
  if (rule !== undefined) return rule;
  throw new SmbError(documentedFileSystem.has(informationClass) ? NtStatus.NOT_SUPPORTED : NtStatus.INVALID_INFO_CLASS);
}

/**
 * Bytes that a set request for a file must bring at least; fewer fail with INFO_LENGTH_MISMATCH.
 * @throws SmbError NOT_SUPPORTED a class that is settable, but not over SMB2 (MS-SMB2 3.3.5.21.1)
 * @throws SmbError INVALID_INFO_CLASS no such class, or one that cannot be set
 */
export function setFileMinimumLength(informationClass: number): number {
  const length = setFile.get(informationClass);
  if (length !== undefined) return length;
  throw new SmbError(
    informationClass === F.FileQuotaInformation ? NtStatus.NOT_SUPPORTED : NtStatus.INVALID_INFO_CLASS,
  );
}

/**
 * Bytes that a set request for a file system must bring at least; fewer fail with INFO_LENGTH_MISMATCH.
 * @throws SmbError NOT_SUPPORTED a class for local use (MS-SMB2 3.3.5.21.2)
 * @throws SmbError INVALID_INFO_CLASS no such class, or one that can only be queried
 */
export function setFileSystemMinimumLength(informationClass: number): number {
  const length = setFileSystem.get(informationClass);
  if (length !== undefined) return length;
  const local =
    informationClass === FS.FileFsLabelInformation ||
    informationClass === FS.FileFsDriverPathInformation ||
    informationClass === FS.FileFsVolumeFlagsInformation;
  throw new SmbError(local ? NtStatus.NOT_SUPPORTED : NtStatus.INVALID_INFO_CLASS);
}
