// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../../nt/filetime.ts";
import { parseSharePath } from "../../../nt/names.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { NtPath, OpenedFile, Volume } from "../../../vfs/volume.ts";
import { awaitRevocation } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import { archive } from "../../state/archive.ts";
import { keepFrozenTimes } from "../../state/frozen-times.ts";
import type { FileOpen } from "../../state/open.ts";
import { reportRename } from "../../state/report-change.ts";
import { type FileTable, isBelow, type Link, samePath } from "../../state/shared-file.ts";
import type { Tunnelled } from "../../state/tunnel-cache.ts";
import { CompletionFilter } from "../../wire/constants.ts";
import {
  FileRenameFlag,
  type FileRenameInformation,
  type FileRenameInformationEx,
} from "../../wire/fscc/rename-info.ts";
import { checkDestination } from "../parent-directory.ts";
import { renameStream } from "./rename-stream.ts";
import { checkReplacement } from "./replace-target.ts";

interface Rename {
  readonly rootDirectory: bigint;
  readonly fileName: string;
  readonly replaceIfExists: boolean;
  readonly ignoresReadOnly: boolean;
  readonly posixSemantics: boolean;
}

const KNOWN_FLAGS =
  FileRenameFlag.REPLACE_IF_EXISTS |
  FileRenameFlag.POSIX_SEMANTICS |
  FileRenameFlag.SUPPRESS_PIN_STATE_INHERITANCE |
  FileRenameFlag.SUPPRESS_STORAGE_RESERVE_INHERITANCE |
  FileRenameFlag.NO_INCREASE_AVAILABLE_SPACE |
  FileRenameFlag.NO_DECREASE_AVAILABLE_SPACE |
  FileRenameFlag.IGNORE_READONLY_ATTRIBUTE |
  FileRenameFlag.FORCE_RESIZE_TARGET_SR |
  FileRenameFlag.FORCE_RESIZE_SOURCE_SR;

/** FileRenameInformation (MS-FSA 2.1.5.15.12). */
export function setRename(request: Request, open: FileOpen, info: FileRenameInformation): Promise<void> {
  return rename(request, open, { ...info, ignoresReadOnly: false, posixSemantics: false });
}

