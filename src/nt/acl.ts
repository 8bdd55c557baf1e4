// SPDX-License-Identifier: Apache-2.0

import { sidFromBuffer, sidLength, sidToBuffer } from "./sid.ts";
import { NtStatus, SmbError } from "./status.ts";

/** AceType (MS-DTYP 2.4.4.1). */
export const AceType = {
  ACCESS_ALLOWED: 0x00,
  ACCESS_DENIED: 0x01,
  SYSTEM_AUDIT: 0x02,
  SYSTEM_ALARM: 0x03,
  ACCESS_ALLOWED_COMPOUND: 0x04,
  ACCESS_ALLOWED_OBJECT: 0x05,
  ACCESS_DENIED_OBJECT: 0x06,
  SYSTEM_AUDIT_OBJECT: 0x07,
  SYSTEM_ALARM_OBJECT: 0x08,
  ACCESS_ALLOWED_CALLBACK: 0x09,
  ACCESS_DENIED_CALLBACK: 0x0a,
  ACCESS_ALLOWED_CALLBACK_OBJECT: 0x0b,
  ACCESS_DENIED_CALLBACK_OBJECT: 0x0c,
  SYSTEM_AUDIT_CALLBACK: 0x0d,
  SYSTEM_ALARM_CALLBACK: 0x0e,
  SYSTEM_AUDIT_CALLBACK_OBJECT: 0x0f,
  SYSTEM_ALARM_CALLBACK_OBJECT: 0x10,
  SYSTEM_MANDATORY_LABEL: 0x11,
  SYSTEM_RESOURCE_ATTRIBUTE: 0x12,
  SYSTEM_SCOPED_POLICY_ID: 0x13,
} as const;

/** AceFlags (MS-DTYP 2.4.4.1). */
export const AceFlag = {
  OBJECT_INHERIT: 0x01,
  CONTAINER_INHERIT: 0x02,
  NO_PROPAGATE_INHERIT: 0x04,
  INHERIT_ONLY: 0x08,
  INHERITED: 0x10,
  SUCCESSFUL_ACCESS: 0x40,
  FAILED_ACCESS: 0x80,
} as const;

/** One access control entry (MS-DTYP 2.4.4). Immutable. */
export interface Ace {
  readonly type: number;
  readonly flags: number;
  /** Unsigned; 0 for an entry of a type whose layout is not specified. */
  readonly mask: number;
  /** Text of the trustee's SID; `""` for an entry of a type whose layout is not specified: it names nobody. */
  readonly sid: string;
  /** Flags and GUIDs of an object ACE, between Mask and Sid, verbatim (MS-DTYP 2.4.4.3). */
  readonly objectPart?: Buffer | undefined;
  /** What follows the SID, verbatim: conditions, claims; of an unspecified type everything behind the header. */
  readonly applicationData?: Buffer | undefined;
}

/** An access control list (MS-DTYP 2.4.5); the order of its entries is kept. Immutable. */
export interface Acl {
  readonly revision: number;
  readonly aces: readonly Ace[];
}

const ACL_REVISION = 2;
const ACL_REVISION_DS = 4;
const ACL_HEADER = 8;
const ACE_HEADER = 4;
/** AclSize and AceSize are 16-bit fields. */
const MAXIMUM_SIZE = 0xffff;

const OBJECT_TYPE_PRESENT = 0x1;
const INHERITED_OBJECT_TYPE_PRESENT = 0x2;
const GUID = 16;

const PLAIN = 0;
const OBJECT = 1;
const OPAQUE = 2;

/** Layout of each AceType: mask and SID; mask, object part and SID; unspecified. */
const layouts: readonly number[] = [
  PLAIN,
  PLAIN,
  PLAIN,
  PLAIN,
  OPAQUE,
  OBJECT,
  OBJECT,
  OBJECT,
  OBJECT,
  PLAIN,
  PLAIN,
  OBJECT,
  OBJECT,
  PLAIN,
  PLAIN,
  OBJECT,
  OBJECT,
  PLAIN,
  PLAIN,
  PLAIN,
];

/** Whether an object ACE is restricted to a kind of object by a GUID; false for any other ACE. */
export function hasObjectType(ace: Ace): boolean {
  return ace.objectPart !== undefined && (ace.objectPart.readUInt32LE(0) & OBJECT_TYPE_PRESENT) !== 0;
}

function invalid(detail: string): SmbError {
  return new SmbError(NtStatus.INVALID_ACL, detail);
}

