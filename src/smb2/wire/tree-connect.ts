// SPDX-License-Identifier: Apache-2.0

import { TreeConnectFlag } from "./constants.ts";
import { MalformedPacketError, type Reader, type Writer } from "./cursor.ts";
import { HEADER_SIZE } from "./header.ts";
import { align8, expectAligned8, expectStructureSize, fitsU16, textLength, variableText } from "./layout.ts";

const REQUEST_FIXED_SIZE = 8;
const REQUEST_BUFFER_OFFSET = HEADER_SIZE + REQUEST_FIXED_SIZE;
const EXTENSION_SIZE = 16;

/** SMB2_TREE_CONNECT_CONTEXT (MS-SMB2 2.2.9.2). */
export interface TreeConnectContext {
  /** `TreeConnectContextType` value, or one that is not known. */
  readonly type: number;
  readonly data: Buffer;
}

/** SMB2 TREE_CONNECT Request, with its extension of SMB 3.1.1 (MS-SMB2 2.2.9, 2.2.9.1). */
export interface TreeConnectRequest {
  /** `TreeConnectFlag` bits. */
  readonly flags: number;
  /** `\\server\share`. */
  readonly path: string;
  /** Empty unless `flags` holds EXTENSION_PRESENT. */
  readonly contexts: readonly TreeConnectContext[];
}

/**
 * Reads an SMB2 TREE_CONNECT Request (MS-SMB2 2.2.9). The extension is read only where `dialectHasFlags` says that the
 * dialect is SMB 3.1.1: in all others the field of the flags is reserved, and is given as 0.
 */
export function decodeTreeConnectRequest(reader: Reader, dialectHasFlags = true): TreeConnectRequest {
  expectStructureSize(reader, 9, "TREE_CONNECT request");
  const field = reader.u16();
  const flags = dialectHasFlags ? field : 0;
  const pathOffset = reader.u16();
  const pathLength = reader.u16();
  if ((flags & TreeConnectFlag.EXTENSION_PRESENT) === 0) {
    const path = variableText(reader, pathOffset, pathLength, REQUEST_BUFFER_OFFSET, "TREE_CONNECT path");
    return { flags, path, contexts: [] };
  }
  const contextOffset = reader.u32();
  const contextCount = reader.u16();
  reader.skip(10);
  const minimum = REQUEST_BUFFER_OFFSET + EXTENSION_SIZE;
  const path = variableText(reader, pathOffset, pathLength, minimum, "TREE_CONNECT path");
  // Counted from the body, not from the header, unlike every other offset of a request.
  return { flags, path, contexts: decodeContexts(reader, HEADER_SIZE + contextOffset, contextCount, minimum) };
}

function decodeContexts(reader: Reader, offset: number, count: number, minimum: number): TreeConnectContext[] {
  const contexts: TreeConnectContext[] = [];
  if (count === 0) return contexts;
  expectAligned8(offset, "TreeConnectContextOffset");
  if (offset < minimum) throw new MalformedPacketError("TreeConnectContextOffset lies inside the fixed part");
  let at = offset;
  for (let index = 0; index < count; index += 1) {
    reader.seek(at);
    const type = reader.u16();
    const length = reader.u16();
    reader.skip(4);
    contexts.push({ type, data: reader.bytes(length) });
    at = align8(reader.position);
  }
  return contexts;
}

/** Writes an SMB2 TREE_CONNECT Request; `flags` decides whether the extension is there (MS-SMB2 2.2.9). */
export function encodeTreeConnectRequest(writer: Writer, request: TreeConnectRequest): void {
  const extended = (request.flags & TreeConnectFlag.EXTENSION_PRESENT) !== 0;
  writer.u16(9);
  writer.u16(request.flags);
  writer.u16(REQUEST_BUFFER_OFFSET + (extended ? EXTENSION_SIZE : 0));
  writer.u16(fitsU16(textLength(request.path), "TREE_CONNECT path"));
  if (!extended) {
    writer.utf16(request.path);
    return;
  }
  const extension = writer.position;
  writer.zeros(EXTENSION_SIZE);
  writer.utf16(request.path);
  writer.align(8);
  writer.patchU32(extension, writer.offset - HEADER_SIZE);
  writer.patchU16(extension + 4, request.contexts.length);
  for (const { type, data } of request.contexts) {
    writer.align(8);
    writer.u16(type);
    writer.u16(fitsU16(data.length, "TREE_CONNECT context"));
    writer.u32(0);
    writer.bytes(data);
  }
}

/** SMB2 TREE_CONNECT Response (MS-SMB2 2.2.10). */
export interface TreeConnectResponse {
  /** `ShareType` value. */
  readonly shareType: number;
  /** `ShareFlag` bits. */
  readonly shareFlags: number;
  /** `ShareCapability` bits. */
  readonly capabilities: number;
  /** Access mask. */
  readonly maximalAccess: number;
}

/** Writes an SMB2 TREE_CONNECT Response (MS-SMB2 2.2.10). */
export function encodeTreeConnectResponse(writer: Writer, response: TreeConnectResponse): void {
  writer.u16(16);
  writer.u8(response.shareType);
  writer.u8(0);
  writer.u32(response.shareFlags);
  writer.u32(response.capabilities);
  writer.u32(response.maximalAccess);
}

/** Reads an SMB2 TREE_CONNECT Response (MS-SMB2 2.2.10). */
export function decodeTreeConnectResponse(reader: Reader): TreeConnectResponse {
  expectStructureSize(reader, 16, "TREE_CONNECT response");
  const shareType = reader.u8();
  reader.skip(1);
  return { shareType, shareFlags: reader.u32(), capabilities: reader.u32(), maximalAccess: reader.u32() };
}