/** FileRenameInformationEx (MS-FSCC 2.4.43). */
export function setRenameEx(request: Request, open: FileOpen, info: FileRenameInformationEx): Promise<void> {
  if ((info.flags & ~KNOWN_FLAGS) !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  return rename(request, open, {
    rootDirectory: info.rootDirectory,
    fileName: info.fileName,
    replaceIfExists: (info.flags & FileRenameFlag.REPLACE_IF_EXISTS) !== 0,
    ignoresReadOnly: (info.flags & FileRenameFlag.IGNORE_READONLY_ATTRIBUTE) !== 0,
    posixSemantics: (info.flags & FileRenameFlag.POSIX_SEMANTICS) !== 0,
  });
}

async function rename(request: Request, open: FileOpen, wanted: Rename): Promise<void> {
  const { fileName } = wanted;
  if (wanted.rootDirectory !== 0n || fileName === "" || fileName.startsWith("\\")) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (fileName.startsWith(":")) {
    await awaitRevocation(request, () => open.stream.oplock.breakForRename(open));
    return renameStream(open, fileName, wanted.replaceIfExists);
  }
  return renameLink(request, open, wanted);
}

async function renameLink(request: Request, open: FileOpen, wanted: Rename): Promise<void> {
  const { file, link } = open;
  const { files } = open.tree;
  const { volume, node } = file;
  if (files === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  if (link.path.length === 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const path = parseSharePath(wanted.fileName);
  const target = path.components;
  if (target.length === 0) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  // First of all, so that whatever the client sends after it already finds the rename under way.
  await awaitRevocation(request, () => open.stream.oplock.breakForRename(open));
  const { mayDeleteChild } = await checkDestination(request, volume, files, target, node.directory);
  // A stream cannot leave its file, not even to where it is already.
  if (open.stream.name !== "") throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (path.stream !== "" || path.type !== "" || (path.trailingSeparator && !node.directory)) {
    throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  }
  if (node.directory) await awaitRevocation(request, () => breakBelow(files, open));
  checkMovable(files, open, target);
  const existing = await volume.open(target);
  try {
    if (existing !== undefined && existing.file.fileId !== node.fileId) {
      await checkReplacement(request, files, existing.file, { ...wanted, mayDeleteChild });
    }
    // From here to the rename itself nothing else runs.
    if (open.closing) throw new SmbError(NtStatus.FILE_CLOSED);
    checkMovable(files, open, target);
    const from = link.path;
    if (isExactly(from, target)) return;
    const replace = wanted.replaceIfExists || existing?.file.fileId === node.fileId;
    const tunnelled = node.directory ? undefined : files.tunnel.take(target);
    const name = tunnelled?.name ?? target.at(-1) ?? "";
    const { creationTime } = await node.stat();
    await keepFrozenTimes(open, () => volume.rename(node, from, [...target.slice(0, -1), name], replace));
    if (existing !== undefined && existing.file.fileId !== node.fileId) loseName(files, existing);
    const parent = existing?.path.slice(0, -1) ?? (await storedParent(volume, from, target));
    const to = [...parent, name];
    moveLinks(files, link, from, to, node.directory);
    await passThroughTunnel(files, open, {
      from,
      creationTime,
      sameFile: existing?.file.fileId === node.fileId,
      tunnelled,
    });
    reportRename(open, from, to, existing?.file.fileId === node.fileId ? undefined : existing?.path);
    await keepFrozenTimes(open, () => archive(file));
  } finally {
    await existing?.file.close();
  }
}

/** Handles of a file that was replaced (POSIX semantics) remain, its name does not. */
function loseName(files: FileTable, { file, path }: OpenedFile): void {
  const known = files.find(file.fileId);
  if (known === undefined || known.opens.size === 0) return;
  const link = known.linkFor(path);
  link.deletePending = true;
  link.removal = "done";
}

/** What the old name leaves behind, and what the new one finds (MS-FSA 2.1.5.15.12). */
async function passThroughTunnel(
  { tunnel }: FileTable,
  { file, fileName }: FileOpen,
  moved: { from: NtPath; sameFile: boolean; creationTime: FileTime; tunnelled: Tunnelled | undefined },
): Promise<void> {
  if (file.node.directory) {
    tunnel.forget(moved.from);
    return;
  }
  if (!moved.sameFile) tunnel.add(moved.from, fileName, moved.creationTime);
  if (moved.tunnelled === undefined) return;
  file.pendingNotifications |= CompletionFilter.CREATION;
  await file.node.setBasic({ creationTime: moved.tunnelled.creationTime });
}

/** The directory of the new name in its own spelling, which need not be the client's. */
async function storedParent(volume: Volume, from: NtPath, target: NtPath): Promise<NtPath> {
  const source = from.slice(0, -1);
  const wanted = target.slice(0, -1);
  if (samePath(source, wanted)) return source;
  const parent = await volume.open(wanted);
  await parent?.file.close();
  return parent?.path ?? wanted;
}

/** Handles below a directory that are only cached give way to its new name (MS-FSA 2.1.4.2). */
function breakBelow(files: FileTable, open: FileOpen): Promise<void> | undefined {
  const waits: Promise<void>[] = [];
  for (const file of files.openBelow(open.link.path)) {
    for (const { oplock } of file.streams.values()) {
      const broken = oplock.breakForRename(open);
      if (broken !== undefined) waits.push(broken);
    }
  }
  return waits.length === 0 ? undefined : Promise.all(waits).then(() => {});
}

/** @throws SmbError ACCESS_DENIED the name is to be deleted, or the directory is in use or would hold itself */
function checkMovable(files: FileTable, { file, link }: FileOpen, target: NtPath): void {
  if (link.deletePending) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (!file.node.directory) return;
  if (isBelow(target, link.path) || files.hasOpensBelow(link.path)) throw new SmbError(NtStatus.ACCESS_DENIED);
}

function isExactly(a: NtPath, b: NtPath): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

/** The link, and those below a directory (left by handles that are just closing), follow. */
function moveLinks(files: FileTable, moved: Link, from: NtPath, to: NtPath, directory: boolean): void {
  moved.path = to;
  if (!directory) return;
  for (const open of moved.opens) files.watchers.moved(open);
  for (const file of files.files()) {
    for (const link of file.links) {
      if (link !== moved && isBelow(link.path, from)) link.path = [...to, ...link.path.slice(from.length)];
    }
  }
  files.directoryLeases.moved();
}
