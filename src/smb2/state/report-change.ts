// SPDX-License-Identifier: Apache-2.0

import { NtStatus } from "../../nt/status.ts";
import type { NtPath } from "../../vfs/volume.ts";
import { CompletionFilter } from "../wire/constants.ts";
import { FileAction } from "../wire/fscc/notify-info.ts";
import type { LeaseId } from "./lease.ts";
import type { Change } from "./notify.ts";
import type { FileOpen } from "./open.ts";
import { type FileTable, samePath } from "./shared-file.ts";

const { FILE_NAME, DIR_NAME, SIZE, LAST_WRITE, STREAM_NAME, STREAM_SIZE, STREAM_WRITE } = CompletionFilter;

/** A name that stands for another file from now on: everything but the name may have changed. */
const REPLACED =
  CompletionFilter.ATTRIBUTES |
  SIZE |
  LAST_WRITE |
  CompletionFilter.LAST_ACCESS |
  CompletionFilter.CREATION |
  CompletionFilter.SECURITY |
  CompletionFilter.EA;

/** What a listing of the directory shows. */
const LISTED =
  CompletionFilter.ATTRIBUTES |
  SIZE |
  LAST_WRITE |
  CompletionFilter.LAST_ACCESS |
  CompletionFilter.CREATION |
  CompletionFilter.EA;

/** The filter that a change of a file's name, or of a directory's, matches. */
export function nameFilter(directory: boolean): number {
  return directory ? DIR_NAME : FILE_NAME;
}

/**
 * A name has appeared, or is gone (MS-FSA 2.1.5.1.1, 2.1.5.5).
 * @param by the lease on the directory that who has done it said is his own
 */
export function reportName(
  files: FileTable | undefined,
  action: number,
  path: NtPath,
  directory: boolean,
  by: LeaseId | undefined,
): void {
  files?.directoryLeases.changed(path, by);
  if (files === undefined || files.watchers.isEmpty) return;
  files.watchers.report({ action, filter: nameFilter(directory), path });
}

/** A file has a further name (MS-FSA 2.1.5.15.7). `replaced` is the path that was another file's. */
export function reportLink(
  files: FileTable,
  path: NtPath,
  replaced: NtPath | undefined,
  by: LeaseId | undefined,
): void {
  if (replaced === undefined) {
    reportName(files, FileAction.ADDED, path, false, by);
    return;
  }
  files.directoryLeases.changed(path, by);
  if (files.watchers.isEmpty) return;
  if (sameLastName(replaced, path)) {
    files.watchers.report({ action: FileAction.MODIFIED, filter: REPLACED, path });
  } else {
    files.watchers.report(
      { action: FileAction.REMOVED, filter: FILE_NAME, path: replaced },
      { action: FileAction.ADDED, filter: FILE_NAME, path },
    );
  }
}

/** The two changes that a move of a name consists of; it keeps being one name only inside of a directory. */
export function renaming(from: NtPath, to: NtPath, filter: number): readonly [Change, Change] {
  const moves = !samePath(from.slice(0, -1), to.slice(0, -1));
  return [
    { action: moves ? FileAction.REMOVED : FileAction.RENAMED_OLD_NAME, filter, path: from },
    { action: moves ? FileAction.ADDED : FileAction.RENAMED_NEW_NAME, filter, path: to },
  ];
}

/** A name has moved (MS-FSA 2.1.5.15.12). `replaced` is the path that was another file's. */
export function reportRename(open: FileOpen, from: NtPath, to: NtPath, replaced: NtPath | undefined): void {
  const { file, tree } = open;
  const { directory } = file.node;
  // The ARCHIVE attribute and the change time of a file follow when its handle closes.
  if (!directory) file.pendingNotifications |= CompletionFilter.ATTRIBUTES;
  const { files } = tree;
  const by = open.lease?.parentId;
  files?.directoryLeases.changed(from, by);
  files?.directoryLeases.changed(to, by);
  if (files === undefined || files.watchers.isEmpty) return;
  const filter = nameFilter(directory);
  if (replaced !== undefined && sameLastName(replaced, to)) {
    files.watchers.report(
      { action: FileAction.REMOVED, filter, path: from },
      { action: FileAction.MODIFIED, filter: REPLACED, path: to },
    );
    return;
  }
  // What is replaced is a file: directories are not.
  if (replaced !== undefined) reportName(files, FileAction.REMOVED, replaced, false, by);
  files.watchers.report(...renaming(from, to, filter));
}

