// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { HEADER_SIZE } from "./header.ts";
import { align8, EMPTY, expectAligned8, expectStructureSize, variablePart } from "./layout.ts";

const REQUEST_BUFFER_OFFSET = HEADER_SIZE + 56;
const RESPONSE_BUFFER_OFFSET = HEADER_SIZE + 48;

/** SMB2 IOCTL Request (MS-SMB2 2.2.31). */
export interface IoctlRequest {
  /** `Fsctl` value, or one that is not known. */
  readonly ctlCode: number;
  /** `NO_FILE_ID` where the control code concerns no Open. */
  readonly fileId: FileId;
  readonly input: Buffer;
  /** Bytes of input data that the response may carry. */
  readonly maxInputResponse: number;
  /** Bytes that the client claims to send as output data; the server takes it only for the CreditCharge. */
  readonly outputCount: number;
  /** Bytes of output data that the response may carry. */
  readonly maxOutputResponse: number;
  /** `IoctlFlag` bits. */
  readonly flags: number;
}

/**
 * Reads an SMB2 IOCTL Request (MS-SMB2 2.2.31, 3.3.5.15). Input that is not empty must begin at a multiple of 8 behind
 * the fixed part and must end within the message; OutputOffset is ignored.
 */
export function decodeIoctlRequest(reader: Reader): IoctlRequest {
  expectStructureSize(reader, 57, "IOCTL request");
  reader.skip(2);
  const ctlCode = reader.u32();
  const fileId = decodeFileId(reader);
  const inputOffset = reader.u32();
  const inputCount = reader.u32();
  const maxInputResponse = reader.u32();
  reader.skip(4);
  const outputCount = reader.u32();
  const maxOutputResponse = reader.u32();
  const flags = reader.u32();
  reader.skip(4);
  if (inputCount !== 0) expectAligned8(inputOffset, "IOCTL InputOffset");
  const input = variablePart(reader, inputOffset, inputCount, REQUEST_BUFFER_OFFSET, "IOCTL input");
  return { ctlCode, fileId, input, maxInputResponse, outputCount, maxOutputResponse, flags };
}

/** Writes an SMB2 IOCTL Request; OutputCount is what the caller claims, no output data are sent (MS-SMB2 2.2.31). */
export function encodeIoctlRequest(writer: Writer, request: IoctlRequest): void {
  writer.u16(57);
  writer.u16(0);
  writer.u32(request.ctlCode);
  encodeFileId(writer, request.fileId);
  writer.u32(request.input.length > 0 ? REQUEST_BUFFER_OFFSET : 0);
  writer.u32(request.input.length);
  writer.u32(request.maxInputResponse);
  writer.u32(0);
  writer.u32(request.outputCount);
  writer.u32(request.maxOutputResponse);
  writer.u32(request.flags);
  writer.u32(0);
  writer.bytes(request.input);
}

/** SMB2 IOCTL Response (MS-SMB2 2.2.32). */
export interface IoctlResponse {
  readonly ctlCode: number;
  readonly fileId: FileId;
  /** Input data that go back to the client: empty but for pass-through operations (MS-SMB2 3.3.5.15.8). */
  readonly input: Buffer;
  readonly output: Buffer;
}

/** Writes an SMB2 IOCTL Response (MS-SMB2 2.2.32). */
export function encodeIoctlResponse(writer: Writer, response: IoctlResponse): void {
  const { input, output } = response;
  writer.u16(49);
  writer.u16(0);
  writer.u32(response.ctlCode);
  encodeFileId(writer, response.fileId);
  writer.u32(RESPONSE_BUFFER_OFFSET);
  writer.u32(input.length);
  writer.u32(align8(RESPONSE_BUFFER_OFFSET + input.length));
  writer.u32(output.length);
  writer.u32(0);
  writer.u32(0);
  writer.bytes(input);
  if (output.length === 0) return;
  writer.align(8);
  writer.bytes(output);
}

/** Reads an SMB2 IOCTL Response (MS-SMB2 2.2.32). */
export function decodeIoctlResponse(reader: Reader): IoctlResponse {
  expectStructureSize(reader, 49, "IOCTL response");
  reader.skip(2);
  const ctlCode = reader.u32();
  const fileId = decodeFileId(reader);
  const inputOffset = reader.u32();
  const inputCount = reader.u32();
  const outputOffset = reader.u32();
  const outputCount = reader.u32();
  reader.skip(8);
  return {
    ctlCode,
    fileId,
    input: variablePart(reader, inputOffset, inputCount, RESPONSE_BUFFER_OFFSET, "IOCTL input"),
    output: variablePart(reader, outputOffset, outputCount, RESPONSE_BUFFER_OFFSET, "IOCTL output"),
  };
}

/** An IOCTL response that carries no input data (MS-SMB2 2.2.32). */
export function ioctlOutput(request: IoctlRequest, output: Buffer): IoctlResponse {
  return { ctlCode: request.ctlCode, fileId: request.fileId, input: EMPTY, output };
}
