// SPDX-License-Identifier: Apache-2.0

import { FileSystemAttribute, SETTABLE_ATTRIBUTES } from "../../nt/attributes.ts";
import { isValidFileName, MAXIMUM_COMPONENT } from "../../nt/names.ts";
import { isShortNameShape, shortNameOf } from "../../nt/short-name.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { withChanges } from "../extended-attributes.ts";
import { MAXIMUM_DEPTH, MAXIMUM_LINKS, NTFS_LIKE_ATTRIBUTES } from "../ntfs-like.ts";
import type { StorageOffload } from "../offload.ts";
import type { CreateOptions, NtPath, OpenedFile, Volume, VolumeFile, VolumeInfo, VolumeSpace } from "../volume.ts";
import { ArrayFile } from "./array-file.ts";
import { type EntryRecord, type LinkRecord, type NodeRecord, ROOT_ID } from "./catalogue.ts";
import type { ArrayContext } from "./context.ts";
import { emptyNode } from "./format.ts";
import { type MountedVolume, type MountOptions, mount } from "./mount.ts";
import { Node } from "./node.ts";
import type { Change } from "./store.ts";

/** Entries of a directory looked at in one go for a short name. */
const SHORT_NAME_BATCH = 1000;

/** Features that a volume does not have whose LUNs are its files. */
const NOT_WITH_WHOLE_LUNS =
  FileSystemAttribute.SUPPORTS_SPARSE_FILES |
  FileSystemAttribute.NAMED_STREAMS |
  FileSystemAttribute.SUPPORTS_HARD_LINKS;

/** Where a path leads: the directory that holds its last name, and the entry, if there is one. */
interface Place {
  readonly parent: bigint;
  readonly name: string;
  readonly entry: EntryRecord | undefined;
}

/**
 * Files on LUNs of an array that belong to this volume alone. Names, attributes, streams and the places of data are in a
 * catalogue beside it; data go to the LUNs through a SCSI initiator.
 */
export class ArrayVolume implements Volume {
  readonly info: VolumeInfo;
  readonly offload: StorageOffload;
  readonly #context: ArrayContext;
  readonly #mounted: MountedVolume;

  private constructor(mounted: MountedVolume) {
    const { context, record } = mounted;
    this.#mounted = mounted;
    this.#context = context;
    this.offload = context.offload;
    const absent = record.wholeLuns ? NOT_WITH_WHOLE_LUNS : 0;
    this.info = {
      label: record.label,
      serialNumber: record.volumeId.readUInt32BE(0),
      creationTime: record.creationTime,
      fileSystemName: "NTFS",
      attributes: (NTFS_LIKE_ATTRIBUTES & ~absent) | (context.readOnly ? FileSystemAttribute.READ_ONLY_VOLUME : 0),
      logicalSectorSize: context.logicalBlockSize,
      physicalSectorSize: mounted.physicalBlockSize,
      allocationUnit: context.unit,
      maximumComponentLength: MAXIMUM_COMPONENT,
      maximumFileSize: context.maximumFileSize,
      readOnly: context.readOnly,
    };
  }

  /**
   * Opens a formatted volume and clears away what the last process left unfinished. LUNs that are missing are waited for in
   * the background: until they come, their files can be listed, but not read.
   * @throws ArrayVolumeError
   */
  static async open(options: MountOptions): Promise<ArrayVolume> {
    return new ArrayVolume(await mount(options));
  }

