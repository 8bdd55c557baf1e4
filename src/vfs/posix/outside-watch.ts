// SPDX-License-Identifier: Apache-2.0

import type { OutsideChange, OutsideChanges } from "../outside-changes.ts";
import type { NtPath, VolumeFile } from "../volume.ts";
import type { PosixLogger } from "./context.ts";
import type { Descriptor } from "./descriptor.ts";
import { Errno } from "./errno.ts";
import { type FileIds, type FileKey, fileIdOf } from "./file-id.ts";
import { DirectoryReader, EntryType } from "./native/directory.ts";
import { close, OpenFlag, openBeneath } from "./native/files.ts";
import { Inotify, type InotifyEvent, InotifyMask } from "./native/inotify.ts";
import { statName } from "./native/stat.ts";
import type { OwnChanges } from "./own-changes.ts";
import { isPrivateName } from "./private-folder.ts";
import { type DirectoryWatcher, type FileNode, WatchNode } from "./watch-node.ts";

/** Milliseconds between two looks at what has happened. */
const INTERVAL = 100;
/** Directories and files watched at a time. */
const MAX_WATCHES = 32_768;
/** Directories read in one go, before the event loop has its turn. */
const SCAN_STEP = 128;

const { MODIFY, ATTRIB, MOVED_FROM, MOVED_TO, CREATE, DELETE, UNMOUNT, Q_OVERFLOW, IGNORED, ONLYDIR, ISDIR } =
  InotifyMask;
const NAMES = MOVED_FROM | MOVED_TO | CREATE | DELETE;
const DIRECTORY_EVENTS = NAMES | MODIFY | ATTRIB | ONLYDIR | InotifyMask.EXCL_UNLINK;

/** Runs an action once, later. */
export type Later = (milliseconds: number, action: () => void) => { cancel(): void };

/** Does not keep the process alive. */
export const later: Later = (milliseconds, action) => {
  const timer = setTimeout(action, milliseconds).unref();
  return { cancel: () => clearTimeout(timer) };
};

/** An open file of the volume. */
export interface WatchableFile extends VolumeFile {
  readonly key: FileKey;
  readonly descriptor: Descriptor;
}

export interface OutsideWatchOptions {
  readonly ids: FileIds;
  readonly ownChanges: OwnChanges;
  readonly logger: PosixLogger;
  readonly after: Later;
  isWatchable(file: VolumeFile): file is WatchableFile;
}

/** The old name of a rename, whose new name has not been heard of yet. */
interface Move {
  readonly cookie: number;
  readonly path: NtPath;
  readonly directory: boolean;
  readonly own: boolean;
  readonly child: WatchNode | undefined;
}

const NOTHING: ReadonlySet<string> = new Set();

/**
 * Changes that other programs make, by inotify. The kernel tells of everybody's: those of the volume itself are known by their
 * names, since they happen between two looks at the queue ({@link OutsideWatch.own}), or by their files ({@link OwnChanges}).
 */
export class OutsideWatch implements OutsideChanges {
  readonly #options: OutsideWatchOptions;
  #inotify: Inotify | undefined;
  readonly #directories = new Map<number, WatchNode>();
  readonly #files = new Map<number, FileNode>();
  #listener: ((changes: readonly OutsideChange[]) => void) | undefined;
  #changes: OutsideChange[] = [];
  /** Of the change that was entered last. */
  #last: InotifyEvent | undefined;
  #moving: Move | undefined;
  /** Directories whose subdirectories are to be watched; `announce`: what is in them is new. */
  #unread: { readonly node: WatchNode; readonly announce: boolean }[] = [];
  #timer: { cancel(): void } | undefined;
  #refused = false;

  constructor(options: OutsideWatchOptions) {
    this.#options = options;
  }

  listen(listener: (changes: readonly OutsideChange[]) => void): void {
    this.#listener = listener;
  }

