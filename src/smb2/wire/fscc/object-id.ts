// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";
import { writeFixed } from "../layout.ts";

/** Bytes of a FILE_OBJECTID_BUFFER. */
export const FILE_OBJECTID_BUFFER_LENGTH = 64;

/**
 * FILE_OBJECTID_BUFFER (MS-FSCC 2.1.3): of FSCTL_GET_OBJECT_ID, FSCTL_CREATE_OR_GET_OBJECT_ID and FSCTL_SET_OBJECT_ID.
 * Both types have the same bytes; in type 1 ExtendedInfo holds BirthVolumeId, BirthObjectId and DomainId.
 */
export interface FileObjectIdBuffer {
  /** 16 bytes. */
  readonly objectId: Buffer;
  /** 48 bytes. */
  readonly extendedInfo: Buffer;
}

export function encodeFileObjectIdBuffer(writer: Writer, buffer: FileObjectIdBuffer): void {
  writeFixed(writer, buffer.objectId, 16, "ObjectId");
  encodeObjectIdExtendedInfo(writer, buffer.extendedInfo);
}

/** Both members are views. */
export function decodeFileObjectIdBuffer(reader: Reader): FileObjectIdBuffer {
  return { objectId: reader.bytes(16), extendedInfo: decodeObjectIdExtendedInfo(reader) };
}

/** EXTENDED_INFO of FSCTL_SET_OBJECT_ID_EXTENDED (MS-FSCC 2.3.79): 48 bytes. */
export function encodeObjectIdExtendedInfo(writer: Writer, extendedInfo: Buffer): void {
  writeFixed(writer, extendedInfo, 48, "ExtendedInfo");
}

/** A view. */
export function decodeObjectIdExtendedInfo(reader: Reader): Buffer {
  return reader.bytes(48);
}
