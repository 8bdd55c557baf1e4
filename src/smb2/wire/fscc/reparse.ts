// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, Reader, Writer } from "../cursor.ts";
import { fitsU16, writeFixed } from "../layout.ts";

/** Reparse tags that have a meaning to the server (MS-FSCC 2.1.2.1). */
export const ReparseTag = {
  MOUNT_POINT: 0xa0000003,
  SYMLINK: 0xa000000c,
  NFS: 0x80000014,
  LX_SYMLINK: 0xa000001d,
  AF_UNIX: 0x80000023,
  LX_FIFO: 0x80000024,
  LX_CHR: 0x80000025,
  LX_BLK: 0x80000026,
} as const;

/** The high bit of a tag: owned by Microsoft, no GUID in the buffer. */
const MICROSOFT_BIT = 0x80000000;

/** SYMLINK_FLAG_RELATIVE (MS-FSCC 2.1.2.4). */
export const SYMLINK_FLAG_RELATIVE = 0x00000001;

/** Bytes of a reparse buffer at most: MAXIMUM_REPARSE_DATA_BUFFER_SIZE of Windows. */
export const MAXIMUM_REPARSE_DATA_BUFFER_SIZE = 16 * 1024;

/** REPARSE_DATA_BUFFER (MS-FSCC 2.1.2.2), or REPARSE_GUID_DATA_BUFFER (2.1.2.3) where there is a `guid`. */
export interface ReparseDataBuffer {
  readonly reparseTag: number;
  /** 16 bytes, exactly where the tag is not one of Microsoft's. */
  readonly guid?: Buffer | undefined;
  /** DataBuffer; decoded, a view. */
  readonly data: Buffer;
}

/** @throws RangeError where `guid` and the kind of tag do not agree, or the data do not fit */
export function encodeReparseDataBuffer(writer: Writer, buffer: ReparseDataBuffer): void {
  const microsoft = (buffer.reparseTag & MICROSOFT_BIT) !== 0;
  if (microsoft !== (buffer.guid === undefined)) throw new RangeError("a GUID goes with a tag that is not Microsoft's");
  writer.u32(buffer.reparseTag);
  writer.u16(fitsU16(buffer.data.length, "ReparseDataLength"));
  writer.u16(0);
  if (buffer.guid !== undefined) writeFixed(writer, buffer.guid, 16, "ReparseGuid");
  writer.bytes(buffer.data);
}

/**
 * The whole input of FSCTL_SET_REPARSE_POINT, or the output of FSCTL_GET_REPARSE_POINT.
 * @throws MalformedPacketError where ReparseDataLength does not tell exactly what follows: IO_REPARSE_DATA_INVALID
 */
export function decodeReparseDataBuffer(reader: Reader): ReparseDataBuffer {
  const reparseTag = reader.u32();
  const length = reader.u16();
  reader.skip(2);
  const guid = (reparseTag & MICROSOFT_BIT) === 0 ? reader.bytes(16) : undefined;
  if (length !== reader.remaining) {
    throw new MalformedPacketError(`ReparseDataLength ${length}, ${reader.remaining} bytes follow`);
  }
  const data = reader.bytes(length);
  return guid === undefined ? { reparseTag, data } : { reparseTag, guid, data };
}

/** The names of a symbolic link (MS-FSCC 2.1.2.4) or a mount point (2.1.2.5). */
export interface ReparseNames {
  /** The target: an NT path, or a relative one. */
  readonly substituteName: string;
  /** The target as shown to a person. */
  readonly printName: string;
}

export interface SymbolicLinkReparseData extends ReparseNames {
  /** {@link SYMLINK_FLAG_RELATIVE} or 0. */
  readonly flags: number;
}

function encodeNames(names: ReparseNames, flags: number | undefined): Buffer {
  const substituteLength = names.substituteName.length * 2;
  const printLength = names.printName.length * 2;
  // Mount points end each name with a NUL that the lengths do not count; symbolic links have none.
  const terminator = flags === undefined ? 2 : 0;
  const writer = new Writer(12 + substituteLength + printLength + 2 * terminator);
  writer.u16(0);
  writer.u16(fitsU16(substituteLength, "SubstituteNameLength"));
  writer.u16(fitsU16(substituteLength + terminator, "PrintNameOffset"));
  writer.u16(fitsU16(printLength, "PrintNameLength"));
  if (flags !== undefined) writer.u32(flags);
  writer.utf16(names.substituteName);
  writer.zeros(terminator);
  writer.utf16(names.printName);
  writer.zeros(terminator);
  return writer.view();
}

function decodeNames(reader: Reader, pathOffset: number): ReparseNames {
  const substituteOffset = reader.u16();
  const substituteLength = reader.u16();
  const printOffset = reader.u16();
  const printLength = reader.u16();
  reader.seek(pathOffset + substituteOffset);
  const substituteName = reader.utf16(substituteLength);
  reader.seek(pathOffset + printOffset);
  return { substituteName, printName: reader.utf16(printLength) };
}

/** DataBuffer of a symbolic link. @throws RangeError where a name is too long */
export function encodeSymbolicLinkReparseData(link: SymbolicLinkReparseData): Buffer {
  return encodeNames(link, link.flags);
}

/** @throws MalformedPacketError: IO_REPARSE_DATA_INVALID */
export function decodeSymbolicLinkReparseData(data: Buffer): SymbolicLinkReparseData {
  const names = decodeNames(new Reader(data), 12);
  return { ...names, flags: new Reader(data, 8).u32() };
}

/** DataBuffer of a mount point (a junction). @throws RangeError where a name is too long */
export function encodeMountPointReparseData(names: ReparseNames): Buffer {
  return encodeNames(names, undefined);
}

/** @throws MalformedPacketError: IO_REPARSE_DATA_INVALID */
export function decodeMountPointReparseData(data: Buffer): ReparseNames {
  return decodeNames(new Reader(data), 8);
}
