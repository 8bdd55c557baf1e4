// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { decodeEmptyBody, encodeEmptyBody, expectStructureSize } from "./layout.ts";

/** SMB2 FLUSH Request (MS-SMB2 2.2.17). */
export interface FlushRequest {
  readonly fileId: FileId;
}

/** Reads an SMB2 FLUSH Request (MS-SMB2 2.2.17). */
export function decodeFlushRequest(reader: Reader): FlushRequest {
  expectStructureSize(reader, 24, "FLUSH request");
  reader.skip(6);
  return { fileId: decodeFileId(reader) };
}

/** Writes an SMB2 FLUSH Request (MS-SMB2 2.2.17). */
export function encodeFlushRequest(writer: Writer, request: FlushRequest): void {
  writer.u16(24);
  writer.zeros(6);
  encodeFileId(writer, request.fileId);
}

/** Writes an SMB2 FLUSH Response (MS-SMB2 2.2.18). */
export function encodeFlushResponse(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Checks an SMB2 FLUSH Response, which carries no fields (MS-SMB2 2.2.18). */
export function decodeFlushResponse(reader: Reader): void {
  decodeEmptyBody(reader, "FLUSH response");
}
