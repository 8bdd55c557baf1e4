// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { NtStatus } from "../../nt/status.ts";
import type { NtPath } from "../../vfs/volume.ts";
import { FileAction, type FileNotifyInformation, fileNotifyInformationLength } from "../wire/fscc/notify-info.ts";

/** Bytes of changes that one handle keeps at most, whatever buffer its client has offered. */
const MAX_ENTRY_BYTES = 1024 * 1024;
/** Bytes of changes that all handles of a volume keep together. */
const MAX_LIST_BYTES = 32 * 1024 * 1024;
/** What a change takes in memory besides its bytes on the wire. */
const CHANGE_OVERHEAD = 64;

const NO_CHANGES: readonly FileNotifyInformation[] = [];

/** Something that has happened to a name, file or stream (the inputs of MS-FSA 2.1.4.1). */
export interface Change {
  /** {@link FileAction}. */
  readonly action: number;
  /** FilterMatch: `CompletionFilter` bits, of which a watcher has asked for at least one. */
  readonly filter: number;
  readonly path: NtPath;
  /** Name of the stream, for the actions that concern streams. */
  readonly stream?: string;
}

/** How a CHANGE_NOTIFY request ends. */
export interface NotifyOutcome {
  readonly status: NtStatus;
  readonly changes: readonly FileNotifyInformation[];
}

/** A CHANGE_NOTIFY request that waits. */
export interface NotifyWaiter {
  /** Bytes of output that the client takes. */
  readonly outputBufferLength: number;
  complete(outcome: NotifyOutcome): void;
}

/** What the first request on a handle settles for as long as the handle is open (MS-SMB2 3.3.1.3). */
export interface WatchParameters {
  /** `CompletionFilter` bits. */
  readonly completionFilter: number;
  /** Everything beneath the directory is watched, not only what is in it. */
  readonly watchTree: boolean;
  /** Bytes. Changes beyond are lost, and the client is told to look for itself. */
  readonly bufferSize: number;
}

/** Where a directory is; the same object as long as the handle is open, with another path after a rename. */
export interface WatchedLink {
  readonly path: NtPath;
}

/** A directory on the way to a watched one, or a watched one itself. */
interface IndexNode {
  readonly parent: IndexNode | undefined;
  /** Folded name in the parent. */
  readonly name: string;
  readonly children: Map<string, IndexNode>;
  readonly entries: Set<ChangeNotifyEntry>;
}

/** Memory for changes that nobody has fetched yet, shared by all handles of a volume. */
interface Budget {
  used: number;
}

/** A directory handle that is watched (ChangeNotifyEntry, MS-FSA 2.1.1.8), with the changes that were not reported yet. */
export class ChangeNotifyEntry {
  readonly link: WatchedLink;
  readonly completionFilter: number;
  readonly watchTree: boolean;
  readonly #bufferSize: number;
  readonly #budget: Budget;
  /** NotifyEventList. */
  #changes: FileNotifyInformation[] = [];
  /** Bytes of the changes on the wire. */
  #bytes = 0;
  /** Changes were lost since the last answer. */
  #overflow = false;
  /** Requests in the order of their arrival. While there are any, no change is kept. */
  readonly #waiters: NotifyWaiter[] = [];

