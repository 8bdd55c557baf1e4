// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { BlockClone, DataPins } from "../offload.ts";
import type { OutsideChanges } from "../outside-changes.ts";
import type {
  CreateOptions,
  Located,
  NtPath,
  OpenedFile,
  Volume,
  VolumeFile,
  VolumeInfo,
  VolumeSpace,
  VolumeStream,
} from "../volume.ts";
import { posixClone } from "./clone.ts";
import type { PosixContext } from "./context.ts";
import { followLink } from "./context.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errnoError } from "./errno.ts";
import { PosixDirectory, PosixFile } from "./file.ts";
import type { FileKey } from "./file-id.ts";
import { FileSearch } from "./file-search.ts";
import { type MountedVolume, mount, type PosixVolumeOptions } from "./mount.ts";
import { mustStat } from "./must-stat.ts";
import { clientName, storedName } from "./names.ts";
import {
  close,
  linkOpen,
  makeDirectory,
  OpenFlag,
  openBeneath,
  openOwn,
  removeName,
  rename as renameAt,
} from "./native/files.ts";
import { FileType, type Statx, statFileSystem, statName, statOpen } from "./native/stat.ts";
import { PosixPins } from "./pins.ts";
import { isPrivateName } from "./private-folder.ts";
import { type Found, join, type Parent } from "./resolve.ts";
import { PosixSharedData } from "./shared-data.ts";
import { SpillFolder } from "./spill.ts";
import { sweepStreams } from "./stream-sweep.ts";

/** A directory on a Linux file system as a volume. */
export class PosixVolume implements Volume {
  readonly info: VolumeInfo;
  readonly clone: BlockClone | undefined;
  readonly pins: DataPins | undefined;
  readonly shared: PosixSharedData;
  readonly outside: OutsideChanges;
  readonly #scratch: PosixPins | undefined;
  readonly #context: PosixContext;
  readonly #search: FileSearch;
  readonly #fileMode: number;
  readonly #directoryMode: number;
  readonly #ending = new AbortController();
  #closed = false;

  private constructor(mounted: MountedVolume) {
    this.info = mounted.info;
    this.clone = mounted.clones ? posixClone : undefined;
    const { root, storage } = mounted.context;
    this.#scratch = mounted.info.readOnly ? undefined : new PosixPins(root, storage, mounted.clones);
    this.pins = this.#scratch;
    this.shared = new PosixSharedData(mounted.context);
    this.outside = mounted.context.outside;
    this.#context = mounted.context;
    this.#search = new FileSearch(mounted.context);
    this.#fileMode = mounted.fileMode;
    this.#directoryMode = mounted.directoryMode;
  }

  /**
   * Opens a directory as a volume.
   * @throws Error with a message for the administrator: no directory, no rights, no extended attributes, …
   */
  static async open(options: PosixVolumeOptions): Promise<PosixVolume> {
    return new PosixVolume(await mount(options));
  }

