// SPDX-License-Identifier: Apache-2.0

import type { NtPath } from "../volume.ts";
import type { Descriptor } from "./descriptor.ts";
import type { FileKey } from "./file-id.ts";
import { clientName } from "./names.ts";

/** Who wants to hear of a directory. */
export interface DirectoryWatcher {
  /** Of the directory, for as long as it is watched. */
  readonly descriptor: Descriptor;
  /** Everything beneath is watched as well. */
  readonly tree: boolean;
  /** Where the directory is now. */
  path(): NtPath;
}

/** A watched directory: because somebody wants to hear of it, or of everything beneath a directory above it. */
export class WatchNode {
  readonly wd: number;
  readonly watchers = new Set<DirectoryWatcher>();
  readonly children = new Map<string, WatchNode>();
  /** Names reported because they were found: the event that tells of one may be still to come. */
  readonly found = new Set<string>();
  #parent: WatchNode | undefined;
  /** Stored name in the parent. */
  #name = "";

  constructor(wd: number) {
    this.wd = wd;
  }

  /** Everything beneath is watched. */
  get isDeep(): boolean {
    for (const { tree } of this.watchers) if (tree) return true;
    return this.#parent?.isDeep ?? false;
  }

  get isWanted(): boolean {
    return this.watchers.size > 0 || (this.#parent?.isDeep ?? false);
  }

  /** Client names, from the root of the share. */
  path(): NtPath {
    const [watcher] = this.watchers;
    if (watcher !== undefined) return watcher.path();
    return this.#parent === undefined ? [] : this.#parent.pathOf(this.#name);
  }

  /** Of an entry, by its stored name. */
  pathOf(name: string): NtPath {
    return [...this.path(), clientName(name)];
  }

  /** An open directory, and the stored path from there to an entry of this one; "" for this one itself. */
  locate(below: string): { readonly directory: number; readonly path: string } | undefined {
    const [watcher] = this.watchers;
    if (watcher !== undefined) return { directory: watcher.descriptor.handle, path: below };
    return this.#parent?.locate(below === "" ? this.#name : `${this.#name}/${below}`);
  }

  attach(parent: WatchNode, name: string): void {
    this.detach();
    this.#parent = parent;
    this.#name = name;
    parent.children.set(name, this);
  }

  detach(): void {
    const siblings = this.#parent?.children;
    if (siblings?.get(this.#name) === this) siblings.delete(this.#name);
    this.#parent = undefined;
  }
}

/** A watched file. */
export interface FileNode {
  readonly wd: number;
  readonly key: FileKey;
  /** How many want to hear of it. */
  users: number;
}
