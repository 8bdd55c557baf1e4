// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { HEADER_SIZE } from "./header.ts";
import { expectStructureSize, variablePart } from "./layout.ts";

const REQUEST_BUFFER_OFFSET = HEADER_SIZE + 32;

/** SMB2 SET_INFO Request (MS-SMB2 2.2.39). */
export interface SetInfoRequest {
  /** `InfoType` value. */
  readonly infoType: number;
  /** FileInformationClass or FsInformationClass (MS-FSCC 2.4, 2.5); not checked. */
  readonly fileInfoClass: number;
  /** `SecurityInformation` bits. */
  readonly additionalInformation: number;
  readonly fileId: FileId;
  /** Information of the class, a security descriptor or quota information. */
  readonly input: Buffer;
}

/** Reads an SMB2 SET_INFO Request (MS-SMB2 2.2.39). */
export function decodeSetInfoRequest(reader: Reader): SetInfoRequest {
  expectStructureSize(reader, 33, "SET_INFO request");
  const infoType = reader.u8();
  const fileInfoClass = reader.u8();
  const length = reader.u32();
  const offset = reader.u16();
  reader.skip(2);
  const additionalInformation = reader.u32();
  const fileId = decodeFileId(reader);
  const input = variablePart(reader, offset, length, REQUEST_BUFFER_OFFSET, "SET_INFO buffer");
  return { infoType, fileInfoClass, additionalInformation, fileId, input };
}

/** Writes an SMB2 SET_INFO Request (MS-SMB2 2.2.39). */
export function encodeSetInfoRequest(writer: Writer, request: SetInfoRequest): void {
  const { input } = request;
  writer.u16(33);
  writer.u8(request.infoType);
  writer.u8(request.fileInfoClass);
  writer.u32(input.length);
  writer.u16(REQUEST_BUFFER_OFFSET);
  writer.u16(0);
  writer.u32(request.additionalInformation);
  encodeFileId(writer, request.fileId);
  if (input.length > 0) writer.bytes(input);
  else writer.u8(0); // StructureSize counts one byte of the Buffer.
}

/** Writes an SMB2 SET_INFO Response, which is nothing but its StructureSize (MS-SMB2 2.2.40). */
export function encodeSetInfoResponse(writer: Writer): void {
  writer.u16(2);
}

/** Checks an SMB2 SET_INFO Response (MS-SMB2 2.2.40). */
export function decodeSetInfoResponse(reader: Reader): void {
  expectStructureSize(reader, 2, "SET_INFO response");
}
