// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, type Reader, type Writer } from "../cursor.ts";

/** FILE_SET_SPARSE_BUFFER (MS-FSCC 2.3.83). */
export function encodeSetSparse(writer: Writer, setSparse: boolean): void {
  writer.u8(setSparse ? 1 : 0);
}

/** SetSparse; a request without any data means TRUE. */
export function decodeSetSparse(reader: Reader): boolean {
  return reader.remaining === 0 || reader.u8() !== 0;
}

/** FILE_ZERO_DATA_INFORMATION (MS-FSCC 2.3.85). Signed, bytes; negative is for the caller to refuse. */
export interface FileZeroDataInformation {
  readonly fileOffset: bigint;
  /** The first byte that is left alone. */
  readonly beyondFinalZero: bigint;
}

export function encodeSetZeroData(writer: Writer, info: FileZeroDataInformation): void {
  writer.i64(info.fileOffset);
  writer.i64(info.beyondFinalZero);
}

export function decodeSetZeroData(reader: Reader): FileZeroDataInformation {
  return { fileOffset: reader.i64(), beyondFinalZero: reader.i64() };
}

/** A range of a request. Bytes; signed where the structure says so, negative is for the caller to refuse. */
export interface WireRange {
  readonly offset: bigint;
  readonly length: bigint;
}

/** A range of a reply. Bytes, safe integers. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** Bytes of a FILE_ALLOCATED_RANGE_BUFFER. */
export const ALLOCATED_RANGE_LENGTH = 16;

/** The FILE_ALLOCATED_RANGE_BUFFER of a request (MS-FSCC 2.3.51). */
export function encodeQueryAllocatedRangesInput(writer: Writer, range: WireRange): void {
  writer.i64(range.offset);
  writer.i64(range.length);
}

export function decodeQueryAllocatedRangesInput(reader: Reader): WireRange {
  return { offset: reader.i64(), length: reader.i64() };
}

/**
 * The FILE_ALLOCATED_RANGE_BUFFER array of a reply (MS-FSCC 2.3.52), as many as `room` bytes hold.
 * @returns false where some were left out: BUFFER_OVERFLOW
 */
export function encodeQueryAllocatedRangesOutput(
  writer: Writer,
  ranges: readonly FileRange[],
  room = Number.POSITIVE_INFINITY,
): boolean {
  let left = room;
  for (const range of ranges) {
    if (left < ALLOCATED_RANGE_LENGTH) return false;
    left -= ALLOCATED_RANGE_LENGTH;
    writer.u64n(range.offset);
    writer.u64n(range.length);
  }
  return true;
}

/** @throws MalformedPacketError also where the reply is no multiple of 16 bytes */
export function decodeQueryAllocatedRangesOutput(reader: Reader): FileRange[] {
  const ranges: FileRange[] = [];
  while (reader.remaining > 0) ranges.push({ offset: reader.u64n(), length: reader.u64n() });
  return ranges;
}

/** FILE_LEVEL_TRIM (MS-FSCC 2.3.13). */
export interface FileLevelTrim {
  /** Of the client's byte-range locks; not needed over SMB2. */
  readonly key: number;
  /** Unsigned. */
  readonly ranges: readonly WireRange[];
}

const TRIM_RANGE_LENGTH = 16;

export function encodeFileLevelTrim(writer: Writer, trim: FileLevelTrim): void {
  writer.u32(trim.key);
  writer.u32(trim.ranges.length);
  for (const range of trim.ranges) {
    writer.u64(range.offset);
    writer.u64(range.length);
  }
}

/** @throws MalformedPacketError where NumRanges counts more ranges than were sent */
export function decodeFileLevelTrim(reader: Reader): FileLevelTrim {
  const key = reader.u32();
  const count = reader.u32();
  if (count * TRIM_RANGE_LENGTH > reader.remaining) throw new MalformedPacketError(`NumRanges ${count}`);
  const ranges: WireRange[] = [];
  for (let i = 0; i < count; i++) ranges.push({ offset: reader.u64(), length: reader.u64() });
  return { key, ranges };
}