  constructor(link: WatchedLink, parameters: WatchParameters, budget: Budget) {
    this.link = link;
    this.completionFilter = parameters.completionFilter;
    this.watchTree = parameters.watchTree;
    this.#bufferSize = Math.min(parameters.bufferSize, MAX_ENTRY_BYTES);
    this.#budget = budget;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** The answer for a request of this size, where there is anything to tell. */
  take(outputBufferLength: number): NotifyOutcome | undefined {
    if (!this.#overflow && this.#changes.length === 0) return undefined;
    const lost = this.#overflow || this.#bytes > outputBufferLength;
    const changes = lost ? NO_CHANGES : this.#changes;
    this.#forget();
    this.#overflow = false;
    return { status: lost ? NtStatus.NOTIFY_ENUM_DIR : NtStatus.SUCCESS, changes };
  }

  /** Queues a request behind those that wait already (MS-FSA 2.1.5.11.1). */
  wait(waiter: NotifyWaiter): void {
    this.#waiters.push(waiter);
  }

  /** Takes a request out of the queue; it is answered by the caller. */
  withdraw(waiter: NotifyWaiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index >= 0) this.#waiters.splice(index, 1);
  }

  /** Keeps a change until {@link deliver}, or until the next request. */
  add(action: number, fileName: string): void {
    if (this.#overflow) return;
    const last = this.#changes[this.#changes.length - 1];
    const repeats = action === FileAction.MODIFIED || action === FileAction.MODIFIED_STREAM;
    if (repeats && last?.action === action && last.fileName === fileName) return;
    const length = fileNotifyInformationLength(fileName);
    const cost = length + CHANGE_OVERHEAD;
    if (this.#bytes + length > this.#bufferSize || this.#budget.used + cost > MAX_LIST_BYTES) {
      this.lose();
      return;
    }
    this.#changes.push({ action, fileName });
    this.#bytes += length;
    this.#budget.used += cost;
  }

  /** Changes have happened that nobody can name: the client is told to look for itself. */
  lose(): void {
    this.#forget();
    this.#overflow = true;
  }

  /** Answers the oldest request, where one waits and there is anything to tell. */
  deliver(): void {
    const waiter = this.#waiters[0];
    if (waiter === undefined) return;
    const outcome = this.take(waiter.outputBufferLength);
    if (outcome === undefined) return;
    this.#waiters.shift();
    waiter.complete(outcome);
  }

  /** The watch is over: what was kept is dropped, and all requests end with `status`. */
  end(status: NtStatus): void {
    this.#forget();
    this.#overflow = false;
    for (const waiter of this.#waiters.splice(0)) waiter.complete({ status, changes: NO_CHANGES });
  }

  #forget(): void {
    this.#budget.used -= this.#bytes + this.#changes.length * CHANGE_OVERHEAD;
    this.#changes = [];
    this.#bytes = 0;
  }
}

/**
 * The watched directories of a volume (Volume.ChangeNotifyList, MS-FSA 2.1.1.1), found by their paths: a change looks at
 * the directories above it, not at all that are watched.
 */
export class ChangeNotifyList {
  readonly #root: IndexNode = { parent: undefined, name: "", children: new Map(), entries: new Set() };
  readonly #entries = new Map<object, ChangeNotifyEntry>();
  readonly #nodes = new Map<ChangeNotifyEntry, IndexNode>();
  readonly #budget: Budget = { used: 0 };

  /** True while nobody watches anything: whoever changes something needs to say nothing then. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** The watch of a handle. */
  find(open: object): ChangeNotifyEntry | undefined {
    return this.#entries.get(open);
  }

  /** Begins to watch the directory of a handle that is not watched yet. */
  add(open: object, link: WatchedLink, parameters: WatchParameters): ChangeNotifyEntry {
    const entry = new ChangeNotifyEntry(link, parameters, this.#budget);
    this.#entries.set(open, entry);
    this.#index(entry);
    return entry;
  }

  /** Ends the watch of a handle, if there is one, and answers its requests. */
  remove(open: object, status: NtStatus): void {
    const entry = this.#entries.get(open);
    if (entry === undefined) return;
    this.#entries.delete(open);
    this.#unindex(entry);
    entry.end(status);
  }

  /** A directory has another path now: changes are looked for there. */
  moved(open: object): void {
    const entry = this.#entries.get(open);
    if (entry === undefined) return;
    this.#unindex(entry);
    this.#index(entry);
  }

  /**
   * Reports what belongs together, such as the old and the new name of a rename: who watches both gets both in one answer
   * (MS-FSA 2.1.4.1).
   */
  report(...changes: readonly Change[]): void {
    if (this.#entries.size === 0) return;
    const touched = new Set<ChangeNotifyEntry>();
    for (const change of changes) this.#collect(change, touched);
    for (const entry of touched) entry.deliver();
  }

  /** Anything may have changed: everybody looks for himself (NOTIFY_ENUM_DIR). */
  lose(): void {
    for (const entry of [...this.#entries.values()]) {
      entry.lose();
      entry.deliver();
    }
  }

  #collect({ action, filter, path, stream }: Change, touched: Set<ChangeNotifyEntry>): void {
    const parentDepth = path.length - 1;
    let node: IndexNode | undefined = this.#root;
    for (let depth = 0; node !== undefined && depth <= parentDepth; depth++) {
      for (const entry of node.entries) {
        if ((entry.completionFilter & filter) === 0 || !(entry.watchTree || depth === parentDepth)) continue;
        const name = path.slice(depth).join("\\");
        entry.add(action, stream === undefined ? name : `${name}:${stream}`);
        touched.add(entry);
      }
      node = node.children.size === 0 ? undefined : node.children.get(foldName(path[depth] ?? ""));
    }
  }

  #index(entry: ChangeNotifyEntry): void {
    let node = this.#root;
    for (const component of entry.link.path) {
      const name = foldName(component);
      let child = node.children.get(name);
      if (child === undefined) {
        child = { parent: node, name, children: new Map(), entries: new Set() };
        node.children.set(name, child);
      }
      node = child;
    }
    node.entries.add(entry);
    this.#nodes.set(entry, node);
  }

  #unindex(entry: ChangeNotifyEntry): void {
    let node = this.#nodes.get(entry);
    if (node === undefined) return;
    this.#nodes.delete(entry);
    node.entries.delete(entry);
    while (node.parent !== undefined && node.entries.size === 0 && node.children.size === 0) {
      node.parent.children.delete(node.name);
      node = node.parent;
    }
  }
}
