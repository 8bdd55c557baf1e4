// SPDX-License-Identifier: Apache-2.0

import { type Ace, AceType, type Acl } from "./acl.ts";
import { appendEffective } from "./effective-ace.ts";
import {
  parseSecurityDescriptor,
  readSecurityDescriptor,
  SecurityControl,
  type SecurityDescriptor,
  serialiseSecurityDescriptor,
} from "./security-descriptor.ts";
import { NtStatus, SmbError } from "./status.ts";

/** SECURITY_INFORMATION (MS-DTYP 2.4.7). All values are unsigned. */
export const SecurityInformation = {
  OWNER: 0x00000001,
  GROUP: 0x00000002,
  DACL: 0x00000004,
  SACL: 0x00000008,
  LABEL: 0x00000010,
  ATTRIBUTE: 0x00000020,
  SCOPE: 0x00000040,
  BACKUP: 0x00010000,
  UNPROTECTED_SACL: 0x10000000,
  UNPROTECTED_DACL: 0x20000000,
  PROTECTED_SACL: 0x40000000,
  PROTECTED_DACL: 0x80000000,
} as const;

const { OWNER, GROUP, DACL, SACL, LABEL, ATTRIBUTE, SCOPE, BACKUP } = SecurityInformation;
const SACL_PARTS = SACL | LABEL | ATTRIBUTE | SCOPE;
const EVERYTHING = OWNER | GROUP | DACL | SACL_PARTS;

const DACL_CONTROL =
  SecurityControl.DACL_PRESENT |
  SecurityControl.DACL_DEFAULTED |
  SecurityControl.DACL_PROTECTED |
  SecurityControl.DACL_AUTO_INHERITED;
const SACL_CONTROL =
  SecurityControl.SACL_PRESENT |
  SecurityControl.SACL_DEFAULTED |
  SecurityControl.SACL_PROTECTED |
  SecurityControl.SACL_AUTO_INHERITED;

/** The part of the SACL to which an entry belongs. */
function partOf(ace: Ace): number {
  switch (ace.type) {
    case AceType.SYSTEM_MANDATORY_LABEL:
      return LABEL;
    case AceType.SYSTEM_RESOURCE_ATTRIBUTE:
      return ATTRIBUTE;
    case AceType.SYSTEM_SCOPED_POLICY_ID:
      return SCOPE;
    default:
      return SACL;
  }
}

function partsOf(flags: number): number {
  return flags & BACKUP ? EVERYTHING : flags & EVERYTHING;
}

/**
 * The parts of a self-relative security descriptor that `flags` ask for, as QUERY_INFO returns them (MS-FSA 2.1.5.14,
 * MS-SMB2 3.3.5.20.3). Unknown flags are ignored; that the caller may see the parts has been checked.
 * @param descriptor not modified any more; see {@link parseSecurityDescriptor}
 */
export function selectSecurityInformation(descriptor: Buffer, flags: number): Buffer {
  const { control, owner, group, dacl, sacl, resourceManagerControl } = parseSecurityDescriptor(descriptor);
  const parts = partsOf(flags);
  let selected = 0;
  if (parts & OWNER && owner !== undefined) selected |= control & SecurityControl.OWNER_DEFAULTED;
  if (parts & GROUP && group !== undefined) selected |= control & SecurityControl.GROUP_DEFAULTED;
  if (parts & DACL) selected |= control & DACL_CONTROL;
  if (parts & SACL_PARTS) selected |= control & SACL_CONTROL;
  return serialiseSecurityDescriptor({
    control: selected,
    resourceManagerControl,
    owner: parts & OWNER ? owner : undefined,
    group: parts & GROUP ? group : undefined,
    dacl: parts & DACL ? dacl : undefined,
    sacl: parts & SACL_PARTS && sacl !== undefined ? onlyParts(sacl, parts) : undefined,
  });
}

function onlyParts(sacl: Acl, parts: number): Acl {
  if ((parts & SACL_PARTS) === SACL_PARTS) return sacl;
  return { revision: sacl.revision, aces: sacl.aces.filter((ace) => partOf(ace) & parts) };
}

/**
 * Control bits of one list after a SET. AUTO_INHERITED is taken over only together with AUTO_INHERIT_REQ, which itself
 * is never stored (MS-DTYP 2.4.6, bits DC and SC).
 */
function listControl(
  next: number,
  bits: { present: number; defaulted: number; isProtected: number; request: number; inherited: number },
): number {
  let control = bits.present | (next & (bits.defaulted | bits.isProtected));
  if (next & bits.request) control |= next & bits.inherited;
  return control;
}

