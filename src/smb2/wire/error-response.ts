// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, Reader, Writer } from "./cursor.ts";
import { align8, EMPTY, expectStructureSize, fitsU16, textLength } from "./layout.ts";

/** ErrorId of an error context (MS-SMB2 2.2.2.1). */
export const ErrorId = {
  DEFAULT: 0x00000000,
  SHARE_REDIRECT: 0x72645253,
} as const;

/** SMB2 ERROR Context, SMB 3.1.1 only (MS-SMB2 2.2.2.1). */
export interface ErrorContext {
  /** `ErrorId` value. */
  readonly id: number;
  readonly data: Buffer;
}

/** SMB2 ERROR Response (MS-SMB2 2.2.2). */
export interface ErrorResponse {
  /** Not empty only in SMB 3.1.1. */
  readonly contexts: readonly ErrorContext[];
  /** ErrorData as such, where there are no contexts (MS-SMB2 2.2.2.2). */
  readonly data: Buffer;
}

/** The response of nearly every error: no data (MS-SMB2 2.2.2). */
export const EMPTY_ERROR_RESPONSE: ErrorResponse = Object.freeze({ contexts: [], data: EMPTY });

const CONTEXT_HEADER_SIZE = 8;

/** The response that carries `data` in the form of the dialect: in a context for SMB 3.1.1, bare before (MS-SMB2 2.2.2). */
export function errorResponseWithData(data: Buffer, inContext: boolean): ErrorResponse {
  return inContext ? { contexts: [{ id: ErrorId.DEFAULT, data }], data: EMPTY } : { contexts: [], data };
}

/** Writes an SMB2 ERROR Response (MS-SMB2 2.2.2). */
export function encodeErrorResponse(writer: Writer, response: ErrorResponse = EMPTY_ERROR_RESPONSE): void {
  const { contexts, data } = response;
  writer.u16(9);
  writer.u8(contexts.length);
  writer.u8(0);
  const byteCount = writer.position;
  writer.u32(0);
  const start = writer.position;
  for (const context of contexts) {
    writer.align(8);
    writer.u32(context.data.length);
    writer.u32(context.id);
    writer.bytes(context.data);
  }
  if (contexts.length === 0) writer.bytes(data);
  const size = writer.position - start;
  writer.patchU32(byteCount, size);
  // StructureSize counts one byte of ErrorData, and clients expect it to be there.
  if (size === 0) writer.u8(0);
}

/** Reads an SMB2 ERROR Response (MS-SMB2 2.2.2). */
export function decodeErrorResponse(reader: Reader): ErrorResponse {
  expectStructureSize(reader, 9, "ERROR response");
  const count = reader.u8();
  reader.skip(1);
  const data = reader.bytes(reader.u32());
  if (count === 0) return { contexts: [], data };
  const contexts: ErrorContext[] = [];
  const list = new Reader(data);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    list.seek(at);
    const length = list.u32();
    const id = list.u32();
    contexts.push({ id, data: list.bytes(length) });
    at = align8(at + CONTEXT_HEADER_SIZE + length);
  }
  return { contexts, data: EMPTY };
}

/** ErrorData of STATUS_BUFFER_TOO_SMALL: the number of bytes that would do (MS-SMB2 2.2.2.2). */
export function bufferTooSmallData(requiredLength: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(requiredLength);
  return data;
}

/** Reads the ErrorData of STATUS_BUFFER_TOO_SMALL (MS-SMB2 2.2.2.2). */
export function decodeBufferTooSmallData(data: Buffer): number {
  return new Reader(data).u32();
}

/** Symbolic Link Error Response (MS-SMB2 2.2.2.2.1). */
export interface SymbolicLinkError {
  /** Bytes of UTF-16LE at the end of the requested path that come behind the link. */
  readonly unparsedPathLength: number;
  readonly substituteName: string;
  readonly printName: string;
  /** Whether the substitute is relative to the directory of the link (SYMLINK_FLAG_RELATIVE). */
  readonly relative: boolean;
}

const SYMLINK_ERROR_TAG = 0x4c4d5953;
const IO_REPARSE_TAG_SYMLINK = 0xa000000c;
const SYMLINK_FLAG_RELATIVE = 0x00000001;
/** SubstituteNameOffset to Flags. */
const SYMLINK_REPARSE_FIXED_SIZE = 12;
/** All fields in front of PathBuffer. */
const SYMLINK_FIXED_SIZE = 28;

/** Builds the ErrorData of STATUS_STOPPED_ON_SYMLINK (MS-SMB2 2.2.2.2.1). */
export function symbolicLinkErrorData(link: SymbolicLinkError): Buffer {
  const substituteLength = textLength(link.substituteName);
  const printLength = textLength(link.printName);
  const pathLength = substituteLength + printLength;
  const writer = new Writer(SYMLINK_FIXED_SIZE + pathLength);
  writer.u32(SYMLINK_FIXED_SIZE - 4 + pathLength);
  writer.u32(SYMLINK_ERROR_TAG);
  writer.u32(IO_REPARSE_TAG_SYMLINK);
  writer.u16(fitsU16(SYMLINK_REPARSE_FIXED_SIZE + pathLength, "symbolic link"));
  writer.u16(fitsU16(link.unparsedPathLength, "UnparsedPathLength"));
  writer.u16(0);
  writer.u16(substituteLength);
  writer.u16(substituteLength);
  writer.u16(printLength);
  writer.u32(link.relative ? SYMLINK_FLAG_RELATIVE : 0);
  writer.utf16(link.substituteName);
  writer.utf16(link.printName);
  return writer.view();
}

/** Reads the ErrorData of STATUS_STOPPED_ON_SYMLINK (MS-SMB2 2.2.2.2.1). */
export function decodeSymbolicLinkErrorData(data: Buffer): SymbolicLinkError {
  const reader = new Reader(data);
  reader.skip(4);
  if (reader.u32() !== SYMLINK_ERROR_TAG) throw new MalformedPacketError("symbolic link error: wrong SymLinkErrorTag");
  if (reader.u32() !== IO_REPARSE_TAG_SYMLINK) throw new MalformedPacketError("symbolic link error: wrong ReparseTag");
  reader.skip(2);
  const unparsedPathLength = reader.u16();
  const substituteOffset = reader.u16();
  const substituteLength = reader.u16();
  const printOffset = reader.u16();
  const printLength = reader.u16();
  const relative = (reader.u32() & SYMLINK_FLAG_RELATIVE) !== 0;
  reader.seek(SYMLINK_FIXED_SIZE + substituteOffset);
  const substituteName = reader.utf16(substituteLength);
  reader.seek(SYMLINK_FIXED_SIZE + printOffset);
  return { unparsedPathLength, substituteName, printName: reader.utf16(printLength), relative };
}
