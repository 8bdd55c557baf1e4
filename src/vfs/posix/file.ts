// SPDX-License-Identifier: Apache-2.0

import { fsync } from "node:fs";
import { FileAttribute } from "../../nt/attributes.ts";
import { fileTimeToUnix } from "../../nt/filetime.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ChangeWatch } from "../outside-changes.ts";
import type {
  BasicChange,
  CreateOptions,
  DirectoryCursor,
  ExtendedAttribute,
  FileStat,
  StreamInfo,
  VolumeFile,
  VolumeStream,
} from "../volume.ts";
import { setCompressed } from "./compression.ts";
import type { PosixContext } from "./context.ts";
import { type DataOwner, DataStream } from "./data-stream.ts";
import { Descriptor } from "./descriptor.ts";
import { PosixDirectoryCursor } from "./directory-cursor.ts";
import { check, errnoError, errnoOf } from "./errno.ts";
import { readExtendedAttributes, writeExtendedAttributes } from "./extended-attributes.ts";
import { type FileKey, fileIdOf } from "./file-id.ts";
import { referenceOf } from "./file-search.ts";
import { attributesOf, defaultCreationTime, fileStat, mergeAttributes } from "./metadata.ts";
import { mustStat } from "./must-stat.ts";
import { NamedStream } from "./named-stream.ts";
import { DirectoryReader } from "./native/directory.ts";
import { close, OpenFlag, openOwn } from "./native/files.ts";
import { type Statx, setTimes, statOpen } from "./native/stat.ts";
import { isPrivateName } from "./private-folder.ts";
import type { Parent } from "./resolve.ts";
import { StreamStore } from "./stream-store.ts";

/** An open file or directory of a POSIX volume. */
export class PosixFile implements VolumeFile, DataOwner {
  readonly fileId: bigint;
  readonly directory: boolean;
  readonly key: FileKey;
  readonly descriptor: Descriptor;
  readonly #context: PosixContext;
  readonly #location: string;
  readonly #locatedAt: number;
  #open = true;
  /** Made through this open with the ARCHIVE attribute, which was not changed through it since. */
  #madeArchived = false;
  #streams: StreamStore | undefined;

  /** @param location path beneath the root by which it was just opened, "" for the root */
  constructor(context: PosixContext, descriptor: Descriptor, key: FileKey, directory: boolean, location: string) {
    this.#context = context;
    this.#location = location;
    this.#locatedAt = context.moves.count;
    this.descriptor = descriptor;
    this.key = key;
    this.fileId = fileIdOf(key);
    this.directory = directory;
  }

  get storage(): PosixContext["storage"] {
    return this.#context.storage;
  }

