// SPDX-License-Identifier: Apache-2.0

import { accessCheck } from "../../nt/access-check.ts";
import { Access } from "../../nt/access-mask.ts";
import type { Awaitable } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NtPath, Volume, VolumeFile } from "../../vfs/volume.ts";
import { awaitRevocation } from "../oplock-break.ts";
import type { Request } from "../request.ts";
import { STRANGER } from "../state/oplock.ts";
import type { FileTable, SharedFile } from "../state/shared-file.ts";
import { ShareAccess } from "../wire/constants.ts";
import { identityOf } from "./open-access.ts";
import { withParent } from "./with-parent.ts";

/**
 * The security descriptor of the directory that holds a name.
 * @throws SmbError DELETE_PENDING where the directory itself is about to go
 */
export async function parentDescriptor(volume: Volume, files: FileTable, path: NtPath): Promise<Buffer> {
  const descriptor = await withParent(volume, path, (parent) => descriptorOf(files, parent));
  if (descriptor === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
  return descriptor;
}

/** The descriptor of an open directory. @throws SmbError DELETE_PENDING where it is about to go */
export function descriptorOf(files: FileTable, directory: VolumeFile): Awaitable<Buffer> {
  findStaying(files, directory);
  return directory.security();
}

/** What is known of a directory that others may have open. @throws SmbError DELETE_PENDING where it is about to go */
function findStaying(files: FileTable, directory: VolumeFile): SharedFile | undefined {
  const known = files.find(directory.fileId);
  if (known?.links.some((link) => link.deletePending)) throw new SmbError(NtStatus.DELETE_PENDING);
  return known;
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
  const descriptor = await withParent(volume, path, async (parent) => {
    if (!parent.directory) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    const security = await parent.security();
    if (!accessCheck(security, identity, needed, true).ok) throw new SmbError(NtStatus.ACCESS_DENIED);
    const known = findStaying(files, parent);
    const share = ShareAccess.READ | ShareAccess.WRITE;
    const stream = known?.streams.get("");
    await awaitRevocation(request, () =>
      known?.sharingConflicts(stream, false, needed, share) ? stream?.oplock.breakHandles(STRANGER) : undefined,
    );
    known?.checkSharing(stream, false, needed, share);
    return security;
  });
  if (descriptor === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
  return { mayDeleteChild: accessCheck(descriptor, identity, Access.DELETE_CHILD).ok };
}
