// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { expectStructureSize } from "./layout.ts";
import { decodeOutputBuffer, encodeOutputBuffer } from "./output-buffer.ts";

/** SMB2 CHANGE_NOTIFY Request (MS-SMB2 2.2.35). */
export interface ChangeNotifyRequest {
  /** `ChangeNotifyFlag` bits. */
  readonly flags: number;
  /** Bytes of output that the client takes. */
  readonly outputBufferLength: number;
  readonly fileId: FileId;
  /** `CompletionFilter` bits. */
  readonly completionFilter: number;
}

/** Reads an SMB2 CHANGE_NOTIFY Request (MS-SMB2 2.2.35). */
export function decodeChangeNotifyRequest(reader: Reader): ChangeNotifyRequest {
  expectStructureSize(reader, 32, "CHANGE_NOTIFY request");
  const flags = reader.u16();
  const outputBufferLength = reader.u32();
  const fileId = decodeFileId(reader);
  const completionFilter = reader.u32();
  reader.skip(4);
  return { flags, outputBufferLength, fileId, completionFilter };
}

/** Writes an SMB2 CHANGE_NOTIFY Request (MS-SMB2 2.2.35). */
export function encodeChangeNotifyRequest(writer: Writer, request: ChangeNotifyRequest): void {
  writer.u16(32);
  writer.u16(request.flags);
  writer.u32(request.outputBufferLength);
  encodeFileId(writer, request.fileId);
  writer.u32(request.completionFilter);
  writer.u32(0);
}

/** SMB2 CHANGE_NOTIFY Response (MS-SMB2 2.2.36). */
export interface ChangeNotifyResponse {
  /** List of FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1). */
  readonly output: Buffer;
}

/** Writes an SMB2 CHANGE_NOTIFY Response (MS-SMB2 2.2.36). */
export function encodeChangeNotifyResponse(writer: Writer, response: ChangeNotifyResponse): void {
  encodeOutputBuffer(writer, response.output);
}

/** Reads an SMB2 CHANGE_NOTIFY Response (MS-SMB2 2.2.36). */
export function decodeChangeNotifyResponse(reader: Reader): ChangeNotifyResponse {
  return { output: decodeOutputBuffer(reader, "CHANGE_NOTIFY response") };
}
