// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Writer } from "../cursor.ts";

/** The file cannot be understood without this attribute (MS-FSCC 2.4.16). */
export const FILE_NEED_EA = 0x80;

/** One FILE_FULL_EA_INFORMATION element (MS-FSCC 2.4.16). */
export interface FullEaInformation {
  /** ASCII, 1 to 254 characters. */
  readonly name: string;
  /** {@link FILE_NEED_EA} or 0. */
  readonly flags: number;
  /** At most 65535 bytes; decoded, a view into the request. Empty removes the attribute when set. */
  readonly value: Buffer;
}

/** Bytes before EaName. */
const FULL_FIXED_LENGTH = 8;
const GET_FIXED_LENGTH = 5;
const MAXIMUM_NAME_LENGTH = 254;

/** What EaName must not hold: control characters, the characters of MS-FSCC 2.4.16, and all that is not ASCII. */
const FORBIDDEN_IN_NAME = new Set('\\/:*?"<>|,+=[];');

/** Whether the name is one that MS-FSCC 2.4.16 allows. */
export function isValidEaName(name: string): boolean {
  if (name.length === 0 || name.length > MAXIMUM_NAME_LENGTH) return false;
  for (const character of name) {
    if (character < " " || character > "\u007f" || FORBIDDEN_IN_NAME.has(character)) return false;
  }
  return true;
}

function align4(value: number): number {
  return (value + 3) & ~3;
}

/** Bytes of one element without the padding to the next. */
function fullEaLength(ea: FullEaInformation): number {
  return FULL_FIXED_LENGTH + ea.name.length + 1 + ea.value.length;
}

/** Bytes of the whole list, as EaSize tells them (MS-FSCC 2.4.13): 0 for an empty one. */
export function fullEaListLength(list: readonly FullEaInformation[]): number {
  let length = 0;
  for (const ea of list) length = align4(length) + fullEaLength(ea);
  return length;
}

/**
 * Writes whole elements, aligned to 4 bytes from the start of the list, as many as `room` bytes hold. When not even the
 * first fits the answer is BUFFER_TOO_SMALL, when some are left out BUFFER_OVERFLOW (MS-FSA 2.1.5.12.12).
 * @returns the number of elements written
 */
export function encodeFullEaList(
  writer: Writer,
  list: readonly FullEaInformation[],
  room = Number.POSITIVE_INFINITY,
): number {
  const start = writer.position;
  let last = -1;
  let written = 0;
  for (const ea of list) {
    const used = writer.position - start;
    const padding = align4(used) - used;
    if (used + padding + fullEaLength(ea) > room) break;
    if (ea.value.length > 0xffff) throw new RangeError(`extended attribute of ${ea.value.length} bytes`);
    writer.zeros(padding);
    if (last >= 0) writer.patchU32(last, writer.position - last);
    last = writer.position;
    writer.u32(0);
    writer.u8(ea.flags);
    writer.u8(ea.name.length);
    writer.u16(ea.value.length);
    writer.bytes(Buffer.from(ea.name, "latin1"));
    writer.u8(0);
    writer.bytes(ea.value);
    written++;
  }
  return written;
}

/**
 * Calls `visit` with the start and the end of every element of a list that is chained by a leading NextEntryOffset.
 * @throws SmbError EA_LIST_INCONSISTENT
 */
function forEachElement(list: Buffer, fixedLength: number, visit: (start: number, room: number) => number): void {
  for (let start = 0; ; ) {
    const rest = list.length - start;
    if (rest < fixedLength) throw new SmbError(NtStatus.EA_LIST_INCONSISTENT);
    const next = list.readUInt32LE(start);
    if (next % 4 !== 0 || next >= rest) throw new SmbError(NtStatus.EA_LIST_INCONSISTENT);
    const used = visit(start, next === 0 ? rest : next);
    if (used > (next === 0 ? rest : next)) throw new SmbError(NtStatus.EA_LIST_INCONSISTENT);
    if (next === 0) return;
    start += next;
  }
}

/** The name of an element, followed by a NUL. */
function elementName(list: Buffer, at: number, length: number, end: number): string {
  if (at + length + 1 > end || list[at + length] !== 0) throw new SmbError(NtStatus.EA_LIST_INCONSISTENT);
  const name = list.toString("latin1", at, at + length);
  if (!isValidEaName(name)) throw new SmbError(NtStatus.INVALID_EA_NAME);
  return name;
}

/**
 * A list of a SET_INFO request or of an SMB2_CREATE_EA_BUFFER: one element at least, in the order of the client.
 * @throws SmbError EA_LIST_INCONSISTENT lengths and offsets contradict each other (MS-SMB2 3.3.5.21.1)
 * @throws SmbError INVALID_EA_NAME a forbidden character, an empty or too long name, an unknown flag (MS-FSA 2.1.5.15.6)
 */
export function decodeFullEaList(list: Buffer): FullEaInformation[] {
  const result: FullEaInformation[] = [];
  forEachElement(list, FULL_FIXED_LENGTH, (start, room) => {
    const flags = list.readUInt8(start + 4);
    const nameLength = list.readUInt8(start + 5);
    const valueLength = list.readUInt16LE(start + 6);
    const used = FULL_FIXED_LENGTH + nameLength + 1 + valueLength;
    if (used > room) return used;
    const nameAt = start + FULL_FIXED_LENGTH;
    const name = elementName(list, nameAt, nameLength, start + room);
    if ((flags & ~FILE_NEED_EA) !== 0) throw new SmbError(NtStatus.INVALID_EA_NAME);
    const valueAt = nameAt + nameLength + 1;
    result.push({ name, flags, value: list.subarray(valueAt, valueAt + valueLength) });
    return used;
  });
  return result;
}

/** The FILE_GET_EA_INFORMATION list (MS-FSCC 2.4.16.1) that asks for these names. */
export function encodeGetEaList(writer: Writer, names: readonly string[]): void {
  const start = writer.position;
  let last = -1;
  for (const name of names) {
    const used = writer.position - start;
    writer.zeros(align4(used) - used);
    if (last >= 0) writer.patchU32(last, writer.position - last);
    last = writer.position;
    writer.u32(0);
    writer.u8(name.length);
    writer.bytes(Buffer.from(name, "latin1"));
    writer.u8(0);
  }
}

/**
 * The names that a FileFullEaInformation query asks for; an empty list asks for all.
 * @throws SmbError EA_LIST_INCONSISTENT, INVALID_EA_NAME as {@link decodeFullEaList}
 */
export function decodeGetEaList(list: Buffer): string[] {
  const names: string[] = [];
  if (list.length === 0) return names;
  forEachElement(list, GET_FIXED_LENGTH, (start, room) => {
    const nameLength = list.readUInt8(start + 4);
    const used = GET_FIXED_LENGTH + nameLength + 1;
    if (used > room) return used;
    names.push(elementName(list, start + GET_FIXED_LENGTH, nameLength, start + room));
    return used;
  });
  return names;
}
