// SPDX-License-Identifier: Apache-2.0

/**
 * `security.NTACL`: a security descriptor in Samba's on-disk format, NDR of a version and the structure of that version:
 * 1 the descriptor alone; 2 with a 16-byte hash; 3 with a hash of 64 bytes and its type; 4 also with a text that says what
 * was hashed, a time, and a second hash. The offsets inside the descriptor count from the start of the value.
 */

export const NTACL_NAME = "security.NTACL";
/** Where the descriptor goes when the process may not write `security.*`. */
export const NTACL_USER_NAME = "user.NTACL";

const HASH_SIZE = 64;
const VERSION_1_HEADER = 8;
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
  if (version === 1) return VERSION_1_HEADER;
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

/**
 * The value in version 1, the descriptor alone: the one form that Samba takes for the truth whether it compares the
 * access control list of the file system or not. (Versions 3 and 4 count only while their hash fits that list, unless the
 * share ignores it.)
 *
 * @param descriptor self-relative
 */
export function serialiseNtAcl(descriptor: Buffer): Buffer {
  const blob = Buffer.alloc(VERSION_1_HEADER + descriptor.length);
  blob.writeUInt16LE(1, 0);
  blob.writeUInt16LE(1, 2);
  blob.writeUInt32LE(REFERENT, 4);
  descriptor.copy(blob, VERSION_1_HEADER);
  for (const field of OFFSETS) {
    const offset = descriptor.readUInt32LE(field);
    if (offset !== 0) blob.writeUInt32LE(offset + VERSION_1_HEADER, VERSION_1_HEADER + field);
  }
  return blob;
}
