// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NtPath, Volume, VolumeFile, VolumeStream } from "../../vfs/volume.ts";
import type { Clock } from "../server-context.ts";
import { ShareAccess } from "../wire/constants.ts";
import { ByteRangeLockList } from "./byte-range-locks.ts";
import { DataChanges } from "./data-changes.ts";
import { DirectoryLeases } from "./directory-leases.ts";
import { ChangeNotifyList } from "./notify.ts";
import type { FileOpen } from "./open.ts";
import { type BreakEvents, Oplock } from "./oplock.ts";
import type { OutsideWatches } from "./outside-change.ts";
import { TunnelCache } from "./tunnel-cache.ts";
import type { DeferredWriteTime } from "./write-time.ts";

const READ_RIGHTS = Access.READ_DATA | Access.EXECUTE;
const WRITE_RIGHTS = Access.WRITE_DATA | Access.APPEND_DATA;
/** Rights that take part in share modes; handles without any of them only look at metadata. */
const SHARED_RIGHTS = READ_RIGHTS | WRITE_RIGHTS | Access.DELETE;

/** A name of a file (Link, MS-FSA 2.1.1.4), shared by all handles that were opened through it. */
export class Link {
  path: NtPath;
  /** Link.IsDeleted: the name goes when its last handle closes; nobody can open it meanwhile. */
  deletePending = false;
  /** Link.DeleteUsingPosixSemantics: the name goes when the next handle closes, though others stay open. */
  posixSemantics = false;
  /** Whether the name itself has gone: once, though handles that were opened through it may remain. */
  removal: "none" | "running" | "done" = "none";
  readonly opens = new Set<FileOpen>();

  constructor(path: NtPath) {
    this.path = path;
  }
}

/** A stream (MS-FSA 2.1.1.5) as all its handles see it. Directories have one with an empty name and no data. */
export class SharedStream {
  readonly file: SharedFile;
  /** As stored; `""` is the default data stream, or the directory itself. */
  name: string;
  /** Absent for a directory. Another object after a rename from or to the default stream. */
  data: VolumeStream | undefined;
  /** Stream.IsDeleted, of a named stream. */
  deletePending = false;
  readonly locks = new ByteRangeLockList();
  readonly oplock: Oplock;
  readonly changes = new DataChanges();
  readonly opens = new Set<FileOpen>();
  /** `CompletionFilter` bits of changes that watchers have not been told of yet. */
  pendingNotifications = 0;

  constructor(file: SharedFile, name: string, data: VolumeStream | undefined) {
    this.file = file;
    this.name = name;
    this.data = data;
    this.oplock = new Oplock(this, file.breakEvents);
  }
}

/** A file (MS-FSA 2.1.1.3) that has at least one open handle. */
export class SharedFile {
  readonly volume: Volume;
  readonly node: VolumeFile;
  readonly breakEvents: BreakEvents;
  /** Who has to know that clients cache something; absent where nobody but the server changes files. */
  readonly outside: OutsideWatches | undefined;
  readonly opens = new Set<FileOpen>();
  readonly streams = new Map<string, SharedStream>();
  readonly links: Link[] = [];
  /** What clients see as LastWriteTime while writes go on. */
  deferredWriteTime: DeferredWriteTime | undefined;
  /** `CompletionFilter` bits of changes that watchers have not been told of yet. */
  pendingNotifications = 0;
  /** Users of the object that are no handles yet or no longer: it stays in the table while there are any. */
  holds = 0;

  constructor(volume: Volume, node: VolumeFile, breakEvents: BreakEvents, outside?: OutsideWatches) {
    this.volume = volume;
    this.node = node;
    this.breakEvents = breakEvents;
    this.outside = outside;
  }

  linkFor(path: NtPath): Link {
    for (const link of this.links) if (link.removal !== "done" && samePath(link.path, path)) return link;
    const link = new Link(path);
    this.links.push(link);
    return link;
  }

