// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, type Reader, type Writer } from "./cursor.ts";

/** An empty variable part. */
export const EMPTY: Buffer = Buffer.alloc(0);

/** Reads the StructureSize that starts every body and compares it (MS-SMB2 2.2). */
export function expectStructureSize(reader: Reader, size: number, name: string): void {
  const found = reader.u16();
  if (found !== size) throw new MalformedPacketError(`${name}: StructureSize ${found} is not ${size}`);
}

/**
 * The view that a pair of Offset and Length fields describes, counted from the SMB2 header. The offset of an empty part
 * means nothing and is ignored; any other part must begin behind the fixed part, at `minimum` or later, and must end
 * within the message.
 */
export function variablePart(reader: Reader, offset: number, length: number, minimum: number, name: string): Buffer {
  if (length === 0) return EMPTY;
  if (offset < minimum) {
    throw new MalformedPacketError(`${name}: offset ${offset} lies inside the fixed part of ${minimum} bytes`);
  }
  return reader.at(offset, length);
}

/** {@link variablePart} as UTF-16LE text; an odd length is malformed. Unpaired surrogates are kept. */
export function variableText(reader: Reader, offset: number, length: number, minimum: number, name: string): string {
  if (length % 2 !== 0) throw new MalformedPacketError(`${name}: odd length ${length}`);
  return variablePart(reader, offset, length, minimum, name).toString("utf16le");
}

/** Rounds up to a multiple of 8, the alignment of most lists and buffers (MS-SMB2 2.2). */
export function align8(value: number): number {
  return Math.ceil(value / 8) * 8;
}

/** Rejects an offset that is not a multiple of 8. */
export function expectAligned8(offset: number, name: string): void {
  if (offset % 8 !== 0) throw new MalformedPacketError(`${name}: offset ${offset} is not a multiple of 8`);
}

/** Writes exactly `size` bytes: the identifiers and keys whose length the layout fixes. */
export function writeFixed(writer: Writer, value: Uint8Array, size: number, name: string): void {
  if (value.length !== size) throw new RangeError(`${name}: ${value.length} bytes, not ${size}`);
  writer.bytes(value);
}

/** Reads the bodies that hold only a StructureSize of 4 and two reserved bytes (MS-SMB2 2.2.7 and others). */
export function decodeEmptyBody(reader: Reader, name: string): void {
  expectStructureSize(reader, 4, name);
  reader.skip(2);
}

/** Writes the bodies that hold only a StructureSize of 4 and two reserved bytes (MS-SMB2 2.2.8 and others). */
export function encodeEmptyBody(writer: Writer): void {
  writer.u16(4);
  writer.u16(0);
}

/** Length of a text on the wire, in bytes of UTF-16LE. */
export function textLength(text: string): number {
  return text.length * 2;
}

/** Throws where a length does not fit the field that shall carry it: a bug of the caller, not of the peer. */
export function fitsU16(value: number, name: string): number {
  if (value > 0xffff) throw new RangeError(`${name}: ${value} does not fit 16 bits`);
  return value;
}