  space(): VolumeSpace {
    const { free } = this.#context;
    return { total: this.#mounted.capacity(), free, available: free };
  }

  open(path: NtPath): OpenedFile | undefined {
    const entries = this.#walk(path);
    if (entries === undefined) return undefined;
    return {
      file: new ArrayFile(this.#load(entries.at(-1)?.fileId ?? ROOT_ID)),
      path: entries.map(({ name }) => name),
    };
  }

  openById(fileId: bigint): OpenedFile | undefined {
    const path: string[] = [];
    for (let at = fileId; at !== ROOT_ID; ) {
      const [link] = this.#record(at)?.links ?? [];
      if (link === undefined) return undefined;
      path.unshift(link.name);
      at = link.parent;
    }
    return { file: new ArrayFile(this.#load(fileId)), path };
  }

  async create(path: NtPath, options: CreateOptions): Promise<OpenedFile> {
    this.#checkNamesMayChange();
    const { parent, name, entry } = this.#place(path);
    if (entry !== undefined) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    const extendedAttributes = withChanges([], options.extendedAttributes ?? []);
    const above = this.#walk(path.slice(0, -1)) ?? [];
    const { catalogue, clock } = this.#context;
    const changes: Change[] = [];
    const fileId = catalogue.newId(changes);
    const record: NodeRecord = {
      ...emptyNode(options.directory, clock()),
      attributes: options.attributes & SETTABLE_ATTRIBUTES,
      security: options.security === undefined ? undefined : Buffer.from(options.security),
      extendedAttributes,
      streams: options.directory
        ? []
        : [{ id: catalogue.newId(changes), name: "", endOfFile: 0, allocated: 0, sparse: false }],
      links: [{ parent, name }],
    };
    const file = new ArrayFile(new Node(this.#context, fileId, record, false));
    changes.push(
      catalogue.setNode(fileId, record),
      catalogue.setEntry(parent, name, fileId),
      this.#directoryModified(parent),
    );
    await this.#context.commit(changes);
    return { file, path: [...above.map((one) => one.name), name] };
  }

  async rename(file: VolumeFile, from: NtPath, to: NtPath, replace: boolean): Promise<void> {
    this.#checkNamesMayChange();
    const node = this.#nodeOf(file);
    const source = this.#ownLink(node, from);
    const { parent, name, entry } = this.#place(to);
    if (node.directory && this.#isWithin(parent, node.fileId)) throw new SmbError(NtStatus.INVALID_PARAMETER);
    const same = entry !== undefined && isSameLink({ parent, name: entry.name }, source);
    const { catalogue } = this.#context;
    const changes: Change[] = [catalogue.setEntry(source.parent, source.name, undefined)];
    let links = node.record.links.filter((link) => !isSameLink(link, source));
    let replaced: Node | undefined;
    if (entry !== undefined && !same) {
      this.#checkReplace(entry, replace);
      if (entry.fileId === node.fileId) {
        // Another name of the same file goes.
        links = links.filter((link) => !isSameLink(link, { parent, name: entry.name }));
        changes.push(catalogue.setEntry(parent, entry.name, undefined));
      } else replaced = this.#dropName(entry, parent, changes);
    }
    links.push({ parent, name });
    changes.push(
      node.changed({ links }),
      catalogue.setEntry(parent, name, node.fileId),
      this.#directoryModified(source.parent),
    );
    if (parent !== source.parent) changes.push(this.#directoryModified(parent));
    await this.#finish(changes, replaced);
  }

  async link(file: VolumeFile, to: NtPath, replace: boolean): Promise<void> {
    this.#checkNamesMayChange();
    const node = this.#nodeOf(file);
    if (node.directory) throw new SmbError(NtStatus.FILE_IS_A_DIRECTORY);
    const { parent, name, entry } = this.#place(to);
    if (node.record.links.length === 0) throw new SmbError(NtStatus.FILE_DELETED);
    if (entry !== undefined) {
      this.#checkReplace(entry, replace);
      if (entry.fileId === node.fileId) return;
    }
    if (node.record.links.length >= MAXIMUM_LINKS) throw new SmbError(NtStatus.TOO_MANY_LINKS);
    const changes: Change[] = [];
    const replaced = entry === undefined ? undefined : this.#dropName(entry, parent, changes);
    changes.push(
      node.changed({ links: [...node.record.links, { parent, name }] }),
      this.#context.catalogue.setEntry(parent, name, node.fileId),
      this.#directoryModified(parent),
    );
    await this.#finish(changes, replaced);
  }

  async unlink(file: VolumeFile, path: NtPath): Promise<void> {
    this.#checkNamesMayChange();
    const node = this.#nodeOf(file);
    const link = this.#ownLink(node, path);
    const { catalogue } = this.#context;
    if (node.directory && catalogue.entries(node.fileId, undefined, 1).length > 0) {
      throw new SmbError(NtStatus.DIRECTORY_NOT_EMPTY);
    }
    const changes: Change[] = [];
    const dropped = this.#dropName({ name: link.name, fileId: node.fileId }, link.parent, changes);
    changes.push(this.#directoryModified(link.parent));
    await this.#finish(changes, dropped);
  }

  async close(): Promise<void> {
    await this.#mounted.close();
  }

  /** Where a name is to be made. @throws SmbError OBJECT_NAME_INVALID, OBJECT_PATH_NOT_FOUND */
  #place(path: NtPath): Place {
    const name = path.at(-1);
    // The root has no name that could be made or taken away.
    if (name === undefined) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    const above = this.#walk(path.slice(0, -1));
    if (above === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    const parent = above.at(-1)?.fileId ?? ROOT_ID;
    const record = this.#record(parent);
    const gone = parent !== ROOT_ID && record?.links.length === 0;
    if (record?.directory !== true || gone) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    if (!isValidFileName(name)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    return { parent, name, entry: this.#find(parent, name) };
  }

  /** The entries along a path; `undefined` where only the last is missing. @throws SmbError OBJECT_PATH_NOT_FOUND */
  #walk(path: NtPath): EntryRecord[] | undefined {
    if (path.length > MAXIMUM_DEPTH) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    const entries: EntryRecord[] = [];
    let at = ROOT_ID;
    for (const name of path) {
      if (entries.length > 0 && this.#record(at)?.directory !== true) {
        throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
      }
      const entry = this.#find(at, name);
      if (entry === undefined) {
        if (entries.length < path.length - 1) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
        return undefined;
      }
      entries.push(entry);
      at = entry.fileId;
    }
    return entries;
  }

  #find(directory: bigint, name: string): EntryRecord | undefined {
    const { catalogue } = this.#context;
    if (name.length > MAXIMUM_COMPONENT) return undefined;
    const entry = catalogue.entry(directory, name);
    if (entry !== undefined || !isShortNameShape(name)) return entry;
    const wanted = name.toUpperCase();
    for (let after: string | undefined; ; ) {
      const some = catalogue.entries(directory, after, SHORT_NAME_BATCH);
      for (const one of some) if (shortNameOf(one.name) === wanted) return one;
      if (some.length < SHORT_NAME_BATCH) return undefined;
      after = some.at(-1)?.name;
    }
  }

  /** As it is in memory, where the file is open, else as stored. */
  #record(fileId: bigint): NodeRecord | undefined {
    return this.#context.nodes.get(fileId)?.record ?? this.#context.catalogue.node(fileId);
  }

  #load(fileId: bigint): Node {
    const open = this.#context.nodes.get(fileId);
    if (open !== undefined) return open;
    const record = this.#context.catalogue.node(fileId);
    if (record === undefined) throw new SmbError(NtStatus.FILE_CORRUPT_ERROR, `the catalogue has no file ${fileId}`);
    return new Node(this.#context, fileId, record, fileId === ROOT_ID);
  }

  #nodeOf(file: VolumeFile): Node {
    if (!(file instanceof ArrayFile) || file.node.context !== this.#context) {
      throw new SmbError(NtStatus.NOT_SAME_DEVICE);
    }
    return file.node;
  }

  /** The file's name at `path`. @throws SmbError OBJECT_NAME_NOT_FOUND */
  #ownLink(node: Node, path: NtPath): LinkRecord {
    const entries = this.#walk(path);
    const entry = entries?.at(-1);
    if (entry === undefined || entry.fileId !== node.fileId) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    return { parent: entries?.at(-2)?.fileId ?? ROOT_ID, name: entry.name };
  }

  #checkReplace(entry: EntryRecord, replace: boolean): void {
    if (!replace) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    if (this.#record(entry.fileId)?.directory === true) throw new SmbError(NtStatus.ACCESS_DENIED);
  }

  /** Whether `directory` is `ancestor`, or below it. */
  #isWithin(directory: bigint, ancestor: bigint): boolean {
    for (let at: bigint | undefined = directory; at !== undefined; ) {
      if (at === ancestor) return true;
      at = this.#record(at)?.links[0]?.parent;
    }
    return false;
  }

  /** Takes a name from a file. @returns the file, which the caller closes: it goes with its last name */
  #dropName(entry: EntryRecord, parent: bigint, changes: Change[]): Node {
    const { catalogue } = this.#context;
    const node = this.#load(entry.fileId);
    node.open();
    const links = node.record.links.filter((link) => !isSameLink(link, { parent, name: entry.name }));
    changes.push(catalogue.setEntry(parent, entry.name, undefined), node.changed({ links }));
    if (links.length === 0) changes.push(catalogue.setRemoved("file", entry.fileId, true));
    return node;
  }

  async #finish(changes: readonly Change[], dropped: Node | undefined): Promise<void> {
    try {
      await this.#context.commit(changes);
    } finally {
      await dropped?.close();
    }
  }

  #directoryModified(fileId: bigint): Change {
    const { nodes, catalogue, clock } = this.#context;
    const open = nodes.get(fileId);
    if (open !== undefined) return open.modified();
    const record = catalogue.node(fileId);
    if (record === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    const now = clock();
    return catalogue.setNode(fileId, { ...record, lastWriteTime: now, changeTime: now });
  }

  /** @throws SmbError MEDIA_WRITE_PROTECTED; ACCESS_DENIED where the files are the LUNs */
  #checkNamesMayChange(): void {
    this.#context.checkWritable();
    if (this.#context.wholeLuns) throw new SmbError(NtStatus.ACCESS_DENIED);
  }
}

function isSameLink(a: LinkRecord, b: LinkRecord): boolean {
  return a.parent === b.parent && a.name === b.name;
}
