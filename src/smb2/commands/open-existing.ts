// SPDX-License-Identifier: Apache-2.0

import { Access, mapGenericRights } from "../../nt/access-mask.ts";
import { FileAttribute } from "../../nt/attributes.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NtPath, OpenedFile } from "../../vfs/volume.ts";
import { awaitRevocation, untilBroken } from "../oplock-break.ts";
import type { Request } from "../request.ts";
import { WHOLE } from "../state/data-changes.ts";
import type { FileOpen } from "../state/open.ts";
import { reportResized, reportStreamName } from "../state/report-change.ts";
import type { FileTable, Link, SharedFile } from "../state/shared-file.ts";
import { CompletionFilter, CreateAction, CreateDisposition, CreateOption } from "../wire/constants.ts";
import { FILE_NEED_EA } from "../wire/fscc/ea-info.ts";
import { FileAction } from "../wire/fscc/notify-info.ts";
import { makeWay, NameGone, waitsForPersistentOpen } from "./make-way.ts";
import { newAttributes } from "./new-file.ts";
import { checkAccess } from "./open-access.ts";
import type { OpenParameters, OpenResult } from "./open-parameters.ts";
import { applyAllocation, discardData, giveUp, openStream, register } from "./register-open.ts";

/**
 * Opens a file or directory that exists, and overwrites it where that is asked for (MS-FSA 2.1.5.1.2).
 * @throws NameGone the name went while the open waited
 */
export async function openExisting(
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
    await checkEaKnowledge(file, parameters);
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

/**
 * A file with extended attributes that one has to know is not opened by who says that he does not (MS-FSA 2.1.5.1.2).
 * @throws SmbError ACCESS_DENIED
 */
async function checkEaKnowledge({ node }: SharedFile, { options, path }: OpenParameters): Promise<void> {
  if ((options & CreateOption.NO_EA_KNOWLEDGE) === 0 || path.stream !== "") return;
  const attributes = await node.extendedAttributes();
  if (attributes.some(({ flags }) => (flags & FILE_NEED_EA) !== 0)) throw new SmbError(NtStatus.ACCESS_DENIED);
}

async function openDirectory(
  request: Request,
  file: SharedFile,
  link: Link,
  parameters: OpenParameters,
): Promise<OpenResult> {
  const { disposition, options } = parameters;
  if (disposition !== CreateDisposition.OPEN && disposition !== CreateDisposition.OPEN_IF) {
    throw new SmbError(link.path.length === 0 ? NtStatus.ACCESS_DENIED : NtStatus.OBJECT_NAME_COLLISION);
  }
  if (link.path.length === 0 && (options & CreateOption.DELETE_ON_CLOSE) !== 0) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
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
    shareAccess: access.shareAccess,
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
    await discardData(file, data);
    throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
  } else if (!opensAsIs) {
    desired |= disposition === CreateDisposition.SUPERSEDE ? Access.DELETE : Access.WRITE_DATA;
    if (path.stream === "") desired |= Access.WRITE_EA | Access.WRITE_ATTRIBUTES;
    action = disposition === CreateDisposition.SUPERSEDE ? CreateAction.SUPERSEDED : CreateAction.OVERWRITTEN;
  }
  const writes = action !== CreateAction.OPENED;
  if (writes && file.volume.info.readOnly) {
    await discardData(file, data);
    throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  }
  let open: FileOpen;
  try {
    const access = await checkAccess(request, file, link, parameters, desired);
    if (writes && data !== undefined && path.stream === "") await checkOverwrite(file, parameters.attributes);
    const overwrites = action === CreateAction.OVERWRITTEN || action === CreateAction.SUPERSEDED;
    const asked = mapGenericRights(desired);
    if (waitsForPersistentOpen(file, asked, overwrites)) throw new SmbError(NtStatus.FILE_NOT_AVAILABLE);
    const clear = () => makeWay(request, file, link, parameters, access.granted, asked, overwrites);
    if (data === undefined) {
      // An open that others refuse leaves no stream behind.
      await awaitRevocation(request, clear);
      data = await openStream(file, path.stream, true);
      reportStreamName(request.tree.files, FileAction.ADDED_STREAM, link.path, path.stream);
    }
    // No await from the last round to the registration: what was checked is still true when the handle appears.
    for (let broken = clear(); broken !== undefined; broken = clear()) await untilBroken(request, broken);
    if (known !== undefined && file.streams.get(foldName(path.stream)) !== known) throw new NameGone();
    // Rights that only the overwriting itself needs are not the handle's to keep.
    open = register(request, parameters, {
      file,
      link,
      streamName: path.stream,
      data,
      granted: access.keeps,
      maximal: access.maximal,
      shareAccess: access.shareAccess,
    });
  } catch (error) {
    await discardData(file, data);
    throw error;
  }
  if (writes) {
    try {
      await overwrite(open, action, parameters);
      await applyAllocation(open, parameters.allocationSize);
    } catch (error) {
      await giveUp(request, open, action === CreateAction.CREATED);
      throw error;
    }
  }
  return { open, action };
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
