// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** Bytes that a rename structure has at least, with its padding (MS-FSCC 2.4.42.2). */
const RENAME_MINIMUM_LENGTH = 24;
/** Bytes before FileName. */
const FIXED_LENGTH = 20;

/**
 * FILE_RENAME_INFORMATION_TYPE_2 (MS-FSCC 2.4.42.2) and FILE_LINK_INFORMATION_TYPE_2 (MS-FSCC 2.4.28.2): one layout.
 */
export interface FileRenameInformation {
  readonly replaceIfExists: boolean;
  /** Must be 0 on the network; anything else is INVALID_PARAMETER (MS-SMB2 3.3.5.21.1). */
  readonly rootDirectory: bigint;
  /** A path from the root of the share, or `:stream:$DATA`. */
  readonly fileName: string;
}

/** Flags of FILE_RENAME_INFORMATION_EX (MS-FSCC 2.4.43). */
export const FileRenameFlag = {
  REPLACE_IF_EXISTS: 0x00000001,
  POSIX_SEMANTICS: 0x00000002,
  SUPPRESS_PIN_STATE_INHERITANCE: 0x00000004,
  SUPPRESS_STORAGE_RESERVE_INHERITANCE: 0x00000008,
  NO_INCREASE_AVAILABLE_SPACE: 0x00000010,
  NO_DECREASE_AVAILABLE_SPACE: 0x00000020,
  IGNORE_READONLY_ATTRIBUTE: 0x00000040,
  FORCE_RESIZE_TARGET_SR: 0x00000080,
  FORCE_RESIZE_SOURCE_SR: 0x00000100,
} as const;

/** FILE_RENAME_INFORMATION_EX (MS-FSCC 2.4.43). */
export interface FileRenameInformationEx {
  /** {@link FileRenameFlag} bits. */
  readonly flags: number;
  readonly rootDirectory: bigint;
  readonly fileName: string;
}

/** FILE_DISPOSITION_INFORMATION_EX flags (MS-FSCC 2.4.12). */
export const FileDispositionFlag = {
  DELETE: 0x00000001,
  POSIX_SEMANTICS: 0x00000002,
  FORCE_IMAGE_SECTION_CHECK: 0x00000004,
  ON_CLOSE: 0x00000008,
  IGNORE_READONLY_ATTRIBUTE: 0x00000010,
} as const;

function encodeName(writer: Writer, rootDirectory: bigint, fileName: string): void {
  writer.u64(rootDirectory);
  writer.u32(fileName.length * 2);
  writer.utf16(fileName);
}

/** Padded to 24 bytes. */
export function encodeFileRenameInformation(writer: Writer, info: FileRenameInformation): void {
  encodeFileLinkInformation(writer, info);
  writer.zeros(Math.max(0, RENAME_MINIMUM_LENGTH - FIXED_LENGTH - info.fileName.length * 2));
}

/** @throws MalformedPacketError where FileNameLength is odd or reaches beyond the payload */
export function decodeFileRenameInformation(reader: Reader): FileRenameInformation {
  const replaceIfExists = reader.u8() !== 0;
  reader.skip(7);
  const rootDirectory = reader.u64();
  return { replaceIfExists, rootDirectory, fileName: reader.utf16(reader.u32()) };
}

export function encodeFileLinkInformation(writer: Writer, info: FileRenameInformation): void {
  writer.u8(info.replaceIfExists ? 1 : 0);
  writer.zeros(7);
  encodeName(writer, info.rootDirectory, info.fileName);
}

/** @throws MalformedPacketError where FileNameLength is odd or reaches beyond the payload */
export function decodeFileLinkInformation(reader: Reader): FileRenameInformation {
  return decodeFileRenameInformation(reader);
}

/** Padded to 24 bytes. */
export function encodeFileRenameInformationEx(writer: Writer, info: FileRenameInformationEx): void {
  writer.u32(info.flags);
  writer.u32(0);
  encodeName(writer, info.rootDirectory, info.fileName);
  writer.zeros(Math.max(0, RENAME_MINIMUM_LENGTH - FIXED_LENGTH - info.fileName.length * 2));
}

/** @throws MalformedPacketError where FileNameLength is odd or reaches beyond the payload */
export function decodeFileRenameInformationEx(reader: Reader): FileRenameInformationEx {
  const flags = reader.u32();
  reader.skip(4);
  const rootDirectory = reader.u64();
  return { flags, rootDirectory, fileName: reader.utf16(reader.u32()) };
}

/** FILE_DISPOSITION_INFORMATION (MS-FSCC 2.4.11): DeletePending. */
export function encodeFileDispositionInformation(writer: Writer, deletePending: boolean): void {
  writer.u8(deletePending ? 1 : 0);
}

export function decodeFileDispositionInformation(reader: Reader): boolean {
  return reader.u8() !== 0;
}

/** FILE_DISPOSITION_INFORMATION_EX (MS-FSCC 2.4.12): {@link FileDispositionFlag} bits. */
export function encodeFileDispositionInformationEx(writer: Writer, flags: number): void {
  writer.u32(flags);
}

export function decodeFileDispositionInformationEx(reader: Reader): number {
  return reader.u32();
}
