// SPDX-License-Identifier: Apache-2.0

import type { OutsideChange, OutsideChanges } from "../../vfs/outside-changes.ts";
import type { NtPath } from "../../vfs/volume.ts";
import { CompletionFilter } from "../wire/constants.ts";
import { FileAction } from "../wire/fscc/notify-info.ts";
import type { FileOpen } from "./open.ts";
import { STRANGER } from "./oplock.ts";
import { nameFilter, renaming } from "./report-change.ts";
import type { FileTable, SharedFile, SharedStream } from "./shared-file.ts";

/** What may be different after the data of a file have changed, or something else about it: the storage does not say what. */
const DATA = CompletionFilter.SIZE | CompletionFilter.LAST_WRITE;
const METADATA =
  CompletionFilter.ATTRIBUTES |
  CompletionFilter.LAST_WRITE |
  CompletionFilter.LAST_ACCESS |
  CompletionFilter.CREATION |
  CompletionFilter.EA |
  CompletionFilter.SECURITY;

/**
 * Somebody outside of the server has changed a file: clients give up what they cache of it, and of the directory that shows
 * it. It has happened already, so that nothing waits for them.
 * @param path where it is, or was
 * @param fileId the file, where it is known, whose data may be others now
 */
export function breakForOutsideChange(files: FileTable, path: NtPath, fileId: bigint | undefined): void {
  files.directoryLeases.changed(path, undefined);
  const file = fileId === undefined ? undefined : files.find(fileId);
  if (file !== undefined) breakData(file);
}

function breakData(file: SharedFile): void {
  for (const { oplock } of file.streams.values()) void oplock.breakForChange(STRANGER);
}

/**
 * Has the storage watched where a client wants to hear of changes, or caches what others could change, and passes on what
 * others have done.
 */
export class OutsideWatches {
  readonly #files: FileTable;
  readonly #outside: OutsideChanges;
  /** How to end what is watched for the sake of a cache. */
  readonly #cached = new Map<SharedStream, () => void>();

  constructor(files: FileTable, outside: OutsideChanges) {
    this.#files = files;
    this.#outside = outside;
    outside.listen((changes) => {
      for (const change of changes) this.#heard(change);
    });
  }

  /** A directory is watched by CHANGE_NOTIFY, until its handle closes. */
  watch({ file, link, onClose }: FileOpen, tree: boolean): void {
    const end = this.#outside.watchDirectory(file.node, () => link.path, tree);
    if (end !== undefined) onClose.add(end);
  }

  /** Clients begin to cache a file or directory, or do so no longer. */
  caches(stream: SharedStream, caching: boolean): void {
    const end = this.#cached.get(stream);
    if (caching === (end !== undefined)) return;
    if (end !== undefined) {
      this.#cached.delete(stream);
      end();
      return;
    }
    const { file } = stream;
    const begun = file.node.directory
      ? this.#outside.watchDirectory(file.node, () => file.links[0]?.path ?? [], false)
      : this.#outside.watchData(file.node);
    if (begun !== undefined) this.#cached.set(stream, begun);
  }

  #heard(change: OutsideChange): void {
    const files = this.#files;
    switch (change.kind) {
      case "written":
        breakForOutsideChange(files, [], change.fileId);
        break;
      case "lost":
        for (const stream of this.#cached.keys()) {
          if (stream.file.node.directory) stream.oplock.breakForChangeInDirectory(undefined);
          else breakData(stream.file);
        }
        files.watchers.lose();
        break;
      case "renamed":
        breakForOutsideChange(files, change.from, undefined);
        breakForOutsideChange(files, change.path, undefined);
        files.watchers.report(...renaming(change.from, change.path, nameFilter(change.directory)));
        break;
      case "modified": {
        const filter = change.data ? DATA : METADATA;
        breakForOutsideChange(files, change.path, undefined);
        files.watchers.report({ action: FileAction.MODIFIED, filter, path: change.path });
        break;
      }
      default: {
        const action = change.kind === "added" ? FileAction.ADDED : FileAction.REMOVED;
        breakForOutsideChange(files, change.path, undefined);
        files.watchers.report({ action, filter: nameFilter(change.directory), path: change.path });
      }
    }
  }
}
