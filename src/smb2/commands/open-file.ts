// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../../auth/auth.ts";
import { accessCheck } from "../../nt/access-check.ts";
import { Access, mapGenericRights } from "../../nt/access-mask.ts";
import { FileAttribute } from "../../nt/attributes.ts";
import { createSecurityDescriptor } from "../../nt/inheritance.ts";
import { foldName, type SharePath } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ExtendedAttribute, NtPath, OpenedFile, Volume, VolumeStream } from "../../vfs/volume.ts";
import { untilBroken } from "../oplock-break.ts";
import type { Request } from "../request.ts";
import { ChannelSequence } from "../state/channel-sequence.ts";
import { closeOpen } from "../state/close-open.ts";
import { everythingFrom, WHOLE } from "../state/data-changes.ts";
import { LockSequences } from "../state/lock-sequences.ts";
import type { FileOpen } from "../state/open.ts";
import { disturbsOplocks } from "../state/oplock.ts";
import { reportName, reportResized, reportStreamName } from "../state/report-change.ts";
import { type FileTable, type Link, type SharedFile, SharedStream } from "../state/shared-file.ts";
import { CompletionFilter, CreateAction, CreateDisposition, CreateOption } from "../wire/constants.ts";
import { FileAction } from "../wire/fscc/notify-info.ts";
import { cacheUser, checkLeaseName, type LeaseRequest } from "./create-lease.ts";
import { checkAccess, checkedCreatorDescriptor, grantForNew, identityOf } from "./open-access.ts";
import { parentDescriptor } from "./parent-directory.ts";

/** What a CREATE asks of the object store, already checked for form (MS-FSA 2.1.5.1). */
export interface OpenParameters {
  readonly path: SharePath;
  readonly fileName: string;
  readonly desiredAccess: number;
  readonly shareAccess: number;
  readonly disposition: number;
  readonly options: number;
  readonly attributes: number;
  readonly security: Buffer | undefined;
  readonly extendedAttributes: readonly ExtendedAttribute[] | undefined;
  readonly allocationSize: number | undefined;
  readonly lease: LeaseRequest | undefined;
}

export interface OpenResult {
  readonly open: FileOpen;
  readonly action: number;
}

/** Attributes that a client may give a file (MS-FSCC 2.6); the others describe its state. */
const SETTABLE_ATTRIBUTES =
  FileAttribute.READONLY |
  FileAttribute.HIDDEN |
  FileAttribute.SYSTEM |
  FileAttribute.ARCHIVE |
  FileAttribute.TEMPORARY |
  FileAttribute.OFFLINE |
  FileAttribute.NOT_CONTENT_INDEXED;

/** CreateOptions that FileModeInformation shows (MS-FSA 2.1.5.1, Open.Mode). */
const MODE_OPTIONS =
  CreateOption.WRITE_THROUGH |
  CreateOption.SEQUENTIAL_ONLY |
  CreateOption.NO_INTERMEDIATE_BUFFERING |
  CreateOption.DELETE_ON_CLOSE;

/** How often an open is begun again because a name has come or gone between two steps. */
const MAX_RACES = 8;

/** The name went while an open waited for its last handle, which was cached: the open begins again. */
class NameGone extends SmbError {
  constructor() {
    super(NtStatus.DELETE_PENDING);
  }
}

