// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { HEADER_SIZE } from "./header.ts";
import { expectStructureSize, fitsU16, variablePart } from "./layout.ts";

const REQUEST_BUFFER_OFFSET = HEADER_SIZE + 24;
const RESPONSE_BUFFER_OFFSET = HEADER_SIZE + 8;

/** SMB2 SESSION_SETUP Request (MS-SMB2 2.2.5). */
export interface SessionSetupRequest {
  /** `SessionSetupFlag` bits. */
  readonly flags: number;
  /** `SecurityMode` bits. */
  readonly securityMode: number;
  /** `GlobalCapability` bits, of which only DFS has a meaning here. */
  readonly capabilities: number;
  /** Session that the client lost; 0 for none. */
  readonly previousSessionId: bigint;
  /** GSS token. */
  readonly securityBuffer: Buffer;
}

/** Reads an SMB2 SESSION_SETUP Request (MS-SMB2 2.2.5). */
export function decodeSessionSetupRequest(reader: Reader): SessionSetupRequest {
  expectStructureSize(reader, 25, "SESSION_SETUP request");
  const flags = reader.u8();
  const securityMode = reader.u8();
  const capabilities = reader.u32();
  reader.skip(4);
  const offset = reader.u16();
  const length = reader.u16();
  const previousSessionId = reader.u64();
  const securityBuffer = variablePart(reader, offset, length, REQUEST_BUFFER_OFFSET, "SecurityBuffer");
  return { flags, securityMode, capabilities, previousSessionId, securityBuffer };
}

/** Writes an SMB2 SESSION_SETUP Request (MS-SMB2 2.2.5). */
export function encodeSessionSetupRequest(writer: Writer, request: SessionSetupRequest): void {
  writer.u16(25);
  writer.u8(request.flags);
  writer.u8(request.securityMode);
  writer.u32(request.capabilities);
  writer.u32(0);
  writer.u16(REQUEST_BUFFER_OFFSET);
  writer.u16(fitsU16(request.securityBuffer.length, "SecurityBuffer"));
  writer.u64(request.previousSessionId);
  writer.bytes(request.securityBuffer);
}

/** SMB2 SESSION_SETUP Response (MS-SMB2 2.2.6). */
export interface SessionSetupResponse {
  /** `SessionFlag` bits. */
  readonly sessionFlags: number;
  /** GSS token. */
  readonly securityBuffer: Buffer;
}

/** Writes an SMB2 SESSION_SETUP Response (MS-SMB2 2.2.6). */
export function encodeSessionSetupResponse(writer: Writer, response: SessionSetupResponse): void {
  writer.u16(9);
  writer.u16(response.sessionFlags);
  writer.u16(RESPONSE_BUFFER_OFFSET);
  writer.u16(fitsU16(response.securityBuffer.length, "SecurityBuffer"));
  writer.bytes(response.securityBuffer);
}

/** Reads an SMB2 SESSION_SETUP Response (MS-SMB2 2.2.6). */
export function decodeSessionSetupResponse(reader: Reader): SessionSetupResponse {
  expectStructureSize(reader, 9, "SESSION_SETUP response");
  const sessionFlags = reader.u16();
  const offset = reader.u16();
  const length = reader.u16();
  return {
    sessionFlags,
    securityBuffer: variablePart(reader, offset, length, RESPONSE_BUFFER_OFFSET, "SecurityBuffer"),
  };
}
