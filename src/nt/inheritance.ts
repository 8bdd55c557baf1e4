// SPDX-License-Identifier: Apache-2.0

import { Access } from "./access-mask.ts";
import { type Ace, AceFlag, AceType, type Acl, hasObjectType } from "./acl.ts";
import { appendEffective, type Creator, INHERITABLE } from "./effective-ace.ts";
import {
  parseSecurityDescriptor,
  readSecurityDescriptor,
  SecurityControl,
  type SecurityDescriptor,
  serialiseSecurityDescriptor,
} from "./security-descriptor.ts";
import { WellKnownSid } from "./sid.ts";

export interface NewObject {
  /** Descriptor of the parent directory, not modified any more; `undefined` for an object without parent. */
  readonly parent?: Buffer | undefined;
  /** What the client gave in SMB2_CREATE_SD_BUFFER. */
  readonly creator?: Buffer | undefined;
  readonly container: boolean;
  /** Text of the SIDs that own an object of this user by default (MS-DTYP 2.5.2, OwnerIndex and PrimaryGroup). */
  readonly owner: string;
  readonly group: string;
}

/** What one kind of list needs to know. */
interface ListKind {
  readonly present: number;
  readonly defaulted: number;
  readonly isProtected: number;
  readonly inherited: number;
  readonly inheritRequested: number;
  /** The list of an object whose creator and parent give none. */
  readonly fallback: (creator: Creator) => Acl | undefined;
}

const ACL_REVISION = 2;

/** The DefaultDACL of a token (MS-DTYP 2.5.2): the owner and the system itself have full access. */
function defaultDacl(creator: Creator): Acl {
  const full = (sid: string): Ace => ({ type: AceType.ACCESS_ALLOWED, flags: 0, mask: Access.FILE_ALL, sid });
  return { revision: ACL_REVISION, aces: [full(creator.owner), full(WellKnownSid.LOCAL_SYSTEM)] };
}

const daclKind: ListKind = {
  present: SecurityControl.DACL_PRESENT,
  defaulted: SecurityControl.DACL_DEFAULTED,
  isProtected: SecurityControl.DACL_PROTECTED,
  inherited: SecurityControl.DACL_AUTO_INHERITED,
  inheritRequested: SecurityControl.DACL_AUTO_INHERIT_REQ,
  fallback: defaultDacl,
};

const saclKind: ListKind = {
  present: SecurityControl.SACL_PRESENT,
  defaulted: SecurityControl.SACL_DEFAULTED,
  isProtected: SecurityControl.SACL_PROTECTED,
  inherited: SecurityControl.SACL_AUTO_INHERITED,
  inheritRequested: SecurityControl.SACL_AUTO_INHERIT_REQ,
  fallback: () => undefined,
};

/**
 * Appends what a child gets from one entry of its parent: the table of MS-DTYP 2.5.3.4.4.
 * @param mark INHERITED where the parent's list is itself under automatic inheritance, else 0
 */
function inherit(list: Ace[], ace: Ace, container: boolean, creator: Creator, mark: number): void {
  const own = (ace.flags & (AceFlag.SUCCESSFUL_ACCESS | AceFlag.FAILED_ACCESS)) | mark;
  const propagates = !(ace.flags & AceFlag.NO_PROPAGATE_INHERIT);
  const further = propagates ? ace.flags & INHERITABLE : 0;
  const effective = container ? ace.flags & AceFlag.CONTAINER_INHERIT : ace.flags & AceFlag.OBJECT_INHERIT;
  // No file is of a type that a directory service knows: such an entry passes through directories without effect.
  if (effective && !hasObjectType(ace)) {
    appendEffective(list, { ...ace, flags: own | (container ? further : 0) }, creator, container);
  } else if (container && further) {
    list.push({ ...ace, flags: own | further | AceFlag.INHERIT_ONLY });
  }
}

function inheritedFrom(parent: Acl | undefined, container: boolean, creator: Creator, mark: number): Ace[] {
  const list: Ace[] = [];
  for (const ace of parent?.aces ?? []) {
    if (ace.flags & INHERITABLE) inherit(list, ace, container, creator, mark);
  }
  return list;
}

/**
 * The creator's own entries (MS-DTYP 2.5.3.4.6): inherited ones are made explicit in a protected list, and dropped where
 * the parent's own follow.
 */