  watchDirectory(file: VolumeFile, path: () => NtPath, tree: boolean): (() => void) | undefined {
    if (!this.#options.isWatchable(file)) return undefined;
    const { descriptor } = file;
    const node = this.#add(descriptor.handle);
    if (node === undefined) return undefined;
    const wasDeep = node.isDeep;
    const watcher: DirectoryWatcher = { descriptor, tree, path };
    descriptor.hold();
    node.watchers.add(watcher);
    if (tree && !wasDeep) this.#unread.push({ node, announce: false });
    this.#schedule();
    return () => {
      if (!node.watchers.delete(watcher)) return;
      this.#prune(node);
      descriptor.release();
    };
  }

  watchData(file: VolumeFile): (() => void) | undefined {
    if (!this.#options.isWatchable(file)) return undefined;
    const wd = this.#watch(file.descriptor.handle, MODIFY);
    if (wd === undefined) return undefined;
    const node = this.#files.get(wd) ?? { wd, key: file.key, users: 0 };
    node.users++;
    this.#files.set(wd, node);
    this.#schedule();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      node.users--;
      if (node.users > 0 || this.#files.get(wd) !== node) return;
      this.#files.delete(wd);
      this.#inotify?.remove(wd);
    };
  }

  /** Runs a change of names that is the volume's own, whatever directories they are in. */
  own<T>(names: readonly (string | undefined)[], change: () => T): T {
    if (this.#directories.size === 0) return change();
    this.#drain(NOTHING);
    try {
      return change();
    } finally {
      this.#drain(new Set(names.filter((name) => name !== undefined)));
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#directories.clear();
    this.#files.clear();
    this.#unread = [];
    this.#listener = undefined;
    this.#inotify?.close();
    this.#inotify = undefined;
  }

  // -------------------------------------------------------------------------------------------------------------------

  #schedule(): void {
    const { ownChanges, after } = this.#options;
    const watches = this.#directories.size + this.#files.size > 0;
    ownChanges.keepTouched(watches);
    if (!watches || this.#timer !== undefined) return;
    this.#timer = after(this.#unread.length > 0 ? 0 : INTERVAL, () => {
      this.#timer = undefined;
      this.#drain(NOTHING);
      ownChanges.forgetTouched();
      this.#schedule();
    });
  }

  /** Watches a file. `undefined`: it cannot be, and that has been said. */
  #watch(fd: number, events: number): number | undefined {
    const inotify = this.#inotify ?? Inotify.open();
    if (typeof inotify === "number") return this.#refuse(-inotify);
    this.#inotify = inotify;
    if (this.#directories.size + this.#files.size >= MAX_WATCHES) return this.#refuse(Errno.ENOSPC);
    const wd = inotify.add(fd, events);
    if (wd >= 0) return wd;
    // A file that the server may not read, or that has just gone, is nothing to tell an administrator of.
    return wd === -Errno.ENOSPC ? this.#refuse(Errno.ENOSPC) : undefined;
  }

  #refuse(errno: number): undefined {
    if (!this.#refused) {
      this.#options.logger.warn(
        { errno, watches: this.#directories.size + this.#files.size },
        "changes made outside of the server are not seen everywhere: no more can be watched (fs.inotify.max_user_watches)",
      );
    }
    this.#refused = true;
  }

  /** The node of an open directory. */
  #add(fd: number): WatchNode | undefined {
    const wd = this.#watch(fd, DIRECTORY_EVENTS);
    if (wd === undefined) return undefined;
    const node = this.#directories.get(wd) ?? new WatchNode(wd);
    this.#directories.set(wd, node);
    return node;
  }