/** A copy of `bytes`, because a parsed list outlives the message that it came in; `undefined` for none. */
function keep(bytes: Buffer): Buffer | undefined {
  return bytes.length === 0 ? undefined : Buffer.from(bytes);
}

function parseAce(bytes: Buffer): Ace {
  const type = bytes.readUInt8(0);
  const flags = bytes.readUInt8(1);
  const layout = layouts[type] ?? OPAQUE;
  if (layout === OPAQUE) return { type, flags, mask: 0, sid: "", applicationData: keep(bytes.subarray(ACE_HEADER)) };
  if (bytes.length < 8) throw invalid("ACE without mask");
  const mask = bytes.readUInt32LE(4);
  let at = 8;
  if (layout === OBJECT) {
    if (bytes.length < 12) throw invalid("object ACE without flags");
    const present = bytes.readUInt32LE(8);
    at += 4;
    if (present & OBJECT_TYPE_PRESENT) at += GUID;
    if (present & INHERITED_OBJECT_TYPE_PRESENT) at += GUID;
    if (at > bytes.length) throw invalid("object ACE without GUID");
  }
  const length = sidLength(bytes, at);
  if (length === 0) throw invalid("ACE with a broken SID");
  const end = at + length;
  return {
    type,
    flags,
    mask,
    sid: sidFromBuffer(bytes, at),
    objectPart: keep(bytes.subarray(8, at)),
    applicationData: keep(bytes.subarray(end)),
  };
}

/**
 * Parses the ACL that starts at `offset`; bytes behind its AclSize are not looked at.
 * @throws SmbError INVALID_ACL a size, count, revision or SID is wrong
 */
export function parseAcl(buffer: Buffer, offset = 0): Acl {
  if (offset < 0 || offset + ACL_HEADER > buffer.length) throw invalid("short header");
  const revision = buffer.readUInt8(offset);
  if (revision < ACL_REVISION || revision > ACL_REVISION_DS) throw invalid(`revision ${revision}`);
  const size = buffer.readUInt16LE(offset + 2);
  const count = buffer.readUInt16LE(offset + 4);
  const end = offset + size;
  if (size < ACL_HEADER || end > buffer.length) throw invalid(`size ${size}`);
  const aces: Ace[] = [];
  let at = offset + ACL_HEADER;
  for (let index = 0; index < count; index++) {
    if (at + ACE_HEADER > end) throw invalid("fewer ACEs than counted");
    const aceSize = buffer.readUInt16LE(at + 2);
    if (aceSize < ACE_HEADER || aceSize % 4 !== 0 || at + aceSize > end) throw invalid(`ACE size ${aceSize}`);
    aces.push(parseAce(buffer.subarray(at, at + aceSize)));
    at += aceSize;
  }
  return { revision, aces };
}

function serialiseAce(ace: Ace): Buffer {
  const parts: Buffer[] = [];
  if (ace.sid === "") {
    parts.push(Buffer.alloc(ACE_HEADER));
  } else {
    const start = Buffer.alloc(8);
    start.writeUInt32LE(ace.mask >>> 0, 4);
    parts.push(start);
    if (ace.objectPart !== undefined) parts.push(ace.objectPart);
    parts.push(sidToBuffer(ace.sid));
  }
  if (ace.applicationData !== undefined) parts.push(ace.applicationData);
  let size = 0;
  for (const part of parts) size += part.length;
  const padded = (size + 3) & ~3;
  if (padded > MAXIMUM_SIZE) throw invalid(`ACE of ${padded} bytes`);
  const bytes = Buffer.concat(parts, padded);
  bytes.writeUInt8(ace.type, 0);
  bytes.writeUInt8(ace.flags, 1);
  bytes.writeUInt16LE(padded, 2);
  return bytes;
}

/** @throws SmbError INVALID_ACL the list does not fit into 65,535 bytes */
export function serialiseAcl(acl: Acl): Buffer {
  const parts: Buffer[] = [Buffer.alloc(ACL_HEADER)];
  let size = ACL_HEADER;
  let revision = Math.max(ACL_REVISION, acl.revision);
  for (const ace of acl.aces) {
    const bytes = serialiseAce(ace);
    if (ace.objectPart !== undefined) revision = ACL_REVISION_DS;
    size += bytes.length;
    if (size > MAXIMUM_SIZE) throw invalid("ACL too large");
    parts.push(bytes);
  }
  const bytes = Buffer.concat(parts, size);
  bytes.writeUInt8(revision, 0);
  bytes.writeUInt16LE(size, 2);
  bytes.writeUInt16LE(acl.aces.length, 4);
  return bytes;
}
