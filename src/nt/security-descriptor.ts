// SPDX-License-Identifier: Apache-2.0

import { type Acl, parseAcl, serialiseAcl } from "./acl.ts";
import { sidFromBuffer, sidLength, sidToBuffer } from "./sid.ts";
import { NtStatus, SmbError } from "./status.ts";

/** Control bits of a security descriptor (MS-DTYP 2.4.6). */
export const SecurityControl = {
  OWNER_DEFAULTED: 0x0001,
  GROUP_DEFAULTED: 0x0002,
  DACL_PRESENT: 0x0004,
  DACL_DEFAULTED: 0x0008,
  SACL_PRESENT: 0x0010,
  SACL_DEFAULTED: 0x0020,
  DACL_TRUSTED: 0x0040,
  SERVER_SECURITY: 0x0080,
  DACL_AUTO_INHERIT_REQ: 0x0100,
  SACL_AUTO_INHERIT_REQ: 0x0200,
  DACL_AUTO_INHERITED: 0x0400,
  SACL_AUTO_INHERITED: 0x0800,
  DACL_PROTECTED: 0x1000,
  SACL_PROTECTED: 0x2000,
  RM_CONTROL_VALID: 0x4000,
  SELF_RELATIVE: 0x8000,
} as const;

/** A security descriptor (MS-DTYP 2.4.6). Immutable. */
export interface SecurityDescriptor {
  /** `SecurityControl` bits; SELF_RELATIVE is added when it is written. */
  readonly control: number;
  /** Meaningful with RM_CONTROL_VALID only. */
  readonly resourceManagerControl: number;
  /** Text of a SID. */
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
  /** `undefined` grants everything to everybody, whether DACL_PRESENT is set (NULL DACL) or not. */
  readonly dacl?: Acl | undefined;
  readonly sacl?: Acl | undefined;
}

const HEADER = 20;

/**
 * Volumes hand out one buffer again and again for the same descriptor, and access checks are made on every open: what a
 * buffer says is worked out once.
 */
const parsed = new WeakMap<Buffer, SecurityDescriptor>();

function invalid(detail: string): SmbError {
  return new SmbError(NtStatus.INVALID_SECURITY_DESCR, detail);
}

function parseSid(buffer: Buffer, offset: number): string | undefined {
  if (offset === 0) return undefined;
  if (offset < HEADER || sidLength(buffer, offset) === 0) throw invalid(`SID at ${offset}`);
  return sidFromBuffer(buffer, offset);
}

function parseList(buffer: Buffer, present: boolean, offset: number): Acl | undefined {
  if (!present || offset === 0) return undefined;
  if (offset < HEADER) throw invalid(`ACL at ${offset}`);
  return parseAcl(buffer, offset);
}

/**
 * Parses a self-relative security descriptor. The result does not refer to the bytes.
 * @throws SmbError INVALID_SECURITY_DESCR (header, offset, SID), INVALID_ACL
 */
export function readSecurityDescriptor(buffer: Buffer): SecurityDescriptor {
  if (buffer.length < HEADER) throw invalid(`${buffer.length} bytes`);
  if (buffer.readUInt8(0) !== 1) throw invalid("revision");
  const control = buffer.readUInt16LE(2);
  if (!(control & SecurityControl.SELF_RELATIVE)) throw invalid("not self-relative");
  return {
    control,
    resourceManagerControl: buffer.readUInt8(1),
    owner: parseSid(buffer, buffer.readUInt32LE(4)),
    group: parseSid(buffer, buffer.readUInt32LE(8)),
    sacl: parseList(buffer, (control & SecurityControl.SACL_PRESENT) !== 0, buffer.readUInt32LE(12)),
    dacl: parseList(buffer, (control & SecurityControl.DACL_PRESENT) !== 0, buffer.readUInt32LE(16)),
  };
}

/**
 * {@link readSecurityDescriptor} for a buffer that is not modified any more, such as `VolumeFile.security()` gives: the
 * result is remembered for this very buffer. Not for views into a message.
 */
export function parseSecurityDescriptor(buffer: Buffer): SecurityDescriptor {
  let descriptor = parsed.get(buffer);
  if (descriptor === undefined) {
    descriptor = readSecurityDescriptor(buffer);
    parsed.set(buffer, descriptor);
  }
  return descriptor;
}

/**
 * The self-relative bytes: owner, group, DACL, SACL, in the order of MS-FSA 2.1.5.14, each on a multiple of four.
 * @throws SmbError INVALID_ACL (too large), INVALID_SID
 */
export function serialiseSecurityDescriptor(descriptor: SecurityDescriptor): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(1, 0);
  header.writeUInt8(descriptor.control & SecurityControl.RM_CONTROL_VALID ? descriptor.resourceManagerControl : 0, 1);
  header.writeUInt16LE(descriptor.control | SecurityControl.SELF_RELATIVE, 2);
  const parts: Buffer[] = [header];
  let size = HEADER;
  const append = (field: number, bytes: Buffer): void => {
    header.writeUInt32LE(size, field);
    parts.push(bytes);
    size += bytes.length;
  };
  if (descriptor.owner !== undefined) append(4, sidToBuffer(descriptor.owner));
  if (descriptor.group !== undefined) append(8, sidToBuffer(descriptor.group));
  const { dacl, sacl, control } = descriptor;
  if (dacl !== undefined && control & SecurityControl.DACL_PRESENT) append(16, serialiseAcl(dacl));
  if (sacl !== undefined && control & SecurityControl.SACL_PRESENT) append(12, serialiseAcl(sacl));
  return Buffer.concat(parts, size);
}
