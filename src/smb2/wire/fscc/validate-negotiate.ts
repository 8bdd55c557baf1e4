// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";
import { writeFixed } from "../layout.ts";

/** Bytes of the VALIDATE_NEGOTIATE_INFO response; a smaller output buffer ends the connection (MS-SMB2 3.3.5.15.12). */
export const VALIDATE_NEGOTIATE_INFO_RESPONSE_LENGTH = 24;

/** VALIDATE_NEGOTIATE_INFO request (MS-SMB2 2.2.31.4): what the client sent in its NEGOTIATE. */
export interface ValidateNegotiateInfoRequest {
  readonly capabilities: number;
  /** 16 bytes; decoded, a view into the request. */
  readonly guid: Buffer;
  readonly securityMode: number;
  /** Dialect revisions in the order of the client. */
  readonly dialects: readonly number[];
}

/** VALIDATE_NEGOTIATE_INFO response (MS-SMB2 2.2.32.6): what the server answered. */
export interface ValidateNegotiateInfoResponse {
  readonly capabilities: number;
  /** 16 bytes. */
  readonly guid: Buffer;
  readonly securityMode: number;
  readonly dialect: number;
}

export function encodeValidateNegotiateInfoRequest(writer: Writer, request: ValidateNegotiateInfoRequest): void {
  writer.u32(request.capabilities);
  writeFixed(writer, request.guid, 16, "Guid");
  writer.u16(request.securityMode);
  writer.u16(request.dialects.length);
  for (const dialect of request.dialects) writer.u16(dialect);
}

export function decodeValidateNegotiateInfoRequest(reader: Reader): ValidateNegotiateInfoRequest {
  const capabilities = reader.u32();
  const guid = reader.bytes(16);
  const securityMode = reader.u16();
  const count = reader.u16();
  const dialects: number[] = [];
  for (let i = 0; i < count; i++) dialects.push(reader.u16());
  return { capabilities, guid, securityMode, dialects };
}

export function encodeValidateNegotiateInfoResponse(writer: Writer, response: ValidateNegotiateInfoResponse): void {
  writer.u32(response.capabilities);
  writeFixed(writer, response.guid, 16, "Guid");
  writer.u16(response.securityMode);
  writer.u16(response.dialect);
}

export function decodeValidateNegotiateInfoResponse(reader: Reader): ValidateNegotiateInfoResponse {
  return { capabilities: reader.u32(), guid: reader.bytes(16), securityMode: reader.u16(), dialect: reader.u16() };
}
