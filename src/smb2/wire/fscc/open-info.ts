// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** FILE_ID_INFORMATION (MS-FSCC 2.4.26), 24 bytes. */
export interface FileIdInformation {
  readonly volumeSerialNumber: bigint;
  /** Sent as the low half of the 128-bit file ID, as NTFS does. */
  readonly fileId: bigint;
}

/** Mode flags (MS-FSCC 2.4.31). */
export const FileMode = {
  WRITE_THROUGH: 0x00000002,
  SEQUENTIAL_ONLY: 0x00000004,
  NO_INTERMEDIATE_BUFFERING: 0x00000008,
  SYNCHRONOUS_IO_ALERT: 0x00000010,
  SYNCHRONOUS_IO_NONALERT: 0x00000020,
  DELETE_ON_CLOSE: 0x00001000,
} as const;

/** AlignmentRequirement FILE_BYTE_ALIGNMENT: none (MS-FSCC 2.4.3). */
export const FILE_BYTE_ALIGNMENT = 0x00000000;

/** FILE_ACCESS_INFORMATION (MS-FSCC 2.4.1): the access granted to the open. */
export function encodeFileAccessInformation(writer: Writer, accessFlags: number): void {
  writer.u32(accessFlags);
}

export function decodeFileAccessInformation(reader: Reader): number {
  return reader.u32();
}

/** FILE_ALIGNMENT_INFORMATION (MS-FSCC 2.4.3): the alignment in bytes, less one. */
export function encodeFileAlignmentInformation(writer: Writer, alignmentRequirement: number): void {
  writer.u32(alignmentRequirement);
}

export function decodeFileAlignmentInformation(reader: Reader): number {
  return reader.u32();
}

/** FILE_MODE_INFORMATION (MS-FSCC 2.4.31): {@link FileMode} bits. */
export function encodeFileModeInformation(writer: Writer, mode: number): void {
  writer.u32(mode);
}

export function decodeFileModeInformation(reader: Reader): number {
  return reader.u32();
}

/** FILE_EA_INFORMATION (MS-FSCC 2.4.13): bytes of all extended attributes, 0 for none. */
export function encodeFileEaInformation(writer: Writer, eaSize: number): void {
  writer.u32(eaSize);
}

export function decodeFileEaInformation(reader: Reader): number {
  return reader.u32();
}

/** FILE_INTERNAL_INFORMATION (MS-FSCC 2.4.27): the 64-bit file ID. */
export function encodeFileInternalInformation(writer: Writer, indexNumber: bigint): void {
  writer.u64(indexNumber);
}

export function decodeFileInternalInformation(reader: Reader): bigint {
  return reader.u64();
}

export function encodeFileIdInformation(writer: Writer, info: FileIdInformation): void {
  writer.u64(info.volumeSerialNumber);
  writer.u64(info.fileId);
  writer.zeros(8);
}

/** The high half of the 128-bit file ID is not looked at. */
export function decodeFileIdInformation(reader: Reader): FileIdInformation {
  const info = { volumeSerialNumber: reader.u64(), fileId: reader.u64() };
  reader.skip(8);
  return info;
}
