// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../nt/filetime.ts";
import { Dialect } from "./constants.ts";
import type { Reader, Writer } from "./cursor.ts";
import { HEADER_SIZE } from "./header.ts";
import { expectStructureSize, fitsU16, variablePart, writeFixed } from "./layout.ts";
import { decodeNegotiateContexts, encodeNegotiateContexts, type NegotiateContext } from "./negotiate-contexts.ts";

const REQUEST_SIZE = 36;
const RESPONSE_FIXED_SIZE = 64;
const SECURITY_BUFFER_OFFSET = HEADER_SIZE + RESPONSE_FIXED_SIZE;

/** SMB2 NEGOTIATE Request (MS-SMB2 2.2.3). */
export interface NegotiateRequest {
  /** `SecurityMode` bits. */
  readonly securityMode: number;
  /** `GlobalCapability` bits. */
  readonly capabilities: number;
  /** 16 bytes. */
  readonly clientGuid: Buffer;
  /** In the order of the client; may be empty and may hold unknown values. */
  readonly dialects: readonly number[];
  /** Empty unless `dialects` holds SMB 3.1.1. */
  readonly contexts: readonly NegotiateContext[];
}

/** Reads an SMB2 NEGOTIATE Request (MS-SMB2 2.2.3). An empty list of dialects is not rejected here. */
export function decodeNegotiateRequest(reader: Reader): NegotiateRequest {
  expectStructureSize(reader, REQUEST_SIZE, "NEGOTIATE request");
  const dialectCount = reader.u16();
  const securityMode = reader.u16();
  reader.skip(2);
  const capabilities = reader.u32();
  const clientGuid = reader.bytes(16);
  const contextOffset = reader.u32();
  const contextCount = reader.u16();
  reader.skip(2);
  const dialects: number[] = [];
  for (let index = 0; index < dialectCount; index += 1) dialects.push(reader.u16());
  const contexts = dialects.includes(Dialect.SMB_3_1_1)
    ? decodeNegotiateContexts(reader, contextOffset, contextCount, reader.position)
    : [];
  return { securityMode, capabilities, clientGuid, dialects, contexts };
}

/** Writes an SMB2 NEGOTIATE Request (MS-SMB2 2.2.3). */
export function encodeNegotiateRequest(writer: Writer, request: NegotiateRequest): void {
  const { dialects, contexts } = request;
  writer.u16(REQUEST_SIZE);
  writer.u16(fitsU16(dialects.length, "Dialects"));
  writer.u16(request.securityMode);
  writer.u16(0);
  writer.u32(request.capabilities);
  writeFixed(writer, request.clientGuid, 16, "ClientGuid");
  const contextFields = writer.position;
  writer.zeros(8);
  for (const dialect of dialects) writer.u16(dialect);
  if (dialects.includes(Dialect.SMB_3_1_1)) {
    writer.patchU16(contextFields + 4, contexts.length);
    writer.patchU32(contextFields, encodeNegotiateContexts(writer, contexts));
  }
}

/** SMB2 NEGOTIATE Response (MS-SMB2 2.2.4). */
export interface NegotiateResponse {
  /** `SecurityMode` bits. */
  readonly securityMode: number;
  /** DialectRevision, a `Dialect` value. */
  readonly dialect: number;
  /** 16 bytes. */
  readonly serverGuid: Buffer;
  /** `GlobalCapability` bits. */
  readonly capabilities: number;
  /** Bytes. */
  readonly maxTransactSize: number;
  /** Bytes. */
  readonly maxReadSize: number;
  /** Bytes. */
  readonly maxWriteSize: number;
  readonly systemTime: FileTime;
  readonly serverStartTime: FileTime;
  /** GSS token; empty leaves the choice of the mechanism to the client. */
  readonly securityBuffer: Buffer;
  /** Written only where `dialect` is SMB 3.1.1. */
  readonly contexts: readonly NegotiateContext[];
}

/** Writes an SMB2 NEGOTIATE Response (MS-SMB2 2.2.4). */
export function encodeNegotiateResponse(writer: Writer, response: NegotiateResponse): void {
  const withContexts = response.dialect === Dialect.SMB_3_1_1;
  writer.u16(65);
  writer.u16(response.securityMode);
  writer.u16(response.dialect);
  writer.u16(withContexts ? response.contexts.length : 0);
  writeFixed(writer, response.serverGuid, 16, "ServerGuid");
  writer.u32(response.capabilities);
  writer.u32(response.maxTransactSize);
  writer.u32(response.maxReadSize);
  writer.u32(response.maxWriteSize);
  writer.u64(response.systemTime);
  writer.u64(response.serverStartTime);
  writer.u16(SECURITY_BUFFER_OFFSET);
  writer.u16(fitsU16(response.securityBuffer.length, "SecurityBuffer"));
  const contextOffset = writer.position;
  writer.u32(0);
  writer.bytes(response.securityBuffer);
  if (withContexts) writer.patchU32(contextOffset, encodeNegotiateContexts(writer, response.contexts));
}

/** Reads an SMB2 NEGOTIATE Response (MS-SMB2 2.2.4). */
export function decodeNegotiateResponse(reader: Reader): NegotiateResponse {
  expectStructureSize(reader, 65, "NEGOTIATE response");
  const securityMode = reader.u16();
  const dialect = reader.u16();
  const contextCount = reader.u16();
  const serverGuid = reader.bytes(16);
  const capabilities = reader.u32();
  const maxTransactSize = reader.u32();
  const maxReadSize = reader.u32();
  const maxWriteSize = reader.u32();
  const systemTime = reader.u64();
  const serverStartTime = reader.u64();
  const bufferOffset = reader.u16();
  const bufferLength = reader.u16();
  const contextOffset = reader.u32();
  const securityBuffer = variablePart(reader, bufferOffset, bufferLength, SECURITY_BUFFER_OFFSET, "SecurityBuffer");
  const contexts =
    dialect === Dialect.SMB_3_1_1
      ? decodeNegotiateContexts(reader, contextOffset, contextCount, SECURITY_BUFFER_OFFSET)
      : [];
  return {
    securityMode,
    dialect,
    serverGuid,
    capabilities,
    maxTransactSize,
    maxReadSize,
    maxWriteSize,
    systemTime,
    serverStartTime,
    securityBuffer,
    contexts,
  };
}
