// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../../auth/auth.ts";
import { accessCheck, grantedMaximum, mayAssignOwner, Privilege } from "../../nt/access-check.ts";
import { Access, mapGenericRights } from "../../nt/access-mask.ts";
import { FileAttribute } from "../../nt/attributes.ts";
import { parseSecurityDescriptor } from "../../nt/security-descriptor.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NtPath, Volume } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import type { Link, SharedFile } from "../state/shared-file.ts";
import { CreateOption, ShareAccess } from "../wire/constants.ts";
import type { OpenParameters } from "./open-parameters.ts";
import { withParent } from "./with-parent.ts";

/** Who asks. @throws SmbError ACCESS_DENIED */
export function identityOf(request: Request): Identity {
  const { identity } = request.session;
  if (identity === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  return identity;
}

/** What a handle can hold at most. Privileges give the right to the SACL, and SYNCHRONIZE lets nobody do anything. */
function shareLimit({ tree }: Request): number {
  return tree.maximalAccess | Access.ACCESS_SYSTEM_SECURITY | Access.SYNCHRONIZE;
}

/**
 * The share grants what is asked for, which is decided before the file is looked for (MS-SMB2 3.3.5.9, "Open Execution").
 * @throws SmbError ACCESS_DENIED
 */
export function checkShareAccess(request: Request, { desiredAccess }: OpenParameters): void {
  const asked = mapGenericRights(desiredAccess & ~Access.MAXIMUM_ALLOWED);
  if ((asked & ~shareLimit(request)) !== 0) throw new SmbError(NtStatus.ACCESS_DENIED);
}

/**
 * The creator of a file has every right he asks for, whatever descriptor he gives it; the SACL needs its privilege.
 * @throws SmbError PRIVILEGE_NOT_HELD, ACCESS_DENIED
 */
export function grantForNew(request: Request, { desiredAccess, options }: OpenParameters, identity: Identity): number {
  let mask = mapGenericRights(desiredAccess & ~Access.MAXIMUM_ALLOWED);
  if (desiredAccess & Access.MAXIMUM_ALLOWED) mask |= Access.FILE_ALL;
  if (mask & Access.ACCESS_SYSTEM_SECURITY && !identity.privileges.includes(Privilege.SECURITY)) {
    throw new SmbError(NtStatus.PRIVILEGE_NOT_HELD);
  }
  const granted = mask & shareLimit(request);
  checkDeleteOnClose(options, granted);
  return granted >>> 0;
}

/** MAXIMUM_ALLOWED may turn out not to hold DELETE. @throws SmbError ACCESS_DENIED */
function checkDeleteOnClose(options: number, granted: number): void {
  if ((options & CreateOption.DELETE_ON_CLOSE) === 0 || (granted & Access.DELETE) !== 0) return;
  throw new SmbError(NtStatus.ACCESS_DENIED);
}

/** The client's descriptor, if he may create a file with it. */
export function checkedCreatorDescriptor(creator: Buffer | undefined, identity: Identity): Buffer | undefined {
  if (creator === undefined) return undefined;
  const descriptor = parseSecurityDescriptor(creator);
  if (descriptor.owner !== undefined && !mayAssignOwner(identity, descriptor.owner)) {
    throw new SmbError(NtStatus.INVALID_OWNER);
  }
  if (descriptor.sacl !== undefined && !identity.privileges.includes(Privilege.SECURITY)) {
    throw new SmbError(NtStatus.PRIVILEGE_NOT_HELD);
  }
  return creator;
}

export interface CheckedAccess {
  /** What takes part in share modes. */
  readonly granted: number;
  /** What the handle holds afterwards. */
  readonly keeps: number;
  readonly maximal: number;
  /** What the handle leaves to others afterwards. */
  readonly shareAccess: number;
}

const WRITE_RIGHTS = Access.WRITE_DATA | Access.APPEND_DATA;

/** MS-FSA 2.1.5.1.2.1, first half, within the rights of the share (MS-SMB2 3.3.5.9). */
export async function checkAccess(
  request: Request,
  file: SharedFile,
  link: Link,
  parameters: OpenParameters,
  desired: number,
): Promise<CheckedAccess> {
  const { tree } = request;
  const { options } = parameters;
  const identity = identityOf(request);
  const stat = await file.node.stat();
  const readOnly = (stat.attributes & FileAttribute.READONLY) !== 0;
  const mapped = mapGenericRights(desired);
  if (readOnly && !file.node.directory && (mapped & WRITE_RIGHTS) !== 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  if ((options & CreateOption.DELETE_ON_CLOSE) !== 0 && (readOnly || file.volume.info.readOnly)) {
    throw new SmbError(NtStatus.CANNOT_DELETE);
  }
  const descriptor = await file.node.security();
  const backupIntent = (options & CreateOption.OPEN_FOR_BACKUP_INTENT) !== 0;
  const maximumAllowed = (desired & Access.MAXIMUM_ALLOWED) !== 0;
  let granted = accessCheck(descriptor, identity, mapped, backupIntent).granted;
  let maximal = grantedMaximum(descriptor, identity, backupIntent);
  const wanted = maximumAllowed ? mapped | Access.FILE_ALL : mapped;
  const lent = Access.DELETE | Access.READ_ATTRIBUTES;
  if ((lent & wanted & ~granted) !== 0 && link.path.length > 0) {
    const parent = await rightsFromParent(file.volume, link.path, identity);
    maximal |= parent;
    granted |= parent & wanted;
  }
  if ((mapped & Access.ACCESS_SYSTEM_SECURITY & ~granted) !== 0) throw new SmbError(NtStatus.PRIVILEGE_NOT_HELD);
  granted &= shareLimit(request);
  maximal &= tree.maximalAccess;
  if (readOnly && maximumAllowed && !file.node.directory) granted &= ~WRITE_RIGHTS;
  const missing = mapped & ~Access.MAXIMUM_ALLOWED & ~granted;
  if (missing !== 0 || (maximumAllowed && granted === 0)) throw new SmbError(NtStatus.ACCESS_DENIED);
  const asked = mapGenericRights(parameters.desiredAccess);
  const keeps = maximumAllowed ? granted : granted & asked;
  checkDeleteOnClose(options, keeps);
  const shareAccess = await grantedSharing(request, file, link, parameters.shareAccess, maximal);
  return { granted: granted >>> 0, keeps: keeps >>> 0, maximal: maximal >>> 0, shareAccess };
}

/**
 * Who may change neither a file nor the directory that it is in keeps nobody from reading it (MS-FSA 2.1.5.1.2 for directories,
 * 2.1.5.1.2.2): he could lock others out of whatever he can read.
 */
async function grantedSharing(
  { tree, session }: Request,
  { node, volume }: SharedFile,
  { path }: Link,
  wanted: number,
  maximal: number,
): Promise<number> {
  const { identity } = session;
  const needed = node.directory ? Access.FILE_GENERIC_WRITE : Access.WRITE_DATA;
  if ((wanted & ShareAccess.READ) !== 0 || (maximal & needed) === needed) return wanted;
  if (!node.directory && identity !== undefined && (tree.maximalAccess & Access.ADD_FILE) !== 0) {
    const parent = await withParent(volume, path, (directory) => directory.security());
    if (parent !== undefined && accessCheck(parent, identity, Access.ADD_FILE).ok) return wanted;
  }
  return wanted | ShareAccess.READ;
}

/** The parent lends DELETE to who may delete children, and READ_ATTRIBUTES to who may list it. */
async function rightsFromParent(volume: Volume, path: NtPath, identity: Identity): Promise<number> {
  const descriptor = await withParent(volume, path, (parent) => parent.security());
  if (descriptor === undefined) return 0;
  const rights = grantedMaximum(descriptor, identity);
  let lent = 0;
  if (rights & Access.DELETE_CHILD) lent |= Access.DELETE;
  if (rights & Access.LIST_DIRECTORY) lent |= Access.READ_ATTRIBUTES;
  return lent;
}