function sameLastName(a: NtPath, b: NtPath): boolean {
  return a[a.length - 1] === b[b.length - 1];
}

/** A named stream has appeared, or is gone (MS-FSA 2.1.5.1.1, 2.1.5.1.2, 2.1.5.5). */
export function reportStreamName(files: FileTable | undefined, action: number, path: NtPath, stream: string): void {
  if (files === undefined || files.watchers.isEmpty) return;
  files.watchers.report({ action, filter: STREAM_NAME, path, stream });
}

/**
 * A stream has another name; there are no actions for that, so that it goes and comes again. The default stream (`""`) is
 * the file itself, and stays: its data have changed.
 */
export function reportStreamRename({ tree, link }: FileOpen, from: string, to: string): void {
  const { files } = tree;
  if (files === undefined || files.watchers.isEmpty) return;
  const { path } = link;
  const resized: Change = { action: FileAction.MODIFIED, filter: SIZE | LAST_WRITE, path };
  files.watchers.report(
    from === "" ? resized : { action: FileAction.REMOVED_STREAM, filter: STREAM_NAME, path, stream: from },
    to === "" ? resized : { action: FileAction.ADDED_STREAM, filter: STREAM_NAME, path, stream: to },
  );
}

/** A directory is to be deleted: nobody watches it any longer (MS-FSA 2.1.5.15.3). */
export function reportDirectoryDeleted({ file, link, tree }: FileOpen): void {
  const { files } = tree;
  if (!file.node.directory || files === undefined || files.watchers.isEmpty) return;
  for (const open of link.opens) files.watchers.remove(open, NtStatus.DELETE_PENDING);
}

/** Something about the file of a handle has changed. */
export function reportModified(open: FileOpen, filter: number): void {
  const { files } = open.tree;
  if (filter === 0 || files === undefined) return;
  if ((filter & LISTED) !== 0) files.directoryLeases.changed(open.link.path, open.lease?.parentId);
  if (files.watchers.isEmpty) return;
  files.watchers.report({ action: FileAction.MODIFIED, filter, path: open.link.path });
}

/** The data of a handle have been cut, extended or replaced as a whole. `filter` is for the default stream. */
export function reportResized(open: FileOpen, filter: number): void {
  const { files } = open.tree;
  const stream = open.stream.name;
  if (stream === "") {
    reportModified(open, filter);
  } else if (files !== undefined && !files.watchers.isEmpty) {
    const { path } = open.link;
    files.watchers.report({
      action: FileAction.MODIFIED_STREAM,
      filter: STREAM_SIZE | STREAM_WRITE,
      path,
      stream,
    });
  }
}

/**
 * Data have been written through a handle. Watchers hear of it when a handle is flushed or closed: a change for each
 * write would bury them (PendingNotifications, MS-FSA 2.1.1.3, 2.1.1.5).
 */
export function noteWritten({ file, stream, frozenTimes }: FileOpen): void {
  if (stream.name !== "") stream.pendingNotifications |= STREAM_SIZE | STREAM_WRITE;
  else file.pendingNotifications |= frozenTimes.write ? SIZE : SIZE | LAST_WRITE;
}

/** Reports what has gathered meanwhile (MS-FSA 2.1.5.5, phase 5); of what is about to vanish, only that is news. */
export function reportPending(open: FileOpen): void {
  const { file, stream, link } = open;
  if (link.deletePending || stream.deletePending) return;
  if (file.pendingNotifications !== 0) {
    const filter = file.pendingNotifications;
    file.pendingNotifications = 0;
    reportModified(open, filter);
  }
  if (stream.pendingNotifications !== 0) {
    stream.pendingNotifications = 0;
    reportResized(open, 0);
  }
}