const daclBits = {
  present: SecurityControl.DACL_PRESENT,
  defaulted: SecurityControl.DACL_DEFAULTED,
  isProtected: SecurityControl.DACL_PROTECTED,
  request: SecurityControl.DACL_AUTO_INHERIT_REQ,
  inherited: SecurityControl.DACL_AUTO_INHERITED,
};
const saclBits = {
  present: SecurityControl.SACL_PRESENT,
  defaulted: SecurityControl.SACL_DEFAULTED,
  isProtected: SecurityControl.SACL_PROTECTED,
  request: SecurityControl.SACL_AUTO_INHERIT_REQ,
  inherited: SecurityControl.SACL_AUTO_INHERITED,
};

function withMappedRights(acl: Acl | undefined, container: boolean): Acl | undefined {
  if (acl === undefined) return undefined;
  const aces: Ace[] = [];
  for (const ace of acl.aces) appendEffective(aces, ace, undefined, container);
  return { revision: acl.revision, aces };
}

/** The SACL of which the parts in `parts` are replaced; `undefined` where nothing of it remains or is set. */
function mergeSacl(current: SecurityDescriptor, next: SecurityDescriptor, parts: number): Acl | undefined {
  const kept = (current.sacl?.aces ?? []).filter((ace) => !(partOf(ace) & parts));
  const set = (next.sacl?.aces ?? []).filter((ace) => partOf(ace) & parts);
  if (kept.length === 0 && next.sacl === undefined) return undefined;
  return { revision: next.sacl?.revision ?? current.sacl?.revision ?? 0, aces: [...set, ...kept] };
}

/**
 * The descriptor of an object after SET_INFO has put the parts of `next` that `flags` name into `current` (MS-FSA
 * 2.1.5.17, MS-SMB2 3.3.5.21.3). Generic rights are mapped; the order of entries is kept. Checked by the caller: the
 * rights of the open, and whether the token may give the object that owner.
 * @param current not modified any more; see {@link parseSecurityDescriptor}
 * @param next bytes from the client
 * @throws SmbError INVALID_SECURITY_DESCR, INVALID_ACL, INVALID_OWNER
 */
export function mergeSecurityInformation(current: Buffer, next: Buffer, flags: number, container: boolean): Buffer {
  const before = parseSecurityDescriptor(current);
  const change = readSecurityDescriptor(next);
  const parts = partsOf(flags);
  let { control, owner, group, dacl, sacl } = before;
  if (flags & OWNER && change.owner === undefined) throw new SmbError(NtStatus.INVALID_OWNER);
  if (parts & OWNER && change.owner !== undefined) {
    owner = change.owner;
    control = (control & ~SecurityControl.OWNER_DEFAULTED) | (change.control & SecurityControl.OWNER_DEFAULTED);
  }
  if (parts & GROUP && change.group !== undefined) {
    group = change.group;
    control = (control & ~SecurityControl.GROUP_DEFAULTED) | (change.control & SecurityControl.GROUP_DEFAULTED);
  }
  if (parts & DACL) {
    dacl = withMappedRights(change.dacl, container);
    control = (control & ~DACL_CONTROL) | listControl(change.control, daclBits);
  }
  if (parts & SACL_PARTS) {
    sacl = withMappedSacl(mergeSacl(before, change, parts), container);
    if (parts & SACL) control = (control & ~SACL_CONTROL) | listControl(change.control, saclBits);
    control = sacl === undefined ? control & ~SecurityControl.SACL_PRESENT : control | SecurityControl.SACL_PRESENT;
  }
  if (flags & SecurityInformation.PROTECTED_DACL) control |= SecurityControl.DACL_PROTECTED;
  if (flags & SecurityInformation.UNPROTECTED_DACL) control &= ~SecurityControl.DACL_PROTECTED;
  if (flags & SecurityInformation.PROTECTED_SACL) control |= SecurityControl.SACL_PROTECTED;
  if (flags & SecurityInformation.UNPROTECTED_SACL) control &= ~SecurityControl.SACL_PROTECTED;
  return serialiseSecurityDescriptor({ ...before, control, owner, group, dacl, sacl });
}

/** Only audit masks are access rights: those of labels, claims and policies are not mapped. */
function withMappedSacl(acl: Acl | undefined, container: boolean): Acl | undefined {
  if (acl === undefined) return undefined;
  const aces: Ace[] = [];
  for (const ace of acl.aces) {
    if (partOf(ace) === SACL) appendEffective(aces, ace, undefined, container);
    else aces.push(ace);
  }
  return { revision: acl.revision, aces };
}
