// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** FILE_STANDARD_INFORMATION (MS-FSCC 2.4.47), 24 bytes. Sizes in bytes. */
export interface FileStandardInformation {
  readonly allocationSize: number;
  readonly endOfFile: number;
  readonly numberOfLinks: number;
  readonly deletePending: boolean;
  readonly directory: boolean;
}

/** CompressionFormat values (MS-FSCC 2.4.9). */
export const CompressionFormat = {
  NONE: 0x0000,
  /** "Whatever the file system prefers": only in FSCTL_SET_COMPRESSION. */
  DEFAULT: 0x0001,
  LZNT1: 0x0002,
} as const;

/** FILE_COMPRESSION_INFORMATION (MS-FSCC 2.4.9), 16 bytes. */
export interface FileCompressionInformation {
  /** Bytes. */
  readonly compressedFileSize: number;
  readonly compressionFormat: number;
  /** Binary logarithms of sizes in bytes. */
  readonly compressionUnitShift: number;
  readonly chunkShift: number;
  readonly clusterShift: number;
}

export function encodeFileStandardInformation(writer: Writer, info: FileStandardInformation): void {
  writer.u64n(info.allocationSize);
  writer.u64n(info.endOfFile);
  writer.u32(info.numberOfLinks);
  writer.u8(info.deletePending ? 1 : 0);
  writer.u8(info.directory ? 1 : 0);
  writer.u16(0);
}

export function decodeFileStandardInformation(reader: Reader): FileStandardInformation {
  const allocationSize = reader.u64n();
  const endOfFile = reader.u64n();
  const numberOfLinks = reader.u32();
  const deletePending = reader.u8() !== 0;
  const directory = reader.u8() !== 0;
  reader.skip(2);
  return { allocationSize, endOfFile, numberOfLinks, deletePending, directory };
}

export function encodeFileCompressionInformation(writer: Writer, info: FileCompressionInformation): void {
  writer.u64n(info.compressedFileSize);
  writer.u16(info.compressionFormat);
  writer.u8(info.compressionUnitShift);
  writer.u8(info.chunkShift);
  writer.u8(info.clusterShift);
  writer.zeros(3);
}

export function decodeFileCompressionInformation(reader: Reader): FileCompressionInformation {
  const compressedFileSize = reader.u64n();
  const compressionFormat = reader.u16();
  const compressionUnitShift = reader.u8();
  const chunkShift = reader.u8();
  const clusterShift = reader.u8();
  reader.skip(3);
  return { compressedFileSize, compressionFormat, compressionUnitShift, chunkShift, clusterShift };
}

/** FILE_POSITION_INFORMATION (MS-FSCC 2.4.40): CurrentByteOffset in bytes. */
export function encodeFilePositionInformation(writer: Writer, currentByteOffset: bigint): void {
  writer.i64(currentByteOffset);
}

/** CurrentByteOffset, signed; negative is for the caller to refuse. */
export function decodeFilePositionInformation(reader: Reader): bigint {
  return reader.i64();
}

/** FILE_END_OF_FILE_INFORMATION (MS-FSCC 2.4.14): the new end of file in bytes. */
export function encodeFileEndOfFileInformation(writer: Writer, endOfFile: bigint): void {
  writer.i64(endOfFile);
}

/** EndOfFile, signed; negative is for the caller to refuse (`toSafeLength`). */
export function decodeFileEndOfFileInformation(reader: Reader): bigint {
  return reader.i64();
}

/** FILE_ALLOCATION_INFORMATION (MS-FSCC 2.4.4): the allocation wanted, in bytes. */
export function encodeFileAllocationInformation(writer: Writer, allocationSize: bigint): void {
  writer.i64(allocationSize);
}

/** AllocationSize, signed; negative is for the caller to refuse (`toSafeLength`). */
export function decodeFileAllocationInformation(reader: Reader): bigint {
  return reader.i64();
}

/** FILE_VALID_DATA_LENGTH_INFORMATION (MS-FSCC 2.4.50), bytes. */
export function encodeFileValidDataLengthInformation(writer: Writer, validDataLength: bigint): void {
  writer.i64(validDataLength);
}

/** ValidDataLength, signed; negative is for the caller to refuse (`toSafeLength`). */
export function decodeFileValidDataLengthInformation(reader: Reader): bigint {
  return reader.i64();
}
