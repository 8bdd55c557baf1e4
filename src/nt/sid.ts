// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "./status.ts";

/** Largest number of sub-authorities of a SID (MS-DTYP 2.4.2.2). */
export const MAXIMUM_SUB_AUTHORITIES = 15;

/** Well-known SIDs as text (MS-DTYP 2.4.2.4). */
export const WellKnownSid = {
  NULL: "S-1-0-0",
  EVERYONE: "S-1-1-0",
  LOCAL: "S-1-2-0",
  CREATOR_OWNER: "S-1-3-0",
  CREATOR_GROUP: "S-1-3-1",
  OWNER_SERVER: "S-1-3-2",
  GROUP_SERVER: "S-1-3-3",
  OWNER_RIGHTS: "S-1-3-4",
  NETWORK: "S-1-5-2",
  INTERACTIVE: "S-1-5-4",
  ANONYMOUS: "S-1-5-7",
  PRINCIPAL_SELF: "S-1-5-10",
  AUTHENTICATED_USERS: "S-1-5-11",
  THIS_ORGANIZATION: "S-1-5-15",
  LOCAL_SYSTEM: "S-1-5-18",
  LOCAL_SERVICE: "S-1-5-19",
  NETWORK_SERVICE: "S-1-5-20",
  BUILTIN_ADMINISTRATORS: "S-1-5-32-544",
  BUILTIN_USERS: "S-1-5-32-545",
  BUILTIN_GUESTS: "S-1-5-32-546",
  BACKUP_OPERATORS: "S-1-5-32-551",
  NTLM_AUTHENTICATION: "S-1-5-64-10",
  LOCAL_ACCOUNT: "S-1-5-113",
} as const;

const TEXT = /^S-1-(0x[0-9a-f]{12}|0|[1-9][0-9]{0,9})((?:-(?:0|[1-9][0-9]{0,9})){0,15})$/i;

/** Bytes of the SID that starts at `offset`, 8 to 68; 0 where revision, count or bounds are wrong. */
export function sidLength(buffer: Buffer, offset = 0): number {
  if (offset < 0 || offset + 8 > buffer.length || buffer[offset] !== 1) return 0;
  const count = buffer.readUInt8(offset + 1);
  const length = 8 + 4 * count;
  return count > MAXIMUM_SUB_AUTHORITIES || offset + length > buffer.length ? 0 : length;
}

/**
 * Text of the SID at `offset` (MS-DTYP 2.4.2.1, 2.4.2.2). Bytes behind the SID are not looked at.
 * @throws SmbError INVALID_SID
 */
export function sidFromBuffer(buffer: Buffer, offset = 0): string {
  const length = sidLength(buffer, offset);
  if (length === 0) throw new SmbError(NtStatus.INVALID_SID);
  const authority = buffer.readUIntBE(offset + 2, 6);
  let text = authority < 0x1_0000_0000 ? `S-1-${authority}` : `S-1-0x${authority.toString(16).padStart(12, "0")}`;
  for (let at = offset + 8; at < offset + length; at += 4) text += `-${buffer.readUInt32LE(at)}`;
  return text;
}

/** The bytes of a SID (MS-DTYP 2.4.2.2). @throws SmbError INVALID_SID: not the text of a SID */
export function sidToBuffer(sid: string): Buffer {
  const match = TEXT.exec(sid);
  if (match === null) throw new SmbError(NtStatus.INVALID_SID, sid);
  const authority = Number(match[1]);
  const subAuthorities = match[2] === undefined || match[2] === "" ? [] : match[2].slice(1).split("-").map(Number);
  if (authority > 0xffff_ffff && !/^0x/i.test(match[1] ?? "")) throw new SmbError(NtStatus.INVALID_SID, sid);
  const buffer = Buffer.alloc(8 + 4 * subAuthorities.length);
  buffer.writeUInt8(1, 0);
  buffer.writeUInt8(subAuthorities.length, 1);
  buffer.writeUIntBE(authority, 2, 6);
  let at = 8;
  for (const value of subAuthorities) {
    if (value > 0xffff_ffff) throw new SmbError(NtStatus.INVALID_SID, sid);
    at = buffer.writeUInt32LE(value, at);
  }
  return buffer;
}

/** Whether `text` is a SID in the form that this module writes, so that equal SIDs are equal strings. */
export function isSid(text: string): boolean {
  try {
    return sidFromBuffer(sidToBuffer(text)) === text;
  } catch {
    return false;
  }
}