/** FILE_LEVEL_TRIM_OUTPUT (MS-FSCC 2.3.14): NumRangesProcessed. */
export function encodeFileLevelTrimOutput(writer: Writer, rangesProcessed: number): void {
  writer.u32(rangesProcessed);
}

export function decodeFileLevelTrimOutput(reader: Reader): number {
  return reader.u32();
}

/** DesiredUsage of a region (MS-FSCC 2.3.55). */
export const FileRegionUsage = {
  VALID_CACHED_DATA: 0x00000001,
  VALID_NONCACHED_DATA: 0x00000002,
} as const;

/** FILE_REGION_INPUT (MS-FSCC 2.3.55), 24 bytes. Signed, bytes. */
export interface FileRegionInput extends WireRange {
  /** {@link FileRegionUsage}; other values are for the caller to refuse. */
  readonly desiredUsage: number;
}

export function encodeQueryFileRegionsInput(writer: Writer, input: FileRegionInput): void {
  writer.i64(input.offset);
  writer.i64(input.length);
  writer.u32(input.desiredUsage);
  writer.u32(0);
}

/** `undefined`, the whole file, where the request brings no data. */
export function decodeQueryFileRegionsInput(reader: Reader): FileRegionInput | undefined {
  if (reader.remaining === 0) return undefined;
  const offset = reader.i64();
  const length = reader.i64();
  const desiredUsage = reader.u32();
  reader.skip(4);
  return { offset, length, desiredUsage };
}

/** FILE_REGION_INFO (MS-FSCC 2.3.56.1), 24 bytes. */
export interface FileRegion extends FileRange {
  /** {@link FileRegionUsage}, or 0 where the range is not what was asked for. */
  readonly usage: number;
}

/** Bytes of FILE_REGION_OUTPUT before its regions; a smaller output buffer is BUFFER_TOO_SMALL. */
export const FILE_REGION_OUTPUT_LENGTH = 16;
const REGION_LENGTH = 24;

/**
 * FILE_REGION_OUTPUT (MS-FSCC 2.3.56) with as many regions as `room` bytes hold, the fixed part always.
 * @returns false where some were left out: BUFFER_OVERFLOW
 */
export function encodeQueryFileRegionsOutput(
  writer: Writer,
  regions: readonly FileRegion[],
  room = Number.POSITIVE_INFINITY,
): boolean {
  const fitting = Math.max(0, Math.floor((room - FILE_REGION_OUTPUT_LENGTH) / REGION_LENGTH));
  const sent = regions.slice(0, fitting);
  writer.u32(0);
  writer.u32(regions.length);
  writer.u32(sent.length);
  writer.u32(0);
  for (const region of sent) {
    writer.u64n(region.offset);
    writer.u64n(region.length);
    writer.u32(region.usage);
    writer.u32(0);
  }
  return sent.length === regions.length;
}

export interface FileRegionOutput {
  /** Regions that there are, sent or not. */
  readonly totalRegionEntryCount: number;
  readonly regions: readonly FileRegion[];
}

/** @throws MalformedPacketError where RegionEntryCount counts more regions than were sent */
export function decodeQueryFileRegionsOutput(reader: Reader): FileRegionOutput {
  reader.skip(4);
  const totalRegionEntryCount = reader.u32();
  const count = reader.u32();
  reader.skip(4);
  if (count * REGION_LENGTH > reader.remaining) throw new MalformedPacketError(`RegionEntryCount ${count}`);
  const regions: FileRegion[] = [];
  for (let i = 0; i < count; i++) {
    const offset = reader.u64n();
    const length = reader.u64n();
    const usage = reader.u32();
    reader.skip(4);
    regions.push({ offset, length, usage });
  }
  return { totalRegionEntryCount, regions };
}
