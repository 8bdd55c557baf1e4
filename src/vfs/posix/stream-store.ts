// SPDX-License-Identifier: Apache-2.0

import { foldName, isValidStreamName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { StreamInfo } from "../volume.ts";
import type { PosixContext } from "./context.ts";
import { type DataOwner, DataStream } from "./data-stream.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno } from "./errno.ts";
import type { FileKey } from "./file-id.ts";
import { writeNow } from "./native/data.ts";
import { close } from "./native/files.ts";
import { statOpen } from "./native/stat.ts";
import {
  getXattr,
  readXattr,
  removeXattr,
  setXattr,
  XATTR_SIZE_MAX,
  XattrFlag,
  xattrNames,
  xattrValue,
} from "./native/xattr.ts";
import type { OwnChanges } from "./own-changes.ts";
import { streamNameOf, streamXattr } from "./samba-names.ts";
import { parseStream, serialiseStream, streamLength } from "./samba-stream.ts";
import { SpillFolder } from "./spill.ts";
import type { Storage } from "./storage.ts";

const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** A stream that somebody has open, shared by all who have. */
export interface StreamState {
  readonly file: FileKey;
  name: string;
  removed: boolean;
  /** The file that holds it, once opened. */
  data: DataStream | undefined;
  references: number;
}

/** Streams that are open anywhere in a volume, so that all who use one see renames and moves to a file. */
export class OpenStreams {
  readonly #files = new Map<FileKey, Map<string, StreamState>>();

  get(file: FileKey, name: string): StreamState | undefined {
    return this.#files.get(file)?.get(foldName(name));
  }

  hold(file: FileKey, name: string): StreamState {
    let streams = this.#files.get(file);
    if (streams === undefined) {
      streams = new Map();
      this.#files.set(file, streams);
    }
    const folded = foldName(name);
    let state = streams.get(folded);
    if (state === undefined) {
      state = { file, name, removed: false, data: undefined, references: 0 };
      streams.set(folded, state);
    }
    state.references++;
    return state;
  }

  release(state: StreamState): void {
    if (--state.references > 0) return;
    state.data?.close();
    this.#drop(state);
  }

  rename(state: StreamState, name: string): void {
    this.#drop(state);
    state.name = name;
    const streams = this.#files.get(state.file) ?? new Map<string, StreamState>();
    this.#files.set(state.file, streams);
    streams.set(foldName(name), state);
  }

  remove(file: FileKey, name: string): void {
    const state = this.get(file, name);
    if (state === undefined) return;
    state.removed = true;
    this.#drop(state);
  }

  #drop(state: StreamState): void {
    const streams = this.#files.get(state.file);
    const folded = foldName(state.name);
    if (streams?.get(folded) !== state) return;
    streams.delete(folded);
    if (streams.size === 0) this.#files.delete(state.file);
  }
}

/** The alternate data streams of one open file. */
export class StreamStore {
  readonly #fd: number;
  readonly #key: FileKey;
  readonly #open: OpenStreams;
  readonly #spill: SpillFolder;
  readonly #storage: Storage;
  readonly #ownChanges: OwnChanges;
  readonly #descriptor: Descriptor;
  readonly #changed: () => void;
  /** Makes the attributes of the file stable. */
  readonly flush: () => Promise<void>;
  #folder: string | undefined;
  #folderKnown = false;

  /** @param hooks `changed` is called before the attributes of the file change, `flush` makes them stable */
  constructor(
    descriptor: Descriptor,
    key: FileKey,
    shared: Pick<PosixContext, "openStreams" | "spill" | "storage" | "ownChanges">,
    hooks: { readonly changed: () => void; readonly flush: () => Promise<void> },
  ) {
    this.#descriptor = descriptor;
    this.#fd = descriptor.handle;
    this.#key = key;
    this.#open = shared.openStreams;
    this.#spill = shared.spill;
    this.#storage = shared.storage;
    this.#ownChanges = shared.ownChanges;
    this.#changed = hooks.changed;
    this.flush = hooks.flush;
  }

