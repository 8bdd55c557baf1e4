// SPDX-License-Identifier: Apache-2.0

import { accessCheck } from "../../nt/access-check.ts";
import { Access } from "../../nt/access-mask.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NtPath, Volume } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import type { FileTable } from "../state/shared-file.ts";
import { ShareAccess } from "../wire/constants.ts";
import { identityOf } from "./open-access.ts";

/**
 * The security descriptor of the directory that holds a name.
 * @throws SmbError DELETE_PENDING where the directory itself is about to go
 */
export async function parentDescriptor(volume: Volume, files: FileTable, path: NtPath): Promise<Buffer> {
  const parent = await volume.open(path.slice(0, -1));
  if (parent === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
  try {
    const known = files.find(parent.file.fileId);
    if (known?.links.some((link) => link.deletePending)) throw new SmbError(NtStatus.DELETE_PENDING);
    return await parent.file.security();
  } finally {
    await parent.file.close();
  }
}

/**
 * Opens the directory into which a name is to be moved or linked, as far as rights and share modes go (MS-FSA
 * 2.1.5.15.12): the sharing is READ and WRITE only, so that a directory opened for its deletion takes nothing in.
 * @returns whether the caller may delete children of that directory
 * @throws SmbError OBJECT_PATH_NOT_FOUND, ACCESS_DENIED, SHARING_VIOLATION, DELETE_PENDING
 */
export async function checkDestination(
  request: Request,
  volume: Volume,
  files: FileTable,
  path: NtPath,
  directory: boolean,
): Promise<{ readonly mayDeleteChild: boolean }> {
  const identity = identityOf(request);
  const needed = directory ? Access.ADD_SUBDIRECTORY : Access.ADD_FILE;
  if ((request.tree.maximalAccess & needed) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  const parent = await volume.open(path.slice(0, -1));
  if (parent === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
  try {
    if (!parent.file.directory) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    const descriptor = await parent.file.security();
    if (!accessCheck(descriptor, identity, needed, true).ok) throw new SmbError(NtStatus.ACCESS_DENIED);
    const known = files.find(parent.file.fileId);
    if (known?.links.some((link) => link.deletePending)) throw new SmbError(NtStatus.DELETE_PENDING);
    known?.checkSharing(known.streams.get(""), false, needed, ShareAccess.READ | ShareAccess.WRITE);
    return { mayDeleteChild: accessCheck(descriptor, identity, Access.DELETE_CHILD).ok };
  } finally {
    await parent.file.close();
  }
}
