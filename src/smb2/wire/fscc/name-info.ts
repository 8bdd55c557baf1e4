// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** Bytes before FileName. */
const FIXED_LENGTH = 4;

/**
 * FILE_NAME_INFORMATION (MS-FSCC 2.1.7), the structure of FileNameInformation, FileAlternateNameInformation,
 * FileNormalizedNameInformation and FileShortNameInformation. At most `room` bytes are written, the fixed part always;
 * FileNameLength tells the length of the whole name.
 * @returns false where the name was cut short: BUFFER_OVERFLOW (MS-FSA 2.1.5.12.19)
 */
export function encodeFileNameInformation(writer: Writer, name: string, room = Number.POSITIVE_INFINITY): boolean {
  writer.u32(name.length * 2);
  return encodeTail(writer, name, room - FIXED_LENGTH);
}

/**
 * Writes text that ends a structure, as many whole characters as `room` bytes hold.
 * @returns false where it was cut short
 */
export function encodeTail(writer: Writer, text: string, room: number): boolean {
  const complete = text.length * 2 <= room;
  writer.utf16(complete ? text : text.slice(0, Math.max(0, Math.floor(room / 2))));
  return complete;
}

/** @throws MalformedPacketError where FileNameLength is odd or reaches beyond the payload */
export function decodeFileNameInformation(reader: Reader): string {
  return reader.utf16(reader.u32());
}
