// SPDX-License-Identifier: Apache-2.0

import { Access, mapGenericRights } from "./access-mask.ts";
import { type Ace, AceFlag, AceType, hasObjectType } from "./acl.ts";
import { parseSecurityDescriptor, type SecurityDescriptor } from "./security-descriptor.ts";
import { WellKnownSid } from "./sid.ts";

/**
 * The authorization context of a user (MS-DTYP 2.5.2). Not modified once it has been used in a check: what it says is
 * worked out once for each object.
 */
export interface AccessToken {
  /** Text of the user's SID. */
  readonly sid: string;
  readonly groups: readonly string[];
  /** Privilege names, such as `SeSecurityPrivilege`. */
  readonly privileges: readonly string[];
}

export const Privilege = {
  SECURITY: "SeSecurityPrivilege",
  TAKE_OWNERSHIP: "SeTakeOwnershipPrivilege",
  BACKUP: "SeBackupPrivilege",
  RESTORE: "SeRestorePrivilege",
} as const;

export interface AccessResult {
  /** Everything that was asked for is granted. */
  readonly ok: boolean;
  /** The rights granted, generic ones mapped and MAXIMUM_ALLOWED resolved; without `ok`, those of the desired ones that are. */
  readonly granted: number;
}

const IMPLICIT_OWNER = Access.READ_CONTROL | Access.WRITE_DAC;
/** What SeBackupPrivilege gives to an open with backup intent (MS-FSA 2.1.5.1). */
const BACKUP_RIGHTS = Access.READ_CONTROL | Access.ACCESS_SYSTEM_SECURITY | Access.FILE_GENERIC_READ | Access.TRAVERSE;
/** What SeRestorePrivilege gives to an open with backup intent (MS-FSA 2.1.5.1). */
const RESTORE_RIGHTS =
  Access.WRITE_DAC |
  Access.WRITE_OWNER |
  Access.ACCESS_SYSTEM_SECURITY |
  Access.FILE_GENERIC_WRITE |
  Access.ADD_FILE |
  Access.ADD_SUBDIRECTORY |
  Access.DELETE;

interface TokenFacts {
  readonly sids: ReadonlySet<string>;
  readonly security: boolean;
  readonly takeOwnership: boolean;
  /** Rights with backup intent. */
  readonly withBackupIntent: number;
}

const facts = new WeakMap<AccessToken, TokenFacts>();

function factsOf(token: AccessToken): TokenFacts {
  let known = facts.get(token);
  if (known === undefined) {
    const holds = (privilege: string): boolean => token.privileges.includes(privilege);
    known = {
      sids: new Set([token.sid, ...token.groups]),
      security: holds(Privilege.SECURITY),
      takeOwnership: holds(Privilege.TAKE_OWNERSHIP),
      withBackupIntent: (holds(Privilege.BACKUP) ? BACKUP_RIGHTS : 0) | (holds(Privilege.RESTORE) ? RESTORE_RIGHTS : 0),
    };
    facts.set(token, known);
  }
  return known;
}

/** Whether an ACE takes away no implicit right: the owner's are suspended by any effective OWNER RIGHTS entry. */
function keepsOwnerRights(descriptor: SecurityDescriptor): boolean {
  const aces = descriptor.dacl?.aces ?? [];
  return !aces.some((ace) => ace.sid === WellKnownSid.OWNER_RIGHTS && !(ace.flags & AceFlag.INHERIT_ONLY));
}

/**
 * Rights that an entry allows (positive case) to whom it names. Conditional entries are not evaluated: they allow
 * nothing, and deny what they would deny if their condition held (MS-DTYP 2.4.4.17.3, result unknown). An entry for a
 * part of a directory-service object allows nothing on a file.
 */
function allows(ace: Ace): boolean {
  return ace.type === AceType.ACCESS_ALLOWED || (ace.type === AceType.ACCESS_ALLOWED_OBJECT && !hasObjectType(ace));
}

function denies(ace: Ace): boolean {
  switch (ace.type) {
    case AceType.ACCESS_DENIED:
    case AceType.ACCESS_DENIED_OBJECT:
    case AceType.ACCESS_DENIED_CALLBACK:
    case AceType.ACCESS_DENIED_CALLBACK_OBJECT:
      return true;
    default:
      return false;
  }
}

