// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";
import { writeFixed } from "../layout.ts";

/** Bytes of a resume key (MS-SMB2 2.2.32.3). */
export const RESUME_KEY_LENGTH = 24;

/** Bytes of the SRV_REQUEST_RESUME_KEY response. */
export const RESUME_KEY_RESPONSE_LENGTH = 32;

/** Bytes of the SRV_COPYCHUNK_RESPONSE. */
export const COPYCHUNK_RESPONSE_LENGTH = 12;

/** Bytes of one SRV_COPYCHUNK. */
export const COPYCHUNK_LENGTH = 24;

/** SRV_REQUEST_RESUME_KEY response (MS-SMB2 2.2.32.3): the key, no context, and the 4 zero bytes that Windows adds. */
export function encodeSrvRequestResumeKey(writer: Writer, resumeKey: Uint8Array): void {
  writeFixed(writer, resumeKey, RESUME_KEY_LENGTH, "ResumeKey");
  writer.u32(0);
  writer.u32(0);
}

/** The key: a view into the response. */
export function decodeSrvRequestResumeKey(reader: Reader): Buffer {
  const key = reader.bytes(RESUME_KEY_LENGTH);
  reader.skip(4);
  return key;
}

/** SRV_COPYCHUNK (MS-SMB2 2.2.31.1.1). Bytes. */
export interface SrvCopychunk {
  readonly sourceOffset: bigint;
  readonly targetOffset: bigint;
  readonly length: number;
}

/** The part of SRV_COPYCHUNK_COPY before its chunks (MS-SMB2 2.2.31.1), 32 bytes. */
export interface SrvCopychunkCopyHeader {
  /** 24 bytes; decoded, a view into the request. */
  readonly sourceKey: Buffer;
  /** As sent: to be compared with the limits before the chunks are read. */
  readonly chunkCount: number;
}

export function encodeSrvCopychunkCopy(writer: Writer, sourceKey: Uint8Array, chunks: readonly SrvCopychunk[]): void {
  writeFixed(writer, sourceKey, RESUME_KEY_LENGTH, "SourceKey");
  writer.u32(chunks.length);
  writer.u32(0);
  for (const chunk of chunks) {
    writer.u64(chunk.sourceOffset);
    writer.u64(chunk.targetOffset);
    writer.u32(chunk.length);
    writer.u32(0);
  }
}

export function decodeSrvCopychunkCopyHeader(reader: Reader): SrvCopychunkCopyHeader {
  const sourceKey = reader.bytes(RESUME_KEY_LENGTH);
  const chunkCount = reader.u32();
  reader.skip(4);
  return { sourceKey, chunkCount };
}

/** The chunks that follow the header; `count` is bounded by the caller. */
export function decodeSrvCopychunks(reader: Reader, count: number): SrvCopychunk[] {
  const chunks: SrvCopychunk[] = [];
  for (let i = 0; i < count; i++) {
    const sourceOffset = reader.u64();
    const targetOffset = reader.u64();
    const length = reader.u32();
    reader.skip(4);
    chunks.push({ sourceOffset, targetOffset, length });
  }
  return chunks;
}

/**
 * SRV_COPYCHUNK_RESPONSE (MS-SMB2 2.2.32.1), 12 bytes: the result of a copy, or, with INVALID_PARAMETER, the limits of
 * the server in the same places (MS-SMB2 3.3.5.15.6.2).
 */
export interface SrvCopychunkResponse {
  readonly chunksWritten: number;
  /** Bytes of the last chunk where it was copied in part, else 0; as a limit, bytes in one chunk. */
  readonly chunkBytesWritten: number;
  /** Bytes. */
  readonly totalBytesWritten: number;
}

export function encodeSrvCopychunkResponse(writer: Writer, response: SrvCopychunkResponse): void {
  writer.u32(response.chunksWritten);
  writer.u32(response.chunkBytesWritten);
  writer.u32(response.totalBytesWritten);
}

export function decodeSrvCopychunkResponse(reader: Reader): SrvCopychunkResponse {
  return { chunksWritten: reader.u32(), chunkBytesWritten: reader.u32(), totalBytesWritten: reader.u32() };
}