  /** Watches a directory as part of a tree. */
  #adopt(parent: WatchNode, name: string, announce: boolean): void {
    const place = parent.locate(name);
    if (place === undefined) return;
    const flags = OpenFlag.PATH | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
    const fd = openBeneath(place.directory, place.path, flags);
    if (fd < 0) return;
    const node = this.#add(fd);
    close(fd);
    if (node === undefined) return;
    const wasDeep = node.isDeep;
    node.attach(parent, name);
    if (!wasDeep) this.#unread.push({ node, announce });
  }

  /** Gives up what nobody wants to hear of any more, here and beneath. */
  #prune(node: WatchNode): void {
    if (node.isDeep) return;
    for (const child of [...node.children.values()]) this.#prune(child);
    if (node.isWanted) return;
    this.#forget(node);
    this.#inotify?.remove(node.wd);
  }

  #forget(node: WatchNode): void {
    this.#directories.delete(node.wd);
    node.detach();
    for (const child of [...node.children.values()]) child.detach();
  }

  /** A directory is not where it was, and not where it would be watched. */
  #leave(node: WatchNode | undefined): void {
    if (node === undefined) return;
    node.detach();
    this.#prune(node);
  }

  // -------------------------------------------------------------------------------------------------------------------

  /** @param own names that the volume has just changed by itself */
  #drain(own: ReadonlySet<string>): void {
    const inotify = this.#inotify;
    if (inotify === undefined) return;
    const unfinished = this.#moving;
    const checked = [...this.#found];
    for (let events = inotify.read(); events.length > 0; events = inotify.read()) {
      for (const event of events) this.#take(event, own);
    }
    if (unfinished !== undefined && this.#moving === unfinished) this.#movedAway();
    for (const node of checked) {
      node.found.clear();
      this.#found.delete(node);
    }
    this.#read();
    this.#last = undefined;
  }

  /** Nodes that have `found` something since the last look. */
  readonly #found = new Set<WatchNode>();

  #take(event: InotifyEvent, own: ReadonlySet<string>): void {
    const { wd, mask, name } = event;
    if ((mask & Q_OVERFLOW) !== 0) {
      this.#overflow();
      return;
    }
    const file = this.#files.get(wd);
    if (file !== undefined) {
      if ((mask & (IGNORED | UNMOUNT)) !== 0) this.#files.delete(wd);
      else if (!this.#options.ownChanges.isTouched(file.key))
        this.#enter({ kind: "written", fileId: fileIdOf(file.key) });
      return;
    }
    const node = this.#directories.get(wd);
    if (node === undefined) return;
    if ((mask & (IGNORED | UNMOUNT)) !== 0) this.#forget(node);
    else if (name === "" || isPrivateName(name)) return;
    else if ((mask & NAMES) !== 0) this.#named(node, event, own.has(name));
    else if (!own.has(name)) this.#modified(node, event);
  }

  #named(node: WatchNode, { mask, cookie, name }: InotifyEvent, own: boolean): void {
    const directory = (mask & ISDIR) !== 0;
    const path = node.pathOf(name);
    if ((mask & MOVED_FROM) !== 0) {
      this.#movedAway();
      const child = node.children.get(name);
      child?.detach();
      this.#moving = { cookie, path, directory, own, child };
      return;
    }
    const move = this.#moving;
    if ((mask & MOVED_TO) !== 0 && move?.cookie === cookie) {
      this.#moving = undefined;
      if (move.child === undefined) {
        if (directory && node.isDeep) this.#adopt(node, name, false);
      } else {
        move.child.attach(node, name);
        this.#prune(move.child);
      }
      if (!move.own) this.#enter({ kind: "renamed", from: move.path, path, directory });
      return;
    }
    if ((mask & DELETE) !== 0) {
      this.#leave(node.children.get(name));
      if (!own) this.#enter({ kind: "removed", path, directory });
      return;
    }
    // What is moved here from elsewhere is news as a whole; what is made here is filled afterwards.
    if (directory && node.isDeep) this.#adopt(node, name, !own && (mask & CREATE) !== 0);
    if (!own && !node.found.delete(name)) this.#enter({ kind: "added", path, directory });
  }

  /** The old name of a rename remains without a new one: it leads to where nobody watches. */
  #movedAway(): void {
    const move = this.#moving;
    if (move === undefined) return;
    this.#moving = undefined;
    this.#leave(move.child);
    if (!move.own) this.#enter({ kind: "removed", path: move.path, directory: move.directory });
  }

  #modified(node: WatchNode, event: InotifyEvent): void {
    const { wd, mask, name } = event;
    const last = this.#last;
    if (last?.wd === wd && last.mask === mask && last.name === name) return;
    const { ids, ownChanges } = this.#options;
    if (ownChanges.anyTouched) {
      const place = node.locate(name);
      const stat = place === undefined ? -Errno.ENOENT : statName(place.directory, place.path);
      if (typeof stat !== "number" && ownChanges.isTouched(ids.keyOf(stat))) return;
    }
    const directory = (mask & ISDIR) !== 0;
    this.#enter({ kind: "modified", path: node.pathOf(name), directory, data: (mask & MODIFY) !== 0 });
    this.#last = event;
  }

  #overflow(): void {
    this.#movedAway();
    this.#enter({ kind: "lost" });
    // Directories may have come in the meantime: those of a tree are looked for again.
    for (const node of this.#directories.values()) {
      if (node.isDeep) this.#unread.push({ node, announce: false });
    }
  }

  /** Listeners are not called from within an operation of the volume. */
  #enter(change: OutsideChange): void {
    this.#last = undefined;
    this.#changes.push(change);
    if (this.#changes.length > 1) return;
    queueMicrotask(() => {
      const changes = this.#changes;
      this.#changes = [];
      this.#listener?.(changes);
    });
  }

  // -------------------------------------------------------------------------------------------------------------------

  /** Watches the subdirectories of some of the directories that are to be watched with all that is beneath. */
  #read(): void {
    for (let step = 0; step < SCAN_STEP; step++) {
      const next = this.#unread.pop();
      if (next === undefined) return;
      if (this.#directories.get(next.node.wd) === next.node && next.node.isDeep)
        this.#readOne(next.node, next.announce);
    }
  }

  #readOne(node: WatchNode, announce: boolean): void {
    const place = node.locate("");
    if (place === undefined) return;
    const flags = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW | OpenFlag.NONBLOCK;
    const fd = openBeneath(place.directory, place.path === "" ? "." : place.path, flags);
    if (fd < 0) return;
    const reader = new DirectoryReader(fd);
    for (let name = reader.next(); typeof name === "string"; name = reader.next()) {
      if (isPrivateName(name)) continue;
      const directory = reader.type === EntryType.DIRECTORY;
      if (announce) {
        node.found.add(name);
        this.#found.add(node);
        this.#enter({ kind: "added", path: node.pathOf(name), directory });
      }
      if (directory && !node.children.has(name)) this.#adopt(node, name, announce);
    }
    close(fd);
  }
}
