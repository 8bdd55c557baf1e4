// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../nt/filetime.ts";
import { type CreateContext, decodeCreateContexts, encodeCreateContexts } from "./create-contexts.ts";
import { MalformedPacketError, type Reader, type Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { HEADER_SIZE } from "./header.ts";
import { expectAligned8, expectStructureSize, fitsU16, textLength, variablePart, variableText } from "./layout.ts";

const REQUEST_SIZE = 57;
const REQUEST_BUFFER_OFFSET = HEADER_SIZE + 56;
const RESPONSE_BUFFER_OFFSET = HEADER_SIZE + 88;

/** SMB2 CREATE Request (MS-SMB2 2.2.13). */
export interface CreateRequest {
  /** `OplockLevel` value. */
  readonly requestedOplockLevel: number;
  /** `ImpersonationLevel` value. */
  readonly impersonationLevel: number;
  /** Access mask. */
  readonly desiredAccess: number;
  /** `FileAttribute` bits. */
  readonly fileAttributes: number;
  /** `ShareAccess` bits. */
  readonly shareAccess: number;
  /** `CreateDisposition` value. */
  readonly createDisposition: number;
  /** `CreateOption` bits. */
  readonly createOptions: number;
  /** Relative to the share, components separated by `\`; empty for the root. Not checked for valid characters. */
  readonly name: string;
  readonly contexts: readonly CreateContext[];
}

/**
 * Reads an SMB2 CREATE Request with the chain of its create contexts (MS-SMB2 2.2.13, 3.3.5.9). The data of the contexts
 * are decoded by the codecs of create-contexts.ts.
 */
export function decodeCreateRequest(reader: Reader): CreateRequest {
  if (reader.remaining < REQUEST_SIZE)
    throw new MalformedPacketError("CREATE request is shorter than its StructureSize");
  expectStructureSize(reader, REQUEST_SIZE, "CREATE request");
  reader.skip(1);
  const requestedOplockLevel = reader.u8();
  const impersonationLevel = reader.u32();
  reader.skip(16);
  const desiredAccess = reader.u32();
  const fileAttributes = reader.u32();
  const shareAccess = reader.u32();
  const createDisposition = reader.u32();
  const createOptions = reader.u32();
  const nameOffset = reader.u16();
  const nameLength = reader.u16();
  const contextsOffset = reader.u32();
  const contextsLength = reader.u32();
  return {
    requestedOplockLevel,
    impersonationLevel,
    desiredAccess,
    fileAttributes,
    shareAccess,
    createDisposition,
    createOptions,
    name: variableText(reader, nameOffset, nameLength, REQUEST_BUFFER_OFFSET, "CREATE name"),
    contexts: contextList(reader, contextsOffset, contextsLength, REQUEST_BUFFER_OFFSET),
  };
}

function contextList(reader: Reader, offset: number, length: number, minimum: number): CreateContext[] {
  if (length === 0) return [];
  expectAligned8(offset, "CreateContextsOffset");
  return decodeCreateContexts(variablePart(reader, offset, length, minimum, "CreateContexts"));
}

/** Writes an SMB2 CREATE Request (MS-SMB2 2.2.13). */
export function encodeCreateRequest(writer: Writer, request: CreateRequest): void {
  writer.u16(REQUEST_SIZE);
  writer.u8(0);
  writer.u8(request.requestedOplockLevel);
  writer.u32(request.impersonationLevel);
  writer.zeros(16);
  writer.u32(request.desiredAccess);
  writer.u32(request.fileAttributes);
  writer.u32(request.shareAccess);
  writer.u32(request.createDisposition);
  writer.u32(request.createOptions);
  writer.u16(REQUEST_BUFFER_OFFSET);
  writer.u16(fitsU16(textLength(request.name), "CREATE name"));
  const contextFields = writer.position;
  writer.zeros(8);
  writer.utf16(request.name);
  if (request.contexts.length > 0) {
    encodeContextList(writer, contextFields, request.contexts);
  } else if (request.name.length === 0) {
    writer.u8(0); // The Buffer of a request holds at least one byte.
  }
}

function encodeContextList(writer: Writer, fields: number, contexts: readonly CreateContext[]): void {
  writer.align(8);
  const offset = writer.offset;
  encodeCreateContexts(writer, contexts);
  writer.patchU32(fields, offset);
  writer.patchU32(fields + 4, writer.offset - offset);
}

/** SMB2 CREATE Response (MS-SMB2 2.2.14). */
export interface CreateResponse {
  /** `OplockLevel` value. */
  readonly oplockLevel: number;
  /** `CreateResponseFlag` bits. */
  readonly flags: number;
  /** `CreateAction` value. */
  readonly createAction: number;
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
  readonly fileId: FileId;
  readonly contexts: readonly CreateContext[];
}

/** Writes an SMB2 CREATE Response (MS-SMB2 2.2.14). */
export function encodeCreateResponse(writer: Writer, response: CreateResponse): void {
  writer.u16(89);
  writer.u8(response.oplockLevel);
  writer.u8(response.flags);
  writer.u32(response.createAction);
  writer.u64(response.creationTime);
  writer.u64(response.lastAccessTime);
  writer.u64(response.lastWriteTime);
  writer.u64(response.changeTime);
  writer.u64(response.allocationSize);
  writer.u64(response.endOfFile);
  writer.u32(response.fileAttributes);
  writer.u32(0);
  encodeFileId(writer, response.fileId);
  const contextFields = writer.position;
  writer.zeros(8);
  if (response.contexts.length > 0) encodeContextList(writer, contextFields, response.contexts);
}

/** Reads an SMB2 CREATE Response (MS-SMB2 2.2.14). */
export function decodeCreateResponse(reader: Reader): CreateResponse {
  expectStructureSize(reader, 89, "CREATE response");
  const oplockLevel = reader.u8();
  const flags = reader.u8();
  const createAction = reader.u32();
  const creationTime = reader.u64();
  const lastAccessTime = reader.u64();
  const lastWriteTime = reader.u64();
  const changeTime = reader.u64();
  const allocationSize = reader.u64();
  const endOfFile = reader.u64();
  const fileAttributes = reader.u32();
  reader.skip(4);
  const fileId = decodeFileId(reader);
  const contextsOffset = reader.u32();
  const contextsLength = reader.u32();
  return {
    oplockLevel,
    flags,
    createAction,
    creationTime,
    lastAccessTime,
    lastWriteTime,
    changeTime,
    allocationSize,
    endOfFile,
    fileAttributes,
    fileId,
    contexts: contextList(reader, contextsOffset, contextsLength, RESPONSE_BUFFER_OFFSET),
  };
}
