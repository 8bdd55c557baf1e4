// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../src/nt/access-mask.ts";
import { type Ace, AceType, type Acl } from "../../src/nt/acl.ts";
import {
  readSecurityDescriptor,
  SecurityControl,
  type SecurityDescriptor,
  serialiseSecurityDescriptor,
} from "../../src/nt/security-descriptor.ts";

export const ALICE = "S-1-5-21-1-2-3-1001";
export const BOB = "S-1-5-21-1-2-3-1002";
export const STAFF = "S-1-5-21-1-2-3-513";
export const FULL = Access.FILE_ALL;

export const allow = (sid: string, mask: number, flags = 0): Ace => ({
  type: AceType.ACCESS_ALLOWED,
  flags,
  mask,
  sid,
});
export const deny = (sid: string, mask: number, flags = 0): Ace => ({ type: AceType.ACCESS_DENIED, flags, mask, sid });
export const audit = (sid: string, mask: number, flags = 0x40): Ace => ({
  type: AceType.SYSTEM_AUDIT,
  flags,
  mask,
  sid,
});
export const label = (rid: number): Ace => ({
  type: AceType.SYSTEM_MANDATORY_LABEL,
  flags: 0,
  mask: 1,
  sid: `S-1-16-${rid}`,
});
export const acl = (...aces: Ace[]): Acl => ({ revision: 2, aces });

interface Parts {
  control?: number;
  owner?: string | undefined;
  group?: string | undefined;
  dacl?: Acl | undefined;
  sacl?: Acl | undefined;
}

/** Bytes of a descriptor owned by ALICE unless told otherwise; the PRESENT bits follow from the lists given. */
export function descriptor(parts: Parts): Buffer {
  const control =
    (parts.control ?? 0) |
    (parts.dacl === undefined ? 0 : SecurityControl.DACL_PRESENT) |
    (parts.sacl === undefined ? 0 : SecurityControl.SACL_PRESENT);
  return serialiseSecurityDescriptor({ resourceManagerControl: 0, owner: ALICE, group: STAFF, ...parts, control });
}

/** Entries of the DACL, in short form: what a test compares. */
export function entries(bytes: Buffer): { type: number; flags: number; mask: number; sid: string }[] {
  return (readSecurityDescriptor(bytes).dacl?.aces ?? []).map(({ type, flags, mask, sid }) => ({
    type,
    flags,
    mask,
    sid,
  }));
}

/** The control bits without SELF_RELATIVE. */
export function controlOf(bytes: Buffer): number {
  return readSecurityDescriptor(bytes).control & ~SecurityControl.SELF_RELATIVE;
}

export type { SecurityDescriptor };
