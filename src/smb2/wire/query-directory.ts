// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { HEADER_SIZE } from "./header.ts";
import { expectStructureSize, fitsU16, textLength, variableText } from "./layout.ts";
import { decodeOutputBuffer, encodeOutputBuffer } from "./output-buffer.ts";

const REQUEST_BUFFER_OFFSET = HEADER_SIZE + 32;

/** SMB2 QUERY_DIRECTORY Request (MS-SMB2 2.2.33). */
export interface QueryDirectoryRequest {
  /** FileInformationClass (MS-FSCC 2.4); not checked. */
  readonly fileInformationClass: number;
  /** `QueryDirectoryFlag` bits. */
  readonly flags: number;
  /** Valid where `flags` holds INDEX_SPECIFIED. */
  readonly fileIndex: number;
  readonly fileId: FileId;
  /** Search pattern; empty where the client gives none. */
  readonly fileName: string;
  /** Bytes of output that the client takes. */
  readonly outputBufferLength: number;
}

/** Reads an SMB2 QUERY_DIRECTORY Request (MS-SMB2 2.2.33). */
export function decodeQueryDirectoryRequest(reader: Reader): QueryDirectoryRequest {
  expectStructureSize(reader, 33, "QUERY_DIRECTORY request");
  const fileInformationClass = reader.u8();
  const flags = reader.u8();
  const fileIndex = reader.u32();
  const fileId = decodeFileId(reader);
  const nameOffset = reader.u16();
  const nameLength = reader.u16();
  const outputBufferLength = reader.u32();
  const fileName = variableText(reader, nameOffset, nameLength, REQUEST_BUFFER_OFFSET, "QUERY_DIRECTORY pattern");
  return { fileInformationClass, flags, fileIndex, fileId, fileName, outputBufferLength };
}

/** Writes an SMB2 QUERY_DIRECTORY Request (MS-SMB2 2.2.33). */
export function encodeQueryDirectoryRequest(writer: Writer, request: QueryDirectoryRequest): void {
  const { fileName } = request;
  writer.u16(33);
  writer.u8(request.fileInformationClass);
  writer.u8(request.flags);
  writer.u32(request.fileIndex);
  encodeFileId(writer, request.fileId);
  writer.u16(fileName.length > 0 ? REQUEST_BUFFER_OFFSET : 0);
  writer.u16(fitsU16(textLength(fileName), "QUERY_DIRECTORY pattern"));
  writer.u32(request.outputBufferLength);
  if (fileName.length > 0) writer.utf16(fileName);
  else writer.u8(0); // StructureSize counts one byte of the Buffer.
}

/** SMB2 QUERY_DIRECTORY Response (MS-SMB2 2.2.34). */
export interface QueryDirectoryResponse {
  /** Entries of the asked FileInformationClass. */
  readonly output: Buffer;
}

/** Writes an SMB2 QUERY_DIRECTORY Response; output-buffer.ts writes it without a copy (MS-SMB2 2.2.34). */
export function encodeQueryDirectoryResponse(writer: Writer, response: QueryDirectoryResponse): void {
  encodeOutputBuffer(writer, response.output);
}

/** Reads an SMB2 QUERY_DIRECTORY Response (MS-SMB2 2.2.34). */
export function decodeQueryDirectoryResponse(reader: Reader): QueryDirectoryResponse {
  return { output: decodeOutputBuffer(reader, "QUERY_DIRECTORY response") };
}