/** Opens or creates a file, directory or stream (MS-FSA 2.1.5.1). */
export async function openFile(request: Request, parameters: OpenParameters): Promise<OpenResult> {
  const { tree } = request;
  if (tree.share === undefined || tree.files === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  const { volume } = tree.share;
  const { disposition, path } = parameters;
  for (let attempt = 0; ; attempt++) {
    const opened = await volume.open(path.components);
    checkLeaseName(request, parameters.lease, opened?.path ?? path.components, path.stream);
    if (opened !== undefined) {
      try {
        return await openExisting(request, tree.files, opened, parameters);
      } catch (error) {
        if (!(error instanceof NameGone) || attempt >= MAX_RACES) throw error;
        continue;
      }
    }
    if (disposition === CreateDisposition.OPEN || disposition === CreateDisposition.OVERWRITE) {
      throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    }
    try {
      return await createNew(request, volume, tree.files, parameters);
    } catch (error) {
      const collision = error instanceof SmbError && error.status === NtStatus.OBJECT_NAME_COLLISION;
      if (!collision || disposition === CreateDisposition.CREATE || attempt >= MAX_RACES) throw error;
    }
  }
}

/** The group of new files: the domain's users, as of an ordinary Windows account. */
export function primaryGroup(identity: Identity): string {
  return identity.groups.find((group) => group.startsWith("S-1-5-21-") && group.endsWith("-513")) ?? identity.sid;
}

// ---------------------------------------------------------------------------------------------------------------------

/** MS-FSA 2.1.5.1.1. */
async function createNew(
  request: Request,
  volume: Volume,
  files: FileTable,
  parameters: OpenParameters,
): Promise<OpenResult> {
  const { path, options, desiredAccess } = parameters;
  const { tree } = request;
  const identity = identityOf(request);
  const directory = (options & CreateOption.DIRECTORY_FILE) !== 0 || path.type === "$INDEX_ALLOCATION";
  if (path.components.length === 0) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  if (directory && path.stream !== "") throw new SmbError(NtStatus.NOT_A_DIRECTORY);
  if (path.trailingSeparator && !directory) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  if (volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  // SYNCHRONIZE alone may wait for a file that exists, but create none.
  if ((desiredAccess & ~Access.SYNCHRONIZE) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  const readOnly = (parameters.attributes & FileAttribute.READONLY) !== 0;
  if (readOnly && (options & CreateOption.DELETE_ON_CLOSE) !== 0) throw new SmbError(NtStatus.CANNOT_DELETE);

  const parentSecurity = await parentDescriptor(volume, files, path.components);
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
  const granted = grantForNew(desiredAccess, identity) & tree.maximalAccess;

  const tunnelled = directory ? undefined : files.tunnel.take(path.components);
  const name = tunnelled === undefined ? path.components : [...path.components.slice(0, -1), tunnelled.name];
  const created = await volume.create(name, {
    directory,
    attributes: newAttributes(parameters.attributes, directory),
    security,
    extendedAttributes: path.stream === "" ? parameters.extendedAttributes : undefined,
  });
  const file = files.hold(created.file);
  reportName(files, FileAction.ADDED, created.path, directory);
  try {
    if (tunnelled !== undefined) await file.node.setBasic({ creationTime: tunnelled.creationTime });
    const data = directory ? undefined : await openStream(file, path.stream, true);
    const link = file.linkFor(created.path);
    if (path.stream !== "") reportStreamName(files, FileAction.ADDED_STREAM, created.path, path.stream);
    // Another client may have opened the file in the meantime, and even asked for its deletion.
    if (link.deletePending) throw closing(data, NtStatus.DELETE_PENDING);
    const open = register(request, parameters, {
      file,
      link,
      streamName: path.stream,
      data,
      granted,
      maximal: tree.maximalAccess & Access.FILE_ALL,
    });
    await applyAllocation(request, open, parameters.allocationSize);
    return { open, action: CreateAction.CREATED };
  } finally {
    await files.release(file);
  }
}

function newAttributes(attributes: number, directory: boolean): number {
  const settable = attributes & SETTABLE_ATTRIBUTES;
  return directory ? settable & ~FileAttribute.TEMPORARY : settable | FileAttribute.ARCHIVE;
}

// ---------------------------------------------------------------------------------------------------------------------

/** MS-FSA 2.1.5.1.2. */
async function openExisting(
  request: Request,
  files: FileTable,
  opened: OpenedFile,
  parameters: OpenParameters,
): Promise<OpenResult> {
  const file = files.hold(opened.file);
  try {
    const link = file.linkFor(opened.path);
    if (link.deletePending) throw new SmbError(NtStatus.DELETE_PENDING);
    const asDirectory = checkType(file, parameters);
    return asDirectory
      ? await openDirectory(request, file, link, parameters)
      : await openData(request, file, link, parameters);
  } finally {
    forgetUnused(file, opened.path);
    await files.release(file);
  }
}

/** A failed open leaves no link behind. */
function forgetUnused(file: SharedFile, path: NtPath): void {
  const link = file.linkFor(path);
  if (link.opens.size === 0 && !link.deletePending) file.links.splice(file.links.indexOf(link), 1);
}

/** Whether the directory itself, not data, is to be opened (MS-FSA 2.1.5.1, phase 7). */
function checkType(file: SharedFile, { path, options, disposition }: OpenParameters): boolean {
  const { directory } = file.node;
  const wantsDirectory = (options & CreateOption.DIRECTORY_FILE) !== 0 || path.type === "$INDEX_ALLOCATION";
  if (wantsDirectory) {
    if (path.type !== "$INDEX_ALLOCATION" && (path.stream !== "" || path.type !== "")) {
      throw new SmbError(NtStatus.NOT_A_DIRECTORY);
    }
    if (!directory) {
      const collides = disposition === CreateDisposition.CREATE;
      throw new SmbError(collides ? NtStatus.OBJECT_NAME_COLLISION : NtStatus.NOT_A_DIRECTORY);
    }
    return true;
  }
  if (path.trailingSeparator && !directory) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  if (!directory || path.stream !== "") return false;
  if (path.type !== "" || (options & CreateOption.NON_DIRECTORY_FILE) !== 0) {
    throw new SmbError(NtStatus.FILE_IS_A_DIRECTORY);
  }
  return true;
}

async function openDirectory(
  request: Request,
  file: SharedFile,
  link: Link,
  parameters: OpenParameters,
): Promise<OpenResult> {
  const { disposition } = parameters;
  if (disposition !== CreateDisposition.OPEN && disposition !== CreateDisposition.OPEN_IF) {
    throw new SmbError(link.path.length === 0 ? NtStatus.ACCESS_DENIED : NtStatus.OBJECT_NAME_COLLISION);
  }
  const access = await checkAccess(request, file, link, parameters, parameters.desiredAccess);
  for (;;) {
    const broken = makeWay(request, file, link, parameters, access.granted, access.granted, false);
    if (broken === undefined) break;
    await untilBroken(request, broken);
  }
  const open = register(request, parameters, {
    file,
    link,
    streamName: "",
    data: undefined,
    granted: access.granted,
    maximal: access.maximal,
  });
  return { open, action: CreateAction.OPENED };
}

async function openData(
  request: Request,
  file: SharedFile,
  link: Link,
  parameters: OpenParameters,
): Promise<OpenResult> {
  const { disposition, path } = parameters;
  const known = file.streams.get(foldName(path.stream));
  if (known?.deletePending) throw new SmbError(NtStatus.DELETE_PENDING);
  let data = known?.data ?? (await openStream(file, path.stream, false));
  const opensAsIs = disposition === CreateDisposition.OPEN || disposition === CreateDisposition.OPEN_IF;
  let action: number = CreateAction.OPENED;
  let desired = parameters.desiredAccess;
  if (data === undefined) {
    if (disposition === CreateDisposition.OPEN || disposition === CreateDisposition.OVERWRITE) {
      throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    }
    desired |= Access.WRITE_DATA;
    action = CreateAction.CREATED;
  } else if (disposition === CreateDisposition.CREATE) {
    throw closing(known === undefined ? data : undefined, NtStatus.OBJECT_NAME_COLLISION);
  } else if (!opensAsIs) {
    desired |= disposition === CreateDisposition.SUPERSEDE ? Access.DELETE : Access.WRITE_DATA;
    if (path.stream === "") desired |= Access.WRITE_EA | Access.WRITE_ATTRIBUTES;
    action = disposition === CreateDisposition.SUPERSEDE ? CreateAction.SUPERSEDED : CreateAction.OVERWRITTEN;
  }
  const writes = action !== CreateAction.OPENED;
  if (writes && file.volume.info.readOnly) {
    throw closing(known === undefined ? data : undefined, NtStatus.MEDIA_WRITE_PROTECTED);
  }
  let open: FileOpen;
  try {
    const access = await checkAccess(request, file, link, parameters, desired);
    if (writes && data !== undefined && path.stream === "") await checkOverwrite(file, parameters.attributes);
    if (data === undefined) {
      data = await openStream(file, path.stream, true);
      reportStreamName(request.tree.files, FileAction.ADDED_STREAM, link.path, path.stream);
    }
    const overwrites = action === CreateAction.OVERWRITTEN || action === CreateAction.SUPERSEDED;
    if (waitsForPersistentOpen(file, mapGenericRights(desired), overwrites))
      throw new SmbError(NtStatus.FILE_NOT_AVAILABLE);
    // No await from the last round to the registration: what was checked is still true when the handle appears.
    for (;;) {
      const broken = makeWay(request, file, link, parameters, access.granted, mapGenericRights(desired), overwrites);
      if (broken === undefined) break;
      await untilBroken(request, broken);
    }
    // Rights that only the overwriting itself needs are not the handle's to keep.
    open = register(request, parameters, {
      file,
      link,
      streamName: path.stream,
      data,
      granted: access.keeps,
      maximal: access.maximal,
    });
  } catch (error) {
    if (data !== undefined && !isShared(file, data)) await data.close();
    throw error;
  }
  if (writes) {
    try {
      await overwrite(open, action, parameters);
      await applyAllocation(request, open, parameters.allocationSize);
    } catch (error) {
      open.deleteOnClose = false;
      await closeOpen(request.server, open);
      throw error;
    }
  }
  return { open, action };
}

/** A persistent handle without its client comes before all others: they are to come again later (MS-SMB2 3.3.5.9). */
function waitsForPersistentOpen(file: SharedFile, desired: number, overwrites: boolean): boolean {
  if (!overwrites && !disturbsOplocks(desired)) return false;
  for (const { isDisconnected, durability } of file.opens) {
    if (isDisconnected && durability?.kind === "persistent") return true;
  }
  return false;
}

/**
 * Checks sharing, and has others give up what they cache and what is in the way of this open (MS-FSA 2.1.5.1.2,
 * 2.1.5.1.2.1). `undefined`: the open may go on. Else it waits, and asks again.
 * @throws SmbError DELETE_PENDING, SHARING_VIOLATION
 */
function makeWay(
  request: Request,
  file: SharedFile,
  link: Link,
  { path, lease, shareAccess }: OpenParameters,
  granted: number,
  desired: number,
  overwrites: boolean,
): Promise<void> | undefined {
  const stream = file.streams.get(foldName(path.stream));
  const oplock = stream === undefined || stream.oplock.isEmpty ? undefined : stream.oplock;
  const user = cacheUser(request, lease);
  if (oplock?.hasBatchOfOthers(user)) {
    const broken = oplock.breakForOpen(user, desired, overwrites);
    if (broken !== undefined) return broken;
  }
  if (link.deletePending && !file.links.includes(link)) throw new NameGone();
  if (link.deletePending || stream?.deletePending) throw new SmbError(NtStatus.DELETE_PENDING);
  if (file.sharingConflicts(stream, path.stream !== "", granted, shareAccess)) {
    const broken = oplock?.breakHandles(user);
    if (broken !== undefined) return broken;
    throw new SmbError(NtStatus.SHARING_VIOLATION);
  }
  return oplock?.breakForOpen(user, desired, overwrites);
}

function isShared(file: SharedFile, data: VolumeStream): boolean {
  for (const stream of file.streams.values()) if (stream.data === data) return true;
  return false;
}

/** Hidden and system files are overwritten only by who says that he knows them (MS-FSA 2.1.5.1.2). */
async function checkOverwrite(file: SharedFile, attributes: number): Promise<void> {
  const current = (await file.node.stat()).attributes;
  for (const bit of [FileAttribute.HIDDEN, FileAttribute.SYSTEM]) {
    if ((current & bit) !== 0 && (attributes & bit) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  }
}

/** What changes when a file is overwritten, extended attributes aside. */
const OVERWRITE_FILTER = CompletionFilter.ATTRIBUTES | CompletionFilter.SIZE | CompletionFilter.LAST_WRITE;

async function overwrite(open: FileOpen, action: number, parameters: OpenParameters): Promise<void> {
  if (action === CreateAction.CREATED) return;
  await open.stream.changes.run(WHOLE, () => open.stream.data?.setEndOfFile(0));
  if (open.stream.name !== "") {
    reportResized(open, 0);
    return;
  }
  await open.file.node.setBasic({ attributes: newAttributes(parameters.attributes, false) });
  const old = await open.file.node.extendedAttributes();
  if (old.length > 0) {
    await open.file.node.setExtendedAttributes(old.map(({ name }) => ({ name, flags: 0, value: Buffer.alloc(0) })));
  }
  if (parameters.extendedAttributes !== undefined) {
    await open.file.node.setExtendedAttributes(parameters.extendedAttributes);
  }
  const eas = old.length > 0 || parameters.extendedAttributes !== undefined ? CompletionFilter.EA : 0;
  reportResized(open, OVERWRITE_FILTER | eas);
}

// ---------------------------------------------------------------------------------------------------------------------

async function openStream(file: SharedFile, name: string, create: boolean): Promise<VolumeStream | undefined> {
  const known = file.streams.get(foldName(name));
  if (known !== undefined) return known.data;
  const existing = await file.node.openStream(name);
  if (existing !== undefined || !create) return existing;
  return file.node.createStream(name);
}

function closing(data: VolumeStream | undefined, status: NtStatus): SmbError {
  void data?.close();
  return new SmbError(status);
}

interface Registration {
  readonly file: SharedFile;
  readonly link: Link;
  readonly streamName: string;
  readonly data: VolumeStream | undefined;
  readonly granted: number;
  readonly maximal: number;
}

/** Makes the handle known. Synchronous, so that nothing happens between the last check and this. */
function register(request: Request, parameters: OpenParameters, found: Registration): FileOpen {
  const { server, session, tree } = request;
  if (session.state !== "valid" || tree.closing || request.connection.isClosed) {
    throw closing(found.data, NtStatus.USER_SESSION_DELETED);
  }
  if (session.opens.size >= server.context.options.maxOpensPerSession) {
    throw closing(found.data, NtStatus.TOO_MANY_OPENED_FILES);
  }
  const { file, link } = found;
  const key = foldName(found.streamName);
  let stream = file.streams.get(key);
  if (stream === undefined) {
    stream = new SharedStream(file, found.data?.name ?? "", found.data);
    file.streams.set(key, stream);
  } else if (found.data !== undefined && stream.data !== found.data) {
    void found.data.close();
  }
  const deleteOnClose = (parameters.options & CreateOption.DELETE_ON_CLOSE) !== 0;
  const id = server.allocateFileId();
  const open: FileOpen = {
    kind: "file",
    persistentId: id,
    volatileId: id,
    session,
    tree,
    grantedAccess: found.granted >>> 0,
    closing: false,
    fileName: parameters.fileName,
    file,
    stream,
    link,
    shareAccess: parameters.shareAccess,
    createOptions: parameters.options,
    lease: undefined,
    oplock: undefined,
    deleteOnClose,
    maximalAccess: found.maximal,
    position: 0n,
    mode: parameters.options & MODE_OPTIONS,
    enumeration: undefined,
    enumerating: undefined,
    frozenTimes: { creation: false, access: false, write: false, change: false },
    hasWritten: false,
    onClose: new Set(),
    resumeKey: undefined,
    eaIndex: 1,
    clientGuid: request.connection.clientGuid,
    desiredAccess: parameters.desiredAccess,
    createAction: CreateAction.OPENED,
    channelSequence: new ChannelSequence(request.header.channelSequence),
    lockSequences: new LockSequences(),
    durability: undefined,
    isDisconnected: false,
    createGuid: undefined,
    isReplayEligible: false,
    appInstance: undefined,
  };
  session.opens.set(id, open);
  file.opens.add(open);
  stream.opens.add(open);
  link.opens.add(open);
  server.context.metrics.opens(1);
  return open;
}

/** SMB2_CREATE_ALLOCATION_SIZE (MS-SMB2 3.3.5.9.3): space reserved for a file created or emptied. */
async function applyAllocation(request: Request, open: FileOpen, size: number | undefined): Promise<void> {
  if (size === undefined || size === 0 || open.stream.data === undefined) return;
  try {
    const { changes, data } = open.stream;
    await changes.run(everythingFrom(size), () => data.setAllocation(size));
  } catch (error) {
    open.deleteOnClose = true;
    await closeOpen(request.server, open);
    throw error;
  }
}