  reference(): Buffer | undefined {
    return referenceOf(this.#context, this.descriptor.handle);
  }

  stat(): FileStat {
    const stat = this.#statx();
    const { metadata } = this.#context;
    const known = metadata.get(this.descriptor.handle, this.key, stat);
    return fileStat(stat, this.key, known, metadata.changeTime(this.key, stat));
  }

  /** Stores what a new file was asked to have. @param stat of the new file */
  initialise(options: CreateOptions, stat: Statx): void {
    if (!this.#context.hasMetadata) return;
    const { handle } = this.descriptor;
    const { metadata, security } = this.#context;
    const attributes =
      mergeAttributes(0, options.attributes, this.directory) | (this.directory ? 0 : FileAttribute.ARCHIVE);
    const creationTime = defaultCreationTime(stat);
    metadata.set(handle, this.key, attributes, creationTime);
    this.#madeArchived = !this.directory;
    const stored =
      options.security === undefined
        ? undefined
        : security.set(handle, this.key, options.security, this.directory, true);
    if (options.extendedAttributes !== undefined) {
      writeExtendedAttributes(handle, options.extendedAttributes);
      return;
    }
    const made = {
      attributes,
      creationTime,
      eaSize: 0,
      security: stored === undefined ? [] : [stored],
      descriptor: options.security === undefined ? undefined : security.intern(options.security),
    };
    metadata.learn(this.key, made, this.#statx());
  }

  setBasic(change: BasicChange): void {
    this.#mustBeWritable();
    this.#context.ownChanges.run(this.key, () => this.#setBasic(change));
  }

  #setBasic(change: BasicChange): void {
    const { creationTime, attributes, lastAccessTime, lastWriteTime, changeTime } = change;
    if (creationTime !== undefined || attributes !== undefined) {
      this.#madeArchived = false;
      const stat = this.#statx();
      const present = this.#context.metadata.get(this.descriptor.handle, this.key, stat);
      const old = attributesOf(stat, present);
      this.#context.metadata.set(
        this.descriptor.handle,
        this.key,
        attributes === undefined ? old : mergeAttributes(old, attributes, this.directory),
        creationTime ?? present.creationTime ?? defaultCreationTime(stat),
      );
    }
    if (lastAccessTime !== undefined || lastWriteTime !== undefined) {
      const access = lastAccessTime === undefined ? undefined : fileTimeToUnix(lastAccessTime);
      const write = lastWriteTime === undefined ? undefined : fileTimeToUnix(lastWriteTime);
      this.keeping(() => check(setTimes(this.descriptor.handle, access, write), "utimensat"));
    }
    if (changeTime === undefined) this.#context.metadata.forgetChangeTime(this.key);
    else this.#context.metadata.setChangeTime(this.key, this.#statx(), changeTime);
  }

  setCompressed(compressed: boolean): void {
    this.#mustBeWritable();
    if (!this.#context.compresses) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
    this.#context.ownChanges.run(this.key, () => {
      if (!this.directory) return setCompressed(this.descriptor.forWriting(), compressed);
      const fd = this.#openDirectory();
      try {
        setCompressed(fd, compressed);
      } finally {
        close(fd);
      }
    });
  }

  security(): Buffer {
    return this.securityAt(this.#statx());
  }

  protected securityAt(stat: Statx): Buffer {
    const { security, moves } = this.#context;
    const location = this.#locatedAt === moves.count ? this.#location : undefined;
    return security.get(this.descriptor.handle, this.key, stat, location);
  }

  setSecurity(descriptor: Buffer): void {
    this.#mustBeWritable();
    this.#mustHaveMetadata();
    this.#context.ownChanges.run(this.key, () =>
      this.#context.security.set(this.descriptor.handle, this.key, descriptor, this.directory, false),
    );
  }

  extendedAttributes(): readonly ExtendedAttribute[] {
    return this.#context.hasMetadata ? readExtendedAttributes(this.descriptor.handle) : [];
  }

  setExtendedAttributes(attributes: readonly ExtendedAttribute[]): void {
    this.#mustBeWritable();
    this.#mustHaveMetadata();
    this.#context.metadata.forget(this.key);
    this.#context.ownChanges.run(this.key, () => writeExtendedAttributes(this.descriptor.handle, attributes));
  }

  streams(): readonly StreamInfo[] {
    const named = this.#context.hasMetadata ? this.#streamStore().list() : [];
    if (this.directory) return named;
    const stat = this.#statx();
    return [{ name: "", size: stat.size, allocationSize: stat.allocated }, ...named];
  }

