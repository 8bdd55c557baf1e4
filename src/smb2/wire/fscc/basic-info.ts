// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../../nt/attributes.ts";
import type { FileTime } from "../../../nt/filetime.ts";
import type { Reader, Writer } from "../cursor.ts";

/** FILE_BASIC_INFORMATION (MS-FSCC 2.4.7), 40 bytes. */
export interface FileBasicInformation {
  readonly creationTime: FileTime;
  readonly lastAccessTime: FileTime;
  readonly lastWriteTime: FileTime;
  readonly changeTime: FileTime;
  /** `FileAttribute` bits. */
  readonly attributes: number;
}

/** FILE_NETWORK_OPEN_INFORMATION (MS-FSCC 2.4.34), 56 bytes. Sizes in bytes. */
export interface FileNetworkOpenInformation extends FileBasicInformation {
  readonly allocationSize: number;
  readonly endOfFile: number;
}

/** FILE_ATTRIBUTE_TAG_INFORMATION (MS-FSCC 2.4.6), 8 bytes. */
export interface FileAttributeTagInformation {
  readonly attributes: number;
  /** 0 where the file is no reparse point. */
  readonly reparseTag: number;
}

/** FileAttributes of a reply: never 0, which stands for "leave unchanged" in a set request (MS-FSCC 2.6). */
export function replyAttributes(attributes: number): number {
  return attributes === 0 ? FileAttribute.NORMAL : attributes;
}

function encodeTimes(writer: Writer, info: FileBasicInformation): void {
  writer.u64(info.creationTime);
  writer.u64(info.lastAccessTime);
  writer.u64(info.lastWriteTime);
  writer.u64(info.changeTime);
}

/** A reply: attributes of 0 are sent as NORMAL. */
export function encodeFileBasicInformation(writer: Writer, info: FileBasicInformation): void {
  encodeTimes(writer, info);
  writer.u32(replyAttributes(info.attributes));
  writer.u32(0);
}

/**
 * A set request: everything as it is. A time of 0 is left unchanged, -1 stops automatic updates through this open, -2
 * resumes them; attributes of 0 are left unchanged.
 */
export function encodeFileBasicChange(writer: Writer, info: FileBasicInformation): void {
  writer.i64(info.creationTime);
  writer.i64(info.lastAccessTime);
  writer.i64(info.lastWriteTime);
  writer.i64(info.changeTime);
  writer.u32(info.attributes);
  writer.u32(0);
}

/** Times are signed: -1 and -2 have a meaning in a set request; what is below -2 is for the caller to refuse. */
export function decodeFileBasicInformation(reader: Reader): FileBasicInformation {
  const creationTime = reader.i64();
  const lastAccessTime = reader.i64();
  const lastWriteTime = reader.i64();
  const changeTime = reader.i64();
  const attributes = reader.u32();
  reader.skip(4);
  return { creationTime, lastAccessTime, lastWriteTime, changeTime, attributes };
}

export function encodeFileNetworkOpenInformation(writer: Writer, info: FileNetworkOpenInformation): void {
  encodeTimes(writer, info);
  writer.u64n(info.allocationSize);
  writer.u64n(info.endOfFile);
  writer.u32(replyAttributes(info.attributes));
  writer.u32(0);
}

export function decodeFileNetworkOpenInformation(reader: Reader): FileNetworkOpenInformation {
  const creationTime = reader.u64();
  const lastAccessTime = reader.u64();
  const lastWriteTime = reader.u64();
  const changeTime = reader.u64();
  const allocationSize = reader.u64n();
  const endOfFile = reader.u64n();
  const attributes = reader.u32();
  reader.skip(4);
  return { creationTime, lastAccessTime, lastWriteTime, changeTime, allocationSize, endOfFile, attributes };
}

export function encodeFileAttributeTagInformation(writer: Writer, info: FileAttributeTagInformation): void {
  writer.u32(replyAttributes(info.attributes));
  writer.u32(info.reparseTag);
}

export function decodeFileAttributeTagInformation(reader: Reader): FileAttributeTagInformation {
  return { attributes: reader.u32(), reparseTag: reader.u32() };
}
