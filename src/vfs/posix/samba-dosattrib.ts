// SPDX-License-Identifier: Apache-2.0

/**
 * `user.DOSATTRIB`: attributes and creation time in Samba's on-disk format, NDR of a text (the attributes in hexadecimal,
 * from before there were structures), a version, and the structure of that version.
 */

import { FileAttribute } from "../../nt/attributes.ts";
import type { FileTime } from "../../nt/filetime.ts";

export const DOSATTRIB_NAME = "user.DOSATTRIB";

const VALID_ATTRIB = 0x01;
const VALID_CREATE_TIME = 0x10;
const VERSION = 5;
const HEADER = 8;

/** Attributes that are stored: what a client can set, and what the server keeps there for itself. */
const STORED =
  FileAttribute.READONLY |
  FileAttribute.HIDDEN |
  FileAttribute.SYSTEM |
  FileAttribute.DIRECTORY |
  FileAttribute.ARCHIVE |
  FileAttribute.TEMPORARY |
  FileAttribute.SPARSE_FILE |
  FileAttribute.OFFLINE |
  FileAttribute.NOT_CONTENT_INDEXED;

export interface DosAttributes {
  /** `FileAttribute` bits; `undefined` when the value does not tell. */
  readonly attributes: number | undefined;
  readonly creationTime: FileTime | undefined;
}

const NOTHING: DosAttributes = { attributes: undefined, creationTime: undefined };

/** Parses the value of the attribute; what cannot be understood counts as not there. */
export function parseDosAttributes(blob: Buffer): DosAttributes {
  const end = blob.indexOf(0);
  // The old form has nothing but the text, with or without its NUL.
  const text = blob.toString("latin1", 0, end < 0 ? blob.length : end);
  const version = (end + 2) & ~1;
  if (end < 0 || version + 4 > blob.length) {
    return /^0x[0-9a-f]{1,8}$/i.test(text) ? { ...NOTHING, attributes: Number.parseInt(text, 16) & STORED } : NOTHING;
  }
  const number = blob.readUInt16LE(version);
  // The structure starts at the next multiple of 4 behind the version and the union's own selector.
  const start = (version + 4 + 3) & ~3;
  switch (number) {
    case 1:
      return read(blob, VALID_ATTRIB | VALID_CREATE_TIME, start, start + 24);
    case 2:
      return flagged(blob, start, 28);
    case 3:
      return flagged(blob, start, 28);
    case 4:
      return flagged(blob, start, 16);
    case 5:
      return flagged(blob, start, 8);
    default:
      return NOTHING;
  }
}

function flagged(blob: Buffer, start: number, creationTime: number): DosAttributes {
  if (start + 8 > blob.length) return NOTHING;
  return read(blob, blob.readUInt32LE(start), start + 4, start + creationTime);
}

function read(blob: Buffer, valid: number, attributes: number, creationTime: number): DosAttributes {
  const hasAttributes = (valid & VALID_ATTRIB) !== 0 && attributes + 4 <= blob.length;
  const hasTime = (valid & VALID_CREATE_TIME) !== 0 && creationTime + 8 <= blob.length;
  const time = hasTime ? blob.readBigUInt64LE(creationTime) : 0n;
  return {
    attributes: hasAttributes ? blob.readUInt32LE(attributes) & STORED : undefined,
    creationTime: time === 0n ? undefined : time,
  };
}

/** The value in the form that current Samba writes (version 5). */
export function serialiseDosAttributes(attributes: number, creationTime: FileTime | undefined): Buffer {
  const blob = Buffer.alloc(HEADER + 16);
  blob.writeUInt16LE(VERSION, 2);
  blob.writeUInt16LE(VERSION, 4);
  blob.writeUInt32LE(VALID_ATTRIB | (creationTime === undefined ? 0 : VALID_CREATE_TIME), HEADER);
  blob.writeUInt32LE((attributes & STORED) >>> 0, HEADER + 4);
  blob.writeBigUInt64LE(BigInt.asUintN(64, creationTime ?? 0n), HEADER + 8);
  return blob;
}