  openStream(name: string): VolumeStream | undefined {
    if (name === "") return this.directory ? undefined : new DataStream(this);
    if (!this.#context.hasMetadata) return undefined;
    const store = this.#streamStore();
    const state = store.hold(name);
    return state === undefined ? undefined : new NamedStream(store, state);
  }

  createStream(name: string): VolumeStream {
    this.#mustBeWritable();
    this.#mustHaveMetadata();
    const store = this.#streamStore();
    return new NamedStream(store, store.create(name));
  }

  removeStream(name: string): void {
    this.#mustBeWritable();
    this.#mustHaveMetadata();
    this.#streamStore().remove(name);
  }

  /** The default stream takes no other name, and no other stream takes its place (MS-FSA 2.1.5.15.12.1 allows both). */
  renameStream(from: string, to: string, replace: boolean): void {
    this.#mustBeWritable();
    this.#mustHaveMetadata();
    if (from === "" || to === "") throw new SmbError(NtStatus.INVALID_PARAMETER);
    this.#streamStore().rename(from, to, replace);
  }

  readDirectory(): DirectoryCursor {
    return new PosixDirectoryCursor(this.#context, this.#openDirectory());
  }

  isEmpty(): boolean {
    const fd = this.#openDirectory();
    try {
      const reader = new DirectoryReader(fd, 4096);
      for (;;) {
        const name = reader.next();
        if (name === undefined) return true;
        if (typeof name === "number") check(name, "getdents64");
        else if (!isPrivateName(name) || !this.#isRoot()) return false;
      }
    } finally {
      close(fd);
    }
  }

  async flush(): Promise<void> {
    const own = this.directory ? this.#openDirectory() : -1;
    const fd = own >= 0 ? own : this.descriptor.forReading();
    this.descriptor.hold();
    try {
      await new Promise<void>((resolve, reject) => {
        fsync(fd, (error) => {
          if (error === null) return resolve();
          const errno = errnoOf(error);
          reject(errno === undefined ? error : errnoError(errno, "fsync"));
        });
      });
    } finally {
      if (own >= 0) close(own);
      this.descriptor.release();
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.descriptor.release();
  }

  isSparse(): boolean {
    const stat = this.#statx();
    const { attributes } = this.#context.metadata.get(this.descriptor.handle, this.key, stat);
    return ((attributes ?? 0) & FileAttribute.SPARSE_FILE) !== 0;
  }

  setSparse(sparse: boolean): void {
    this.#mustBeWritable();
    this.#changeAttributes(sparse ? 0 : FileAttribute.SPARSE_FILE, sparse ? FileAttribute.SPARSE_FILE : 0);
  }

  watch(stamp: string): ChangeWatch {
    return this.#context.ownChanges.watch(this.key, this.descriptor, stamp);
  }

  touch(): void {
    this.#context.ownChanges.touch(this.key);
  }

  touchWhile<T>(change: Promise<T>): Promise<T> {
    return this.#context.ownChanges.touchWhile(this.key, change);
  }

  keeping<T>(change: () => T): T {
    const { metadata } = this.#context;
    const before = metadata.knows(this.key) ? statOpen(this.descriptor.handle) : undefined;
    const result = change();
    const after = before === undefined ? undefined : statOpen(this.descriptor.handle);
    if (typeof before === "object" && typeof after === "object") metadata.follow(this.key, before, after);
    return result;
  }

  modified(): void {
    this.#mustBeWritable();
    if (this.#madeArchived) return;
    this.#changeAttributes(0, FileAttribute.ARCHIVE);
  }

  #streamStore(): StreamStore {
    this.#streams ??= new StreamStore(this.descriptor, this.key, this.#context, {
      changed: () => {
        this.#mustBeWritable();
        this.#context.metadata.forget(this.key);
      },
      flush: () => this.flush(),
    });
    return this.#streams;
  }

  #changeAttributes(clear: number, set: number): void {
    if (!this.#context.hasMetadata) return;
    const stat = this.#statx();
    const present = this.#context.metadata.get(this.descriptor.handle, this.key, stat);
    const old = attributesOf(stat, present);
    const attributes = (old & ~clear) | set;
    if (attributes === old) return;
    const creationTime = present.creationTime ?? defaultCreationTime(stat);
    this.#context.ownChanges.run(this.key, () =>
      this.#context.metadata.set(this.descriptor.handle, this.key, attributes, creationTime),
    );
  }

  #statx(): Statx {
    return mustStat(this.descriptor.handle);
  }

  #openDirectory(): number {
    if (!this.directory) throw new SmbError(NtStatus.NOT_A_DIRECTORY);
    return check(openOwn(this.descriptor.handle, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY), "open directory");
  }

  #isRoot(): boolean {
    return this.key === this.#context.rootKey;
  }

  #mustBeWritable(): void {
    if (this.#context.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  }

  #mustHaveMetadata(): void {
    if (!this.#context.hasMetadata) throw new SmbError(NtStatus.NOT_SUPPORTED, "the share keeps no metadata");
  }
}

/** The directory of a name that does not exist yet, as it was when that was found out. */
export class PosixDirectory extends PosixFile {
  readonly parent: Parent;

  constructor(context: PosixContext, parent: Parent) {
    super(context, new Descriptor(parent.fd), parent.key, true, parent.stored === "." ? "" : parent.stored);
    this.parent = parent;
  }

  override security(): Buffer {
    return this.securityAt(this.parent.stat);
  }
}
