// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "../file-id.ts";

/** Bytes of SMB2_DUPLICATE_EXTENTS_DATA. */
export const DUPLICATE_EXTENTS_DATA_LENGTH = 40;

/** Bytes of SMB2_DUPLICATE_EXTENTS_DATA_EX. */
export const DUPLICATE_EXTENTS_DATA_EX_LENGTH = 56;

/** What StructureSize of the extended form holds: less than its length (MS-FSCC 2.3.9.2). */
export const DUPLICATE_EXTENTS_DATA_EX_STRUCTURE_SIZE = 0x30n;

/** All or nothing, seen from the source (MS-FSCC 2.3.9.2). */
export const DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC = 0x00000001;

/** SMB2_DUPLICATE_EXTENTS_DATA (MS-FSCC 2.3.7.2). Signed, bytes; negative is for the caller to refuse. */
export interface DuplicateExtentsData {
  readonly sourceFileId: FileId;
  readonly sourceFileOffset: bigint;
  readonly targetFileOffset: bigint;
  readonly byteCount: bigint;
}

/** SMB2_DUPLICATE_EXTENTS_DATA_EX (MS-FSCC 2.3.9.2). */
export interface DuplicateExtentsDataEx extends DuplicateExtentsData {
  /** {@link DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC} or 0. */
  readonly flags: number;
}

export function encodeDuplicateExtentsData(writer: Writer, data: DuplicateExtentsData): void {
  encodeFileId(writer, data.sourceFileId);
  writer.i64(data.sourceFileOffset);
  writer.i64(data.targetFileOffset);
  writer.i64(data.byteCount);
}

export function decodeDuplicateExtentsData(reader: Reader): DuplicateExtentsData {
  return {
    sourceFileId: decodeFileId(reader),
    sourceFileOffset: reader.i64(),
    targetFileOffset: reader.i64(),
    byteCount: reader.i64(),
  };
}

export function encodeDuplicateExtentsDataEx(writer: Writer, data: DuplicateExtentsDataEx): void {
  writer.u64(DUPLICATE_EXTENTS_DATA_EX_STRUCTURE_SIZE);
  encodeDuplicateExtentsData(writer, data);
  writer.u32(data.flags);
  writer.u32(0);
}

/** `structureSize` other than {@link DUPLICATE_EXTENTS_DATA_EX_STRUCTURE_SIZE} is NOT_SUPPORTED, at its place. */
export function decodeDuplicateExtentsDataEx(
  reader: Reader,
): DuplicateExtentsDataEx & { readonly structureSize: bigint } {
  const structureSize = reader.u64();
  const data = decodeDuplicateExtentsData(reader);
  const flags = reader.u32();
  reader.skip(4);
  return { structureSize, ...data, flags };
}