/**
 * Of the rights in `wanted`, those that the DACL grants. The first entry that mentions a right decides about it, which is
 * what the algorithm of MS-DTYP 2.5.3.2 does for explicit requests; MAXIMUM_ALLOWED is answered in the same way, so that
 * it gives exactly the rights that could be asked for one by one, in a list of non-canonical order too.
 */
function grantedByDacl(descriptor: SecurityDescriptor, token: TokenFacts, wanted: number): number {
  const { dacl } = descriptor;
  if (dacl === undefined) return wanted & Access.FILE_ALL;
  const isOwner = descriptor.owner !== undefined && token.sids.has(descriptor.owner);
  let remaining = wanted;
  let granted = 0;
  for (const ace of dacl.aces) {
    if (remaining === 0) break;
    if (ace.flags & AceFlag.INHERIT_ONLY) continue;
    if (!token.sids.has(ace.sid) && !(isOwner && ace.sid === WellKnownSid.OWNER_RIGHTS)) continue;
    if (allows(ace)) {
      const mask = mapGenericRights(ace.mask);
      granted |= remaining & mask;
      remaining &= ~mask;
    } else if (denies(ace)) {
      remaining &= ~mapGenericRights(ace.mask);
    }
  }
  return granted;
}

function granted(descriptor: SecurityDescriptor, token: TokenFacts, wanted: number, backupIntent: boolean): number {
  let given = 0;
  if (token.security) given |= Access.ACCESS_SYSTEM_SECURITY;
  if (token.takeOwnership) given |= Access.WRITE_OWNER;
  if (backupIntent) given |= token.withBackupIntent;
  if (descriptor.owner !== undefined && token.sids.has(descriptor.owner) && keepsOwnerRights(descriptor)) {
    given |= IMPLICIT_OWNER;
  }
  given &= wanted;
  // The right to the SACL comes from a privilege alone, whatever an entry says.
  const open = wanted & ~given & ~Access.ACCESS_SYSTEM_SECURITY;
  return (open === 0 ? given : given | grantedByDacl(descriptor, token, open)) >>> 0;
}

/**
 * Decides an access request (MS-DTYP 2.5.3.2). The rights that the parent directory lends (DELETE by DELETE_CHILD,
 * READ_ATTRIBUTES by LIST_DIRECTORY) are the caller's to add: `granted` tells what is missing.
 * Mandatory labels and central access policies are not evaluated.
 * @param descriptor not modified any more; see `parseSecurityDescriptor`
 * @param desired an access mask; generic rights and MAXIMUM_ALLOWED are allowed
 * @param backupIntent the open has FILE_OPEN_FOR_BACKUP_INTENT: SeBackupPrivilege and SeRestorePrivilege count
 * @throws SmbError INVALID_SECURITY_DESCR, INVALID_ACL
 */
export function accessCheck(
  descriptor: Buffer,
  token: AccessToken,
  desired: number,
  backupIntent = false,
): AccessResult {
  const parsed = parseSecurityDescriptor(descriptor);
  const known = factsOf(token);
  const asked = mapGenericRights(desired & ~Access.MAXIMUM_ALLOWED);
  const wanted = desired & Access.MAXIMUM_ALLOWED ? (asked | Access.FILE_ALL) >>> 0 : asked;
  const given = granted(parsed, known, wanted, backupIntent);
  if ((asked & ~given) !== 0) return { ok: false, granted: given };
  return { ok: given !== 0 || desired === 0, granted: given };
}

/** Every right of a file or directory that the token has, ACCESS_SYSTEM_SECURITY aside: the MxAc answer. */
export function grantedMaximum(descriptor: Buffer, token: AccessToken, backupIntent = false): number {
  return granted(parseSecurityDescriptor(descriptor), factsOf(token), Access.FILE_ALL, backupIntent);
}

/**
 * Whether the token may make `owner` the owner of an object (INVALID_OWNER otherwise, MS-FSA 2.1.5.17): itself, the
 * administrators where it belongs to them, anybody with SeRestorePrivilege.
 */
export function mayAssignOwner(token: AccessToken, owner: string): boolean {
  if (owner === token.sid || token.privileges.includes(Privilege.RESTORE)) return true;
  return owner === WellKnownSid.BUILTIN_ADMINISTRATORS && token.groups.includes(owner);
}
