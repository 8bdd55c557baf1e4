// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../nt/filetime.ts";
import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { expectStructureSize } from "./layout.ts";

/** SMB2 CLOSE Request (MS-SMB2 2.2.15). */
export interface CloseRequest {
  /** `CloseFlag` bits. */
  readonly flags: number;
  readonly fileId: FileId;
}

/** Reads an SMB2 CLOSE Request (MS-SMB2 2.2.15). */
export function decodeCloseRequest(reader: Reader): CloseRequest {
  expectStructureSize(reader, 24, "CLOSE request");
  const flags = reader.u16();
  reader.skip(4);
  return { flags, fileId: decodeFileId(reader) };
}

/** Writes an SMB2 CLOSE Request (MS-SMB2 2.2.15). */
export function encodeCloseRequest(writer: Writer, request: CloseRequest): void {
  writer.u16(24);
  writer.u16(request.flags);
  writer.u32(0);
  encodeFileId(writer, request.fileId);
}

/** SMB2 CLOSE Response (MS-SMB2 2.2.16). All but `flags` is 0 unless `flags` holds POSTQUERY_ATTRIB. */
export interface CloseResponse {
  /** `CloseFlag` bits. */
  readonly flags: number;
  readonly creationTime: FileTime;
  readonly lastAccessTime: FileTime;
  readonly lastWriteTime: FileTime;
  readonly changeTime: FileTime;
  /** Bytes. */
  readonly allocationSize: bigint;
  /** Bytes. */
  readonly endOfFile: bigint;
  /** `FileAttribute` bits. */
  readonly fileAttributes: number;
}

/** The response to a CLOSE that did not ask for attributes (MS-SMB2 2.2.16). */
export const CLOSE_RESPONSE_WITHOUT_ATTRIBUTES: CloseResponse = Object.freeze({
  flags: 0,
  creationTime: 0n,
  lastAccessTime: 0n,
  lastWriteTime: 0n,
  changeTime: 0n,
  allocationSize: 0n,
  endOfFile: 0n,
  fileAttributes: 0,
});

/** Writes an SMB2 CLOSE Response (MS-SMB2 2.2.16). */
export function encodeCloseResponse(writer: Writer, response: CloseResponse): void {
  writer.u16(60);
  writer.u16(response.flags);
  writer.u32(0);
  writer.u64(response.creationTime);
  writer.u64(response.lastAccessTime);
  writer.u64(response.lastWriteTime);
  writer.u64(response.changeTime);
  writer.u64(response.allocationSize);
  writer.u64(response.endOfFile);
  writer.u32(response.fileAttributes);
}

/** Reads an SMB2 CLOSE Response (MS-SMB2 2.2.16). */
export function decodeCloseResponse(reader: Reader): CloseResponse {
  expectStructureSize(reader, 60, "CLOSE response");
  const flags = reader.u16();
  reader.skip(4);
  return {
    flags,
    creationTime: reader.u64(),
    lastAccessTime: reader.u64(),
    lastWriteTime: reader.u64(),
    changeTime: reader.u64(),
    allocationSize: reader.u64(),
    endOfFile: reader.u64(),
    fileAttributes: reader.u32(),
  };
}