  list(): StreamInfo[] {
    const streams = new Map<string, StreamInfo>();
    for (const xattr of this.#xattrs()) {
      const name = streamNameOf(xattr);
      if (name === undefined) continue;
      const length = getXattr(this.#fd, "", xattr);
      if (length < 0) continue;
      const size = streamLength(xattrValue, length);
      streams.set(foldName(name), { name, size, allocationSize: size });
    }
    const folder = this.#spillFolder();
    if (folder !== undefined) {
      this.#spill.forEach(folder, ({ name, fd }) => {
        const stat = statOpen(fd);
        if (typeof stat === "number" || streams.has(foldName(name))) return;
        streams.set(foldName(name), { name, size: stat.size, allocationSize: stat.allocated });
      });
    }
    return [...streams.values()];
  }

  /** Finds a stream and holds it. */
  hold(name: string): StreamState | undefined {
    const stored = this.#find(name);
    if (stored === undefined) return undefined;
    this.#descriptor.hold();
    return this.#open.hold(this.#key, stored);
  }

  /** Makes an empty stream and holds it. @throws OBJECT_NAME_COLLISION, OBJECT_NAME_INVALID, DISK_FULL */
  create(name: string): StreamState {
    if (name === "") throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    mustBeValid(name);
    if (this.#find(name) !== undefined) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    this.#changed();
    const result = this.#own(() =>
      setXattr(this.#fd, streamXattr(name), serialiseStream(Buffer.alloc(0)), XattrFlag.CREATE),
    );
    if (isTooLarge(result)) close(this.#spill.create(this.#mustHaveFolder(), name, () => {}));
    else check(result, "setxattr");
    this.#descriptor.hold();
    return this.#open.hold(this.#key, name);
  }

  release(state: StreamState): void {
    this.#open.release(state);
    this.#descriptor.release();
  }

  remove(name: string): void {
    const stored = this.#find(name);
    if (stored === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    this.#changed();
    this.#own(() => this.#erase(stored));
    this.#open.remove(this.#key, stored);
  }

  /** Neither name is that of the default stream. */
  rename(from: string, to: string, replace: boolean): void {
    mustBeValid(to);
    const stored = this.#find(from);
    if (stored === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    const target = this.#find(to);
    const same = target !== undefined && foldName(target) === foldName(stored);
    if (target !== undefined && !same && !replace) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    if (stored === to) return;
    this.#changed();
    this.#own(() => {
      this.#move(stored, to);
      // What was replaced may have been kept in the other place, or under a name in another case.
      if (target !== undefined && !same) this.#eraseAllBut(target, to);
    });
    if (target !== undefined && !same) this.#open.remove(this.#key, target);
    const state = this.#open.get(this.#key, stored);
    if (state !== undefined) this.#open.rename(state, to);
  }

  /** Whether data of this size may fit into an attribute at all. */
  mayFit(size: number): boolean {
    return size < XATTR_SIZE_MAX;
  }

  /** Where a stream is: its data, when they are in an attribute (a copy), or the file that holds it. */
  locate(state: StreamState): Buffer | DataStream {
    if (state.removed) throw new SmbError(NtStatus.FILE_DELETED);
    if (state.data !== undefined) return state.data;
    const value = readXattr(this.#fd, streamXattr(state.name));
    if (typeof value === "number") {
      if (value !== -Errno.ERANGE) check(value, "getxattr");
    } else if (value !== undefined) return parseStream(value);
    const folder = this.#spillFolder();
    const fd = folder === undefined ? -Errno.ENOENT : this.#spill.open(folder, state.name);
    // Removed from outside.
    if (fd === -Errno.ENOENT) throw new SmbError(NtStatus.FILE_DELETED);
    return this.#dataStream(state, check(fd, "open stream"));
  }

  /** @returns false when the attribute cannot hold so much */
  writeValue(state: StreamState, data: Buffer): boolean {
    this.#changed();
    const result = this.#own(() => setXattr(this.#fd, streamXattr(state.name), serialiseStream(data)));
    if (isTooLarge(result)) return false;
    check(result, "setxattr");
    return true;
  }

  /** Moves a stream from its attribute to a file. @throws DISK_FULL */
  spill(state: StreamState, value: Buffer): DataStream {
    const fd = this.#spill.create(this.#mustHaveFolder(), state.name, (file) => writeAll(file, value));
    this.#changed();
    const removed = this.#own(() => removeXattr(this.#fd, streamXattr(state.name)));
    if (removed !== -Errno.ENODATA) check(removed, "removexattr");
    return this.#dataStream(state, fd);
  }

  /** The stored name that a name means, without regard to case. */
  #find(name: string): string | undefined {
    if (name === "" || LONE_SURROGATE.test(name)) return undefined;
    if (getXattr(this.#fd, "", streamXattr(name)) >= 0) return name;
    const folded = foldName(name);
    for (const xattr of this.#xattrs()) {
      const stored = streamNameOf(xattr);
      if (stored !== undefined && foldName(stored) === folded) return stored;
    }
    const folder = this.#spillFolder();
    if (folder === undefined) return undefined;
    const fd = this.#spill.open(folder, name);
    if (fd < 0) return undefined;
    try {
      return this.#spill.nameOf(fd);
    } finally {
      close(fd);
    }
  }

  #move(from: string, to: string): void {
    const value = readXattr(this.#fd, streamXattr(from));
    if (value === undefined || value === -Errno.ERANGE) {
      this.#spill.rename(this.#mustHaveFolder(), from, to);
      return;
    }
    if (typeof value === "number") {
      check(value, "getxattr");
      return;
    }
    const result = setXattr(this.#fd, streamXattr(to), value);
    // Two copies do not fit, or the name is too long for an attribute.
    if (isTooLarge(result))
      close(this.#spill.create(this.#mustHaveFolder(), to, (fd) => writeAll(fd, parseStream(value))));
    else check(result, "setxattr");
    removeXattr(this.#fd, streamXattr(from));
  }

  /** Removes a stream wherever it is. */
  #erase(stored: string): void {
    const result = removeXattr(this.#fd, streamXattr(stored));
    if (result !== -Errno.ENODATA && result !== -Errno.ERANGE) check(result, "removexattr");
    const folder = this.#spillFolder();
    if (folder !== undefined) this.#spill.remove(folder, stored);
  }

  /** Removes what is left of a stream that another one has just replaced under the name `kept`. */
  #eraseAllBut(replaced: string, kept: string): void {
    const inXattr = getXattr(this.#fd, "", streamXattr(kept)) >= 0;
    if (replaced !== kept || !inXattr) removeXattr(this.#fd, streamXattr(replaced));
    const folder = this.#spillFolder();
    if (inXattr && folder !== undefined) this.#spill.remove(folder, kept);
  }

  #dataStream(state: StreamState, fd: number): DataStream {
    const descriptor = new Descriptor(fd, fd);
    const owner: DataOwner = {
      descriptor,
      storage: this.#storage,
      isSparse: () => false,
      setSparse: () => {},
      modified: () => this.#changed(),
      watch: (stamp) => this.#ownChanges.watch(this.#key, descriptor, stamp),
    };
    state.data = new DataStream(owner);
    // From here on the stream keeps the descriptor.
    descriptor.release();
    return state.data;
  }

  /** Runs a change of attributes and files that is none of the data of a file. */
  #own<T>(change: () => T): T {
    return this.#ownChanges.run(this.#key, change);
  }

  #xattrs(): string[] {
    const names = xattrNames(this.#fd);
    if (typeof names !== "number") return names;
    check(names, "listxattr");
    return [];
  }

  #spillFolder(): string | undefined {
    if (!this.#folderKnown) {
      this.#folderKnown = true;
      const stat = statOpen(this.#fd);
      if (typeof stat !== "number") this.#folder = SpillFolder.folderOf(this.#key, stat);
    }
    return this.#folder;
  }

  #mustHaveFolder(): string {
    const folder = this.#spillFolder();
    if (folder === undefined) throw new SmbError(NtStatus.DISK_FULL, "the file system keeps no larger streams");
    return folder;
  }
}

function writeAll(fd: number, data: Buffer): void {
  for (let done = 0; done < data.length; ) done += check(writeNow(fd, done, data.subarray(done)), "write");
}

function mustBeValid(name: string): void {
  if (!isValidStreamName(name) || LONE_SURROGATE.test(name)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
}

/** The value, or the name, is more than an attribute of this file system can be. */
function isTooLarge(result: number): boolean {
  return result === -Errno.ENOSPC || result === -Errno.E2BIG || result === -Errno.ERANGE;
}