  /**
   * Whether existing handles refuse a further one, or are refused by it (MS-FSA 2.1.5.1.2.1, second half, and 2.1.5.1.2.2).
   * @param granted rights of the new handle
   */
  sharingConflicts(stream: SharedStream | undefined, isNamedStream: boolean, granted: number, share: number): boolean {
    if ((granted & SHARED_RIGHTS) === 0) return false;
    for (const other of this.opens) {
      if ((other.grantedAccess & SHARED_RIGHTS) === 0) continue;
      const otherNamed = other.stream.name !== "";
      // Deleting the primary stream deletes the whole file, so it must agree with the handles of every stream.
      if (!otherNamed && (other.grantedAccess & Access.DELETE) !== 0 && (share & ShareAccess.DELETE) === 0) return true;
      if (!isNamedStream && (granted & Access.DELETE) !== 0 && (other.shareAccess & ShareAccess.DELETE) === 0) {
        return true;
      }
      if (other.stream !== stream) continue;
      if (conflicts(granted, other.shareAccess) || conflicts(other.grantedAccess, share)) return true;
    }
    return false;
  }

  /** @throws SmbError SHARING_VIOLATION where {@link sharingConflicts} */
  checkSharing(stream: SharedStream | undefined, isNamedStream: boolean, granted: number, share: number): void {
    if (this.sharingConflicts(stream, isNamedStream, granted, share)) throw new SmbError(NtStatus.SHARING_VIOLATION);
  }
}

/** True where handles with these rights are refused by this sharing mode. */
function conflicts(granted: number, share: number): boolean {
  return (
    ((granted & READ_RIGHTS) !== 0 && (share & ShareAccess.READ) === 0) ||
    ((granted & WRITE_RIGHTS) !== 0 && (share & ShareAccess.WRITE) === 0) ||
    ((granted & Access.DELETE) !== 0 && (share & ShareAccess.DELETE) === 0)
  );
}

export function samePath(a: NtPath, b: NtPath): boolean {
  if (a.length !== b.length) return false;
  for (let index = a.length - 1; index >= 0; index--) {
    const left = a[index];
    const right = b[index];
    if (left !== right && foldName(left ?? "") !== foldName(right ?? "")) return false;
  }
  return true;
}

/** True where `path` lies below `directory`. */
export function isBelow(path: NtPath, directory: NtPath): boolean {
  return path.length > directory.length && samePath(path.slice(0, directory.length), directory);
}

/** All files of one volume that have handles (Volume.OpenFileList). */
export class FileTable {
  readonly #volume: Volume;
  readonly #breakEvents: BreakEvents;
  readonly #files = new Map<bigint, SharedFile>();
  /** Directories whose changes clients want to hear of. */
  readonly watchers = new ChangeNotifyList();
  /** Directories that clients cache. */
  readonly directoryLeases = new DirectoryLeases();
  /** Names lost a short while ago. */
  readonly tunnel: TunnelCache;
  /** Changes made outside of the server, where the volume tells of them. */
  outside: OutsideWatches | undefined;

  constructor(volume: Volume, clock: Clock, breakEvents: BreakEvents) {
    this.#volume = volume;
    this.tunnel = new TunnelCache(clock);
    this.#breakEvents = breakEvents;
  }

  get size(): number {
    return this.#files.size;
  }

  files(): Iterable<SharedFile> {
    return this.#files.values();
  }

  find(fileId: bigint): SharedFile | undefined {
    return this.#files.get(fileId);
  }

  /**
   * The shared object of a file that has just been opened, held once for the caller: {@link release} ends that. Where one
   * exists already, the second `VolumeFile` is closed.
   */
  hold(node: VolumeFile): SharedFile {
    let file = this.#files.get(node.fileId);
    if (file === undefined) {
      file = new SharedFile(this.#volume, node, this.#breakEvents, this.outside);
      this.#files.set(node.fileId, file);
    } else if (file.node !== node) {
      void node.close();
    }
    file.holds++;
    return file;
  }

  /** Ends a hold. With the last one gone the streams and the file are closed. */
  release(file: SharedFile): Awaitable<void> {
    file.holds--;
    if (file.holds > 0 || file.opens.size > 0) return;
    this.#files.delete(file.node.fileId);
    const closing = [...file.streams.values()].map((stream) => stream.data?.close());
    file.streams.clear();
    const waiting = closing.some((result) => result instanceof Promise);
    return chain(waiting ? Promise.all(closing) : undefined, () => file.node.close());
  }

  /** Files with a handle that was opened by a name below this directory. */
  *openBelow(path: NtPath): Iterable<SharedFile> {
    for (const file of this.#files.values()) {
      for (const link of file.links) {
        if (link.opens.size === 0 || link.removal === "done" || !isBelow(link.path, path)) continue;
        yield file;
        break;
      }
    }
  }

  /** True where a handle is open on something below this directory. */
  hasOpensBelow(path: NtPath): boolean {
    for (const _ of this.openBelow(path)) return true;
    return false;
  }
}