  space(): VolumeSpace {
    const stat = statFileSystem(this.#context.root);
    if (typeof stat === "number") throw errnoError(-stat, "statvfs");
    return {
      total: stat.blocks * stat.blockSize,
      free: stat.freeBlocks * stat.blockSize,
      available: stat.availableBlocks * stat.blockSize,
    };
  }

  scratch(): VolumeStream | undefined {
    this.#mustBeOpen();
    return this.#scratch?.scratch();
  }

  open(path: NtPath): OpenedFile | undefined {
    this.#mustBeOpen();
    const found = this.#context.resolver.open(path);
    return found === undefined ? undefined : this.#opened(found);
  }

  locate(path: NtPath, isNew: boolean): Located {
    this.#mustBeOpen();
    const located = this.#context.resolver.locate(path, isNew);
    if ("name" in located) return { directory: new PosixDirectory(this.#context, located) };
    return { opened: this.#opened(located) };
  }

  #opened(found: Found): OpenedFile {
    const key = this.#context.ids.keyOf(found.stat);
    const directory = found.stat.type === FileType.DIRECTORY;
    return {
      file: new PosixFile(
        this.#context,
        new Descriptor(found.fd),
        key,
        directory,
        found.stored === "." ? "" : found.stored,
      ),
      path: found.path,
    };
  }

  async openById(fileId: bigint, reference?: Buffer): Promise<OpenedFile | undefined> {
    this.#mustBeOpen();
    if (reference === undefined) return undefined;
    const path = await this.#search.find(fileId, reference);
    if (path === undefined) return undefined;
    const opened = this.open(path === "" ? [] : path.split("/").map(clientName));
    if (opened === undefined || opened.file.fileId === fileId) return opened;
    void opened.file.close();
    return undefined;
  }

  create(path: NtPath, options: CreateOptions, directory?: VolumeFile): OpenedFile {
    this.#mustBeWritable();
    const name = path.at(-1);
    if (name === undefined) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    if (!(directory instanceof PosixDirectory) || isPrivateName(name)) {
      return this.#inParent(path, (parent) => this.#createIn(parent, options));
    }
    return this.#createIn({ ...this.#asItIs(directory.parent), name }, options);
  }

  /** A directory with its present times, if there has been any change of the volume's own since it was opened. */
  #asItIs(parent: Parent): Parent {
    const { names } = this.#context.resolver;
    if (names.isCurrent(parent.key, parent.stat)) return parent;
    return { ...parent, stat: mustStat(parent.fd) };
  }

  #createIn(parent: Parent, options: CreateOptions): OpenedFile {
    const stored = this.#freeName(parent);
    return this.#context.outside.own([stored], () => this.#make(parent, stored, options));
  }

  #make(parent: Parent, stored: string, options: CreateOptions): OpenedFile {
    const descriptor = options.directory ? this.#makeDirectory(parent, stored) : this.#makeFile(parent, stored);
    try {
      const stat = mustStat(descriptor.handle);
      const key = this.#context.ids.keyOf(stat);
      const file = new PosixFile(this.#context, descriptor, key, options.directory, join(parent.stored, stored));
      file.initialise(options, stat);
      this.#changed(parent, undefined, stored);
      return { file, path: [...parent.path, clientName(stored)] };
    } catch (error) {
      descriptor.release();
      removeName(parent.fd, stored, options.directory);
      this.#context.resolver.names.forget(parent.key);
      throw error;
    }
  }

  rename(file: VolumeFile, from: NtPath, to: NtPath, replace: boolean): void {
    this.#mustBeWritable();
    const own = this.#own(file);
    this.#context.moves.count++;
    this.#inParent(from, (source) => {
      const stored = this.#nameOf(source, own);
      this.#inParent(to, (target) => {
        const wanted = mustStore(target.name);
        const present = this.#context.resolver.storedNameIn(target);
        const { security } = this.#context;
        const move = () => this.#move(own, source, stored, target, present, wanted, replace);
        this.#context.outside.own([stored, wanted, present], move);
        if (own.directory) security.inheritanceChanged();
      });
    });
  }

  #move(
    own: PosixFile,
    source: Parent,
    stored: string,
    target: Parent,
    present: string | undefined,
    wanted: string,
    replace: boolean,
  ): void {
    const { ownChanges } = this.#context;
    const sameFolder = source.key === target.key;
    if (present === undefined || (sameFolder && present === stored)) {
      if (wanted === stored && sameFolder) return;
      check(
        ownChanges.run(own.key, () => renameAt(source.fd, stored, target.fd, wanted, false)),
        "renameat2",
      );
      if (sameFolder) this.#changed(source, stored, wanted);
      else {
        this.#changed(source, stored, undefined);
        this.#changed(target, undefined, wanted);
      }
      return;
    }
    if (!replace) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    try {
      this.#replace(own, source, stored, target, present, wanted);
    } finally {
      this.#context.resolver.names.forget(source.key);
      this.#context.resolver.names.forget(target.key);
    }
  }

  link(file: VolumeFile, to: NtPath, replace: boolean): void {
    this.#mustBeWritable();
    const own = this.#own(file);
    if (own.directory) throw new SmbError(NtStatus.FILE_IS_A_DIRECTORY);
    this.#inParent(to, (target) => {
      const wanted = mustStore(target.name);
      const present = this.#context.resolver.storedNameIn(target);
      if (present !== undefined && !replace) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
      if (present === undefined) {
        check(
          this.#context.outside.own([wanted], () => this.#linkTo(own, target, wanted)),
          "linkat",
        );
        this.#changed(target, undefined, wanted);
        return;
      }
      if (this.#isSame(target, present, own.key)) return;
      // A new name beside it, then an atomic exchange: the old file is never missing.
      const temporary = temporaryName();
      this.#context.outside.own([temporary, present, wanted], () => {
        check(this.#linkTo(own, target, temporary), "linkat");
        try {
          this.#replace(own, target, temporary, target, present, wanted);
        } catch (error) {
          removeName(target.fd, temporary, false);
          throw error;
        } finally {
          this.#context.resolver.names.forget(target.key);
        }
      });
    });
  }

  unlink(file: VolumeFile, path: NtPath): void {
    this.#mustBeWritable();
    const own = this.#own(file);
    this.#inParent(path, (parent) => {
      const stored = this.#nameOf(parent, own);
      const stat = statName(parent.fd, stored);
      const isDirectory = typeof stat !== "number" && stat.type === FileType.DIRECTORY;
      const { outside, ownChanges } = this.#context;
      check(
        outside.own([stored], () => ownChanges.run(own.key, () => removeName(parent.fd, stored, isDirectory))),
        "unlinkat",
      );
      this.#changed(parent, stored, undefined);
      const left = statOpen(own.descriptor.handle);
      if (typeof left !== "number" && (own.directory || left.links === 0)) this.#discardStreams(left);
    });
  }

  /**
   * Removes large streams (those kept as files of their own) of files that were removed by others than this server. Walks
   * the share in the background; to be called now and then, such as once after the start.
   * @returns how many files' streams were removed
   */
  collectOrphanedStreams(): Promise<number> {
    this.#mustBeWritable();
    return this.#context.hasMetadata ? sweepStreams(this.#context, this.#ending.signal) : Promise.resolve(0);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ending.abort();
    this.shared.close();
    this.#context.outside.close();
    close(this.#context.root);
  }

  /** Opens the parent of a path for one operation. */
  #inParent<T>(path: NtPath, operation: (parent: Parent) => T): T {
    this.#mustBeOpen();
    const parent = this.#context.resolver.parent(path);
    try {
      return operation(parent);
    } finally {
      close(parent.fd);
    }
  }

  /** Enters a change of the names in a directory. */
  #changed(parent: Parent, removed: string | undefined, added: string | undefined): void {
    const { metadata, resolver } = this.#context;
    const after = resolver.changed(parent, removed, added);
    if (after !== undefined) metadata.follow(parent.key, parent.stat, after);
  }

  /** The name to store a new file under. @throws OBJECT_NAME_COLLISION it is taken, in whatever case */
  #freeName(parent: Parent): string {
    const stored = mustStore(parent.name);
    if (this.#context.resolver.names.find(parent.fd, parent.key, parent.stat, parent.name) !== undefined) {
      throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    }
    return stored;
  }

  #makeFile(parent: Parent, stored: string): Descriptor {
    const flags = OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
    const fd = checkCreated(openBeneath(parent.fd, stored, flags, this.#fileMode), "create");
    return new Descriptor(fd, fd);
  }

  #makeDirectory(parent: Parent, stored: string): Descriptor {
    checkCreated(makeDirectory(parent.fd, stored, this.#directoryMode), "mkdirat");
    const fd = openOwn(parent.fd, stored, OpenFlag.PATH | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW);
    if (fd < 0) {
      removeName(parent.fd, stored, true);
      throw errnoError(-fd, "open directory");
    }
    return new Descriptor(fd);
  }

  /** The stored name that still belongs to an open file. @throws OBJECT_NAME_NOT_FOUND */
  #nameOf(parent: Parent, file: PosixFile): string {
    const stored = this.#context.resolver.storedNameIn(parent);
    if (stored === undefined || !this.#isSame(parent, stored, file.key)) {
      throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    }
    return stored;
  }

  /** Whether a name, or what the symbolic link of that name leads to, is the file. */
  #isSame(parent: Parent, stored: string, key: FileKey): boolean {
    const stat = statName(parent.fd, stored);
    if (typeof stat === "number") return false;
    if (stat.type !== FileType.LINK) return this.#context.ids.keyOf(stat) === key;
    const fd = followLink(this.#context.root, parent.fd, stored);
    if (fd === undefined) return false;
    const target: Statx | number = statOpen(fd);
    close(fd);
    return typeof target !== "number" && this.#context.ids.keyOf(target) === key;
  }

  #linkTo(file: PosixFile, parent: Parent, name: string): number {
    return this.#context.ownChanges.run(file.key, () => linkOpen(file.descriptor.handle, parent.fd, name));
  }

  /** Moves `stored`, a name of `own`, over the file `present`, which then goes by the name `wanted`. */
  #replace(own: PosixFile, source: Parent, stored: string, target: Parent, present: string, wanted: string): void {
    this.#context.ownChanges.run(own.key, () => this.#moveOver(source, stored, target, present, wanted));
  }

  #moveOver(source: Parent, stored: string, target: Parent, present: string, wanted: string): void {
    const from = statName(source.fd, stored);
    const old = statName(target.fd, present);
    const { ids } = this.#context;
    // A directory is never replaced (MS-FSA 2.1.5.15.12).
    if (typeof old !== "number" && old.type === FileType.DIRECTORY) throw new SmbError(NtStatus.ACCESS_DENIED);
    if (typeof old !== "number" && typeof from !== "number" && ids.keyOf(old) === ids.keyOf(from)) {
      // Two names of one file: rename(2) would leave both.
      check(removeName(source.fd, stored, false), "unlinkat");
    } else {
      const move = () => renameAt(source.fd, stored, target.fd, present, true);
      check(typeof old === "number" ? move() : this.#context.ownChanges.run(ids.keyOf(old), move), "renameat2");
      if (typeof old !== "number" && old.links === 1) this.#discardStreams(old);
    }
    if (present !== wanted) check(renameAt(target.fd, present, target.fd, wanted, false), "renameat2");
  }

  /** Removes what a file that is no more has left beside itself. */
  #discardStreams(stat: Statx): void {
    if (!this.#context.hasMetadata) return;
    const { ids, ownChanges, spill } = this.#context;
    const key = ids.keyOf(stat);
    const folder = SpillFolder.folderOf(key, stat);
    if (folder === undefined) return;
    try {
      ownChanges.run(key, () => spill.discard(folder));
    } catch (error) {
      // The file itself is gone, which is what was asked for; the rest is collected later.
      this.#context.logger.warn({ folder, error }, "large streams of a removed file could not be removed");
    }
  }

  #own(file: VolumeFile): PosixFile {
    if (!(file instanceof PosixFile)) throw new SmbError(NtStatus.NOT_SAME_DEVICE);
    return file;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new SmbError(NtStatus.NETWORK_NAME_DELETED);
  }

  #mustBeWritable(): void {
    this.#mustBeOpen();
    if (this.#context.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  }
}

function mustStore(name: string): string {
  const stored = storedName(name);
  if (stored === undefined) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  return stored;
}

/** Passes on the result of making a name; a parent that was removed meanwhile is a missing path. */
function checkCreated(result: number, call: string): number {
  if (result === -Errno.ENOENT) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
  return check(result, call);
}

let temporaries = 0;

function temporaryName(): string {
  temporaries++;
  return `.tessera-${process.pid}-${temporaries}.tmp`;
}

export type { PosixVolumeOptions };
