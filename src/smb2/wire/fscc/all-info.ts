// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";
import { decodeFileBasicInformation, encodeFileBasicInformation, type FileBasicInformation } from "./basic-info.ts";
import { decodeFileNameInformation, encodeFileNameInformation } from "./name-info.ts";
import {
  decodeFileStandardInformation,
  encodeFileStandardInformation,
  type FileStandardInformation,
} from "./size-info.ts";

/** FILE_ALL_INFORMATION (MS-FSCC 2.4.2), 100 bytes and the name. */
export interface FileAllInformation {
  readonly basic: FileBasicInformation;
  readonly standard: FileStandardInformation;
  readonly fileId: bigint;
  /** Bytes. */
  readonly eaSize: number;
  readonly accessFlags: number;
  readonly currentByteOffset: bigint;
  /** `FileMode` bits. */
  readonly mode: number;
  readonly alignmentRequirement: number;
  /** `""` is what MS-SMB2 3.3.5.20.1 asks of a server. */
  readonly name: string;
}

/** Bytes before NameInformation. */
const NAME_OFFSET = 96;

/**
 * Writes at most `room` bytes, the fixed part always.
 * @returns false where the name was cut short: BUFFER_OVERFLOW
 */
export function encodeFileAllInformation(
  writer: Writer,
  info: FileAllInformation,
  room = Number.POSITIVE_INFINITY,
): boolean {
  encodeFileBasicInformation(writer, info.basic);
  encodeFileStandardInformation(writer, info.standard);
  writer.u64(info.fileId);
  writer.u32(info.eaSize);
  writer.u32(info.accessFlags);
  writer.i64(info.currentByteOffset);
  writer.u32(info.mode);
  writer.u32(info.alignmentRequirement);
  return encodeFileNameInformation(writer, info.name, room - NAME_OFFSET);
}

export function decodeFileAllInformation(reader: Reader): FileAllInformation {
  const basic = decodeFileBasicInformation(reader);
  const standard = decodeFileStandardInformation(reader);
  const fileId = reader.u64();
  const eaSize = reader.u32();
  const accessFlags = reader.u32();
  const currentByteOffset = reader.i64();
  const mode = reader.u32();
  const alignmentRequirement = reader.u32();
  const name = decodeFileNameInformation(reader);
  return {
    basic,
    standard,
    fileId,
    eaSize,
    accessFlags,
    currentByteOffset,
    mode,
    alignmentRequirement,
    name,
  };
}
