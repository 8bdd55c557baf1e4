// SPDX-License-Identifier: Apache-2.0

import { InfoType } from "./constants.ts";
import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { HEADER_SIZE } from "./header.ts";
import { EMPTY, expectStructureSize, variablePart } from "./layout.ts";
import { decodeOutputBuffer, encodeOutputBuffer } from "./output-buffer.ts";

const REQUEST_BUFFER_OFFSET = HEADER_SIZE + 40;
const FILE_FULL_EA_INFORMATION = 15;

/** SMB2 QUERY_INFO Request (MS-SMB2 2.2.37). */
export interface QueryInfoRequest {
  /** `InfoType` value. */
  readonly infoType: number;
  /** FileInformationClass or FsInformationClass (MS-FSCC 2.4, 2.5); not checked. */
  readonly fileInfoClass: number;
  /** Bytes of output that the client takes. */
  readonly outputBufferLength: number;
  /** `SecurityInformation` bits, or the index of an extended attribute. */
  readonly additionalInformation: number;
  /** `EaQueryFlag` bits; 0 for all queries but FileFullEaInformation. */
  readonly flags: number;
  readonly fileId: FileId;
  /** SMB2_QUERY_QUOTA_INFO or a list of FILE_GET_EA_INFORMATION; empty in all other queries, which have no input. */
  readonly input: Buffer;
}

/**
 * Reads an SMB2 QUERY_INFO Request (MS-SMB2 2.2.37). The fields of the input buffer are ignored, whatever they say, in
 * queries that have no input.
 */
export function decodeQueryInfoRequest(reader: Reader): QueryInfoRequest {
  expectStructureSize(reader, 41, "QUERY_INFO request");
  const infoType = reader.u8();
  const fileInfoClass = reader.u8();
  const outputBufferLength = reader.u32();
  const inputOffset = reader.u16();
  reader.skip(2);
  const inputLength = reader.u32();
  const additionalInformation = reader.u32();
  const flags = reader.u32();
  const fileId = decodeFileId(reader);
  const hasInput =
    infoType === InfoType.QUOTA || (infoType === InfoType.FILE && fileInfoClass === FILE_FULL_EA_INFORMATION);
  const input = hasInput
    ? variablePart(reader, inputOffset, inputLength, REQUEST_BUFFER_OFFSET, "QUERY_INFO input")
    : EMPTY;
  return { infoType, fileInfoClass, outputBufferLength, additionalInformation, flags, fileId, input };
}

/** Writes an SMB2 QUERY_INFO Request (MS-SMB2 2.2.37). */
export function encodeQueryInfoRequest(writer: Writer, request: QueryInfoRequest): void {
  const { input } = request;
  writer.u16(41);
  writer.u8(request.infoType);
  writer.u8(request.fileInfoClass);
  writer.u32(request.outputBufferLength);
  writer.u16(input.length > 0 ? REQUEST_BUFFER_OFFSET : 0);
  writer.u16(0);
  writer.u32(input.length);
  writer.u32(request.additionalInformation);
  writer.u32(request.flags);
  encodeFileId(writer, request.fileId);
  if (input.length > 0) writer.bytes(input);
  else writer.u8(0); // StructureSize counts one byte of the Buffer.
}

/** SMB2 QUERY_INFO Response (MS-SMB2 2.2.38). */
export interface QueryInfoResponse {
  /** Information of the asked class, a security descriptor or quota information. */
  readonly output: Buffer;
}

/** Writes an SMB2 QUERY_INFO Response; output-buffer.ts writes it without a copy (MS-SMB2 2.2.38). */
export function encodeQueryInfoResponse(writer: Writer, response: QueryInfoResponse): void {
  encodeOutputBuffer(writer, response.output);
}

/** Reads an SMB2 QUERY_INFO Response (MS-SMB2 2.2.38). */
export function decodeQueryInfoResponse(reader: Reader): QueryInfoResponse {
  return { output: decodeOutputBuffer(reader, "QUERY_INFO response") };
}
