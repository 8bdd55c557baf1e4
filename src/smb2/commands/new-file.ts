// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../../auth/auth.ts";
import { accessCheck } from "../../nt/access-check.ts";
import { Access } from "../../nt/access-mask.ts";
import { FileAttribute, SETTABLE_ATTRIBUTES } from "../../nt/attributes.ts";
import { isPromise } from "../../nt/awaitable.ts";
import { createSecurityDescriptor } from "../../nt/inheritance.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Volume, VolumeFile } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import type { FileOpen } from "../state/open.ts";
import { reportName, reportStreamName } from "../state/report-change.ts";
import type { FileTable, SharedFile } from "../state/shared-file.ts";
import { CreateAction, CreateOption } from "../wire/constants.ts";
import { FileAction } from "../wire/fscc/notify-info.ts";
import { parentIdOf } from "./create-lease.ts";
import { checkedCreatorDescriptor, grantForNew, identityOf } from "./open-access.ts";
import type { OpenParameters, OpenResult } from "./open-parameters.ts";
import { descriptorOf, parentDescriptor } from "./parent-directory.ts";
import { applyAllocation, discardData, giveUp, openStream, register } from "./register-open.ts";

/** The group of new files: the domain's users, as of an ordinary Windows account. */
function primaryGroup(identity: Identity): string {
  return identity.groups.find((group) => group.startsWith("S-1-5-21-") && group.endsWith("-513")) ?? identity.sid;
}

/**
 * Creates a file or directory (MS-FSA 2.1.5.1.1).
 * @param parent its directory, where the volume has opened it already
 */
export async function createNew(
  request: Request,
  volume: Volume,
  files: FileTable,
  parameters: OpenParameters,
  parent: VolumeFile | undefined,
): Promise<OpenResult> {
  const { path, options, desiredAccess, attributes, shareAccess } = parameters;
  const { tree } = request;
  const identity = identityOf(request);
  const directory = (options & CreateOption.DIRECTORY_FILE) !== 0 || path.type === "$INDEX_ALLOCATION";
  if (path.components.length === 0) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  if (directory && path.stream !== "") throw new SmbError(NtStatus.NOT_A_DIRECTORY);
  if (path.trailingSeparator && !directory) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  if (volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  // SYNCHRONIZE alone may wait for a file that exists, but create none.
  if ((desiredAccess & ~Access.SYNCHRONIZE) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (directory && (attributes & FileAttribute.TEMPORARY) !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const readOnly = (attributes & FileAttribute.READONLY) !== 0;
  if (readOnly && (options & CreateOption.DELETE_ON_CLOSE) !== 0) throw new SmbError(NtStatus.CANNOT_DELETE);

  const reading = parent === undefined ? parentDescriptor(volume, files, path.components) : descriptorOf(files, parent);
  const parentSecurity = isPromise(reading) ? await reading : reading;
  const needed = directory ? Access.ADD_SUBDIRECTORY : Access.ADD_FILE;
  if ((tree.maximalAccess & needed) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  const backupIntent = (options & CreateOption.OPEN_FOR_BACKUP_INTENT) !== 0;
  if (!accessCheck(parentSecurity, identity, needed, backupIntent).ok) throw new SmbError(NtStatus.ACCESS_DENIED);

  const security = createSecurityDescriptor({
    parent: parentSecurity,
    creator: checkedCreatorDescriptor(parameters.security, identity),
    container: directory,
    owner: identity.sid,
    group: primaryGroup(identity),
  });
  const granted = grantForNew(request, parameters, identity);

  const tunnelled = directory ? undefined : files.tunnel.take(path.components);
  const name = tunnelled === undefined ? path.components : [...path.components.slice(0, -1), tunnelled.name];
  const creating = volume.create(
    name,
    {
      directory,
      attributes: newAttributes(attributes, directory),
      security,
      extendedAttributes: path.stream === "" ? parameters.extendedAttributes : undefined,
    },
    parent,
  );
  const created = isPromise(creating) ? await creating : creating;
  const file = files.hold(created.file);
  reportName(files, FileAction.ADDED, created.path, directory, parentIdOf(parameters.lease));
  try {
    if (tunnelled !== undefined) await file.node.setBasic({ creationTime: tunnelled.creationTime });
    if ((options & CreateOption.NO_COMPRESSION) !== 0) await keepUncompressed(file);
    const data = directory ? undefined : await openStream(file, path.stream, true);
    const link = file.linkFor(created.path);
    if (path.stream !== "") reportStreamName(files, FileAction.ADDED_STREAM, created.path, path.stream);
    let open: FileOpen;
    try {
      // Another client may have opened the file in the meantime, and even asked for its deletion.
      if (link.deletePending) throw new SmbError(NtStatus.DELETE_PENDING);
      const stream = file.streams.get(foldName(path.stream));
      file.checkSharing(stream, path.stream !== "", granted, shareAccess);
      const maximal = tree.maximalAccess & Access.FILE_ALL;
      open = register(request, parameters, {
        file,
        link,
        streamName: path.stream,
        data,
        granted,
        maximal,
        shareAccess,
      });
    } catch (error) {
      await discardData(file, data);
      throw error;
    }
    try {
      await applyAllocation(open, parameters.allocationSize);
    } catch (error) {
      await giveUp(request, open, true);
      throw error;
    }
    return { open, action: CreateAction.CREATED };
  } finally {
    await files.release(file);
  }
}

/** The attributes of a file that is created or overwritten. */
export function newAttributes(attributes: number, directory: boolean): number {
  const settable = attributes & SETTABLE_ATTRIBUTES;
  return directory ? settable : settable | FileAttribute.ARCHIVE;
}

/** FILE_NO_COMPRESSION (MS-SMB2 2.2.13): the file does not take over that its directory is compressed. */
async function keepUncompressed({ node }: SharedFile): Promise<void> {
  if (((await node.stat()).attributes & FileAttribute.COMPRESSED) !== 0) await node.setCompressed?.(false);
}
