// SPDX-License-Identifier: Apache-2.0

/**
 * `security.NTACL`: a security descriptor in Samba's on-disk format, NDR of a version and the structure of that version:
 * 1 the descriptor alone; 2 with a 16-byte hash; 3 with a hash of 64 bytes and its type; 4 also with a text that says what
 * was hashed, a time, and a second hash. The offsets inside the descriptor count from the start of the value.
 */

import { createHash } from "node:crypto";

export const NTACL_NAME = "security.NTACL";
/** Where the descriptor goes when the process may not write `security.*`. */
export const NTACL_USER_NAME = "user.NTACL";

const HASH_SIZE = 64;
const HASH_SHA256 = 1;
/** Value of the first unique pointer in NDR as Samba writes it (MS-RPCE leaves it to the writer). */
const REFERENT = 0x00020000;
const DESCRIPTOR_HEADER = 20;
/** Positions of the four offsets in a self-relative security descriptor (MS-DTYP 2.4.6). */
const OFFSETS = [4, 8, 12, 16];

function align4(offset: number): number {
  return (offset + 3) & ~3;
}

/** Where the descriptor starts in a value, or `undefined` for an unknown layout. */
function descriptorOffset(blob: Buffer): number | undefined {
  if (blob.length < 8) return undefined;
  const version = blob.readUInt16LE(0);
  if (blob.readUInt16LE(2) !== version) return undefined;
  // A unique pointer, null when there is no descriptor.
  if (blob.readUInt32LE(4) === 0) return undefined;
  if (version === 1) return 8;
  if (version < 2 || version > 4 || blob.length < 12 || blob.readUInt32LE(8) === 0) return undefined;
  if (version === 2) return 12 + 16;
  const hashEnd = 12 + 2 + HASH_SIZE;
  if (version === 3) return align4(hashEnd);
  const textEnd = blob.indexOf(0, hashEnd);
  return textEnd < 0 ? undefined : align4(textEnd + 1) + 8 + HASH_SIZE;
}

/** The self-relative descriptor in a value; `undefined` when the value cannot be understood. */
export function parseNtAcl(blob: Buffer): Buffer | undefined {
  const start = descriptorOffset(blob);
  if (start === undefined || start + DESCRIPTOR_HEADER > blob.length) return undefined;
  const descriptor = Buffer.from(blob.subarray(start));
  for (const field of OFFSETS) {
    const offset = descriptor.readUInt32LE(field);
    if (offset === 0) continue;
    if (offset < start + DESCRIPTOR_HEADER || offset >= blob.length) return undefined;
    descriptor.writeUInt32LE(offset - start, field);
  }
  return descriptor;
}

/** What stands for the hashed list where there is none: Samba compares nothing then. */
const DESCRIPTION = "posix_acl";

/** 100 ns between 1601 and 1970. */
const EPOCH = 116_444_736_000_000_000n;

/**
 * The value as Samba writes it where the access control lists of the file system do not count: version 4.
 *
 * @param descriptor self-relative
 * @param now milliseconds since 1970
 */
export function serialiseNtAcl(descriptor: Buffer, now: number): Buffer {
  const text = Buffer.from(`${DESCRIPTION}\0`, "latin1");
  const textAt = 12 + 2 + HASH_SIZE;
  const timeAt = align4(textAt + text.length);
  const start = timeAt + 8 + HASH_SIZE;
  const blob = Buffer.alloc(start + descriptor.length);
  blob.writeUInt16LE(4, 0);
  blob.writeUInt16LE(4, 2);
  blob.writeUInt32LE(REFERENT, 4);
  blob.writeUInt32LE(REFERENT + 4, 8);
  blob.writeUInt16LE(HASH_SHA256, 12);
  createHash("sha256").update(descriptor).digest().copy(blob, 14);
  text.copy(blob, textAt);
  blob.writeBigUInt64LE(BigInt(Math.round(now)) * 10_000n + EPOCH, timeAt);
  descriptor.copy(blob, start);
  for (const field of OFFSETS) {
    const offset = descriptor.readUInt32LE(field);
    if (offset !== 0) blob.writeUInt32LE(offset + start, start + field);
  }
  return blob;
}