function explicitFrom(given: Acl, isProtected: boolean, merges: boolean, container: boolean, creator: Creator): Ace[] {
  const list: Ace[] = [];
  for (const ace of given.aces) {
    if (!(ace.flags & AceFlag.INHERITED) || !(isProtected || merges)) appendEffective(list, ace, creator, container);
    else if (isProtected) appendEffective(list, { ...ace, flags: ace.flags & ~AceFlag.INHERITED }, creator, container);
  }
  return list;
}

/** One list and its control bits (ComputeACL, MS-DTYP 2.5.3.4.2). */
function computeAcl(
  kind: ListKind,
  parent: Acl | undefined,
  parentControl: number,
  given: Acl | undefined,
  givenControl: number,
  container: boolean,
  creator: Creator,
): { acl: Acl | undefined; control: number } {
  // A list is inherited automatically where the parent's list is, as its AUTO_INHERITED bit tells.
  const automatic = (parentControl & kind.inherited) !== 0;
  const inherited = inheritedFrom(parent, container, creator, automatic ? AceFlag.INHERITED : 0);
  const control = kind.present | (automatic ? kind.inherited : 0);
  const isGiven = (givenControl & kind.present) !== 0;
  if (!isGiven || (givenControl & kind.defaulted && inherited.length > 0)) {
    if (inherited.length > 0) {
      return { acl: { revision: parent?.revision ?? ACL_REVISION, aces: inherited }, control };
    }
    const acl = kind.fallback(creator);
    return { acl, control: acl === undefined ? 0 : kind.present };
  }
  const isProtected = (givenControl & kind.isProtected) !== 0;
  const givenBits = kind.present | (givenControl & (kind.isProtected | kind.defaulted));
  if (given === undefined) return { acl: undefined, control: givenBits };
  // An explicit list stands alone, as Windows makes it, unless its creator asks for inheritance.
  const asksFor = (givenControl & kind.inheritRequested) !== 0;
  const merges = automatic && asksFor && !isProtected;
  const aces = explicitFrom(given, isProtected, merges, container, creator);
  if (!merges) return { acl: { revision: given.revision, aces }, control: givenBits };
  return { acl: { revision: given.revision, aces: [...aces, ...inherited] }, control: givenBits | kind.inherited };
}

const nothing: SecurityDescriptor = { control: 0, resourceManagerControl: 0 };

/** By a directory's descriptor: what those get who give none of their own. */
const inheritedBy = new WeakMap<Buffer, Map<string, Buffer>>();
/** Users for each of them. */
const MAXIMUM_INHERITED = 64;

/**
 * The self-relative descriptor of a new file or directory (CreateSecurityDescriptor, MS-DTYP 2.5.3.4.1), never without
 * owner, group and DACL_PRESENT. Checked by the caller: whether the user may give the object this owner, and a SACL.
 * The buffer must not be modified: others in the same directory get it too.
 * @throws SmbError INVALID_SECURITY_DESCR, INVALID_ACL
 */
export function createSecurityDescriptor(object: NewObject): Buffer {
  const { parent, container, owner, group } = object;
  if (parent === undefined || object.creator !== undefined) return compute(object);
  let inherited = inheritedBy.get(parent);
  if (inherited === undefined) {
    inherited = new Map();
    inheritedBy.set(parent, inherited);
  }
  const key = `${container} ${owner} ${group}`;
  let descriptor = inherited.get(key);
  if (descriptor === undefined) {
    descriptor = compute(object);
    if (inherited.size >= MAXIMUM_INHERITED) inherited.clear();
    inherited.set(key, descriptor);
  }
  return descriptor;
}

function compute(object: NewObject): Buffer {
  const parent = object.parent === undefined ? nothing : parseSecurityDescriptor(object.parent);
  const given = object.creator === undefined ? nothing : readSecurityDescriptor(object.creator);
  const creator: Creator = { owner: given.owner ?? object.owner, group: given.group ?? object.group };
  const { container } = object;
  const dacl = computeAcl(daclKind, parent.dacl, parent.control, given.dacl, given.control, container, creator);
  const sacl = computeAcl(saclKind, parent.sacl, parent.control, given.sacl, given.control, container, creator);
  return serialiseSecurityDescriptor({
    control: dacl.control | sacl.control | (given.control & SecurityControl.RM_CONTROL_VALID),
    resourceManagerControl: given.resourceManagerControl,
    owner: creator.owner,
    group: creator.group,
    dacl: dacl.acl,
    sacl: sacl.acl,
  });
}
