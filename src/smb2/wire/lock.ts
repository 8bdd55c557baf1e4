// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { decodeEmptyBody, encodeEmptyBody, expectStructureSize, fitsU16 } from "./layout.ts";

/** SMB2_LOCK_ELEMENT (MS-SMB2 2.2.26.1). */
export interface LockElement {
  /** Bytes from the start of the file. */
  readonly offset: bigint;
  /** Bytes. */
  readonly length: bigint;
  /** `LockFlag` bits; not checked for a valid combination. */
  readonly flags: number;
}

/** SMB2 LOCK Request (MS-SMB2 2.2.26). */
export interface LockRequest {
  /** 0 to 15; reserved in SMB 2.0.2. */
  readonly lockSequenceNumber: number;
  /** 28 bits, of which 1 to 64 are valid and 0 means none; reserved in SMB 2.0.2. */
  readonly lockSequenceIndex: number;
  readonly fileId: FileId;
  /** May be empty, which the server rejects (MS-SMB2 3.3.5.14). */
  readonly locks: readonly LockElement[];
}

/** Reads an SMB2 LOCK Request (MS-SMB2 2.2.26). */
export function decodeLockRequest(reader: Reader): LockRequest {
  expectStructureSize(reader, 48, "LOCK request");
  const count = reader.u16();
  const sequence = reader.u32();
  const fileId = decodeFileId(reader);
  const locks: LockElement[] = [];
  for (let index = 0; index < count; index += 1) {
    const offset = reader.u64();
    const length = reader.u64();
    const flags = reader.u32();
    reader.skip(4);
    locks.push({ offset, length, flags });
  }
  return { lockSequenceNumber: sequence & 0xf, lockSequenceIndex: sequence >>> 4, fileId, locks };
}

/** Writes an SMB2 LOCK Request (MS-SMB2 2.2.26). */
export function encodeLockRequest(writer: Writer, request: LockRequest): void {
  writer.u16(48);
  writer.u16(fitsU16(request.locks.length, "Locks"));
  writer.u32((request.lockSequenceIndex << 4) | request.lockSequenceNumber);
  encodeFileId(writer, request.fileId);
  for (const { offset, length, flags } of request.locks) {
    writer.u64(offset);
    writer.u64(length);
    writer.u32(flags);
    writer.u32(0);
  }
}

/** Writes an SMB2 LOCK Response (MS-SMB2 2.2.27). */
export function encodeLockResponse(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Checks an SMB2 LOCK Response, which carries no fields (MS-SMB2 2.2.27). */
export function decodeLockResponse(reader: Reader): void {
  decodeEmptyBody(reader, "LOCK response");
}
