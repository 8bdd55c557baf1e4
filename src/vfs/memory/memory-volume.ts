// SPDX-License-Identifier: Apache-2.0

import { FileSystemAttribute } from "../../nt/attributes.ts";
import { type FileTime, fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import { foldName, isValidFileName, MAXIMUM_COMPONENT } from "../../nt/names.ts";
import { isShortNameShape, shortNameOf } from "../../nt/short-name.ts";
import { WellKnownSid } from "../../nt/sid.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { fullAccessFor } from "../default-security.ts";
import { withChanges } from "../extended-attributes.ts";
import { MAXIMUM_DEPTH, MAXIMUM_LINKS, NTFS_LIKE_ATTRIBUTES } from "../ntfs-like.ts";
import type { DataPins } from "../offload.ts";
import type { CreateOptions, NtPath, OpenedFile, Volume, VolumeFile, VolumeInfo, VolumeSpace } from "../volume.ts";
import { MemoryFile } from "./memory-file.ts";
import { MemoryStream } from "./memory-stream.ts";
import { checkWritable, type Link, MemoryNode, RECORD_SIZE, type VolumeState } from "./node.ts";
import { Space } from "./space.ts";
import { ALLOCATION_UNIT } from "./stream-data.ts";

export interface MemoryVolumeOptions {
  readonly label?: string;
  readonly serialNumber?: number;
  /** Bytes that files, names and streams may take together; writes beyond give DISK_FULL. Default 4 GiB. */
  readonly capacity?: number;
  /** Refuses every change with MEDIA_WRITE_PROTECTED, once `populate` has returned. */
  readonly readOnly?: boolean;
  /** Fills the new volume, still writable, before the constructor returns. */
  readonly populate?: (volume: MemoryVolume) => void;
  /** The time now; the system's clock if not given. */
  readonly clock?: () => FileTime;
  /** Self-relative descriptor of files that have none stored; everybody has full access if not given. */
  readonly defaultSecurity?: Buffer;
}

const DEFAULT_CAPACITY = 4 * 1024 ** 3;
/** Bytes; 16 TiB, as on NTFS with this allocation unit. */
const MAXIMUM_FILE_SIZE = 16 * 1024 ** 4 - 65_536;

/** Where a path leads: the directory that holds its last name, and the entry, if there is one. */
interface Place {
  readonly parent: MemoryNode;
  readonly name: string;
  readonly link: Link | undefined;
}

/**
 * A volume that lives in the memory of the process: for embedders that serve what they make up, and for tests. Answers
 * every call at once. Everything is gone when it is closed.
 */
export class MemoryVolume implements Volume {
  readonly info: VolumeInfo;
  readonly pins: DataPins | undefined = {
    pin: (source) => (source instanceof MemoryStream ? source.pin() : undefined),
  };
  readonly #state: VolumeState;
  readonly #root: MemoryNode;
  readonly #nodes = new Map<bigint, MemoryNode>();
  #lastFileId = 0n;

  constructor(options: MemoryVolumeOptions = {}) {
    const clock = options.clock ?? (() => fileTimeFromMilliseconds(Date.now()));
    const readOnly = options.readOnly ?? false;
    this.#state = {
      space: new Space(options.capacity ?? DEFAULT_CAPACITY),
      clock,
      readOnly: false,
      defaultSecurity: options.defaultSecurity ?? fullAccessFor(WellKnownSid.EVERYONE),
      maximumFileSize: MAXIMUM_FILE_SIZE,
    };
    this.#root = new MemoryNode(this.#state, this.#nextFileId(), true, true);
    this.info = {
      label: options.label ?? "Memory",
      serialNumber: options.serialNumber ?? 0x4d454d31,
      creationTime: this.#root.creationTime,
      fileSystemName: "NTFS",
      attributes: NTFS_LIKE_ATTRIBUTES | (readOnly ? FileSystemAttribute.READ_ONLY_VOLUME : 0),
      logicalSectorSize: 512,
      physicalSectorSize: 4096,
      allocationUnit: ALLOCATION_UNIT,
      maximumComponentLength: MAXIMUM_COMPONENT,
      maximumFileSize: MAXIMUM_FILE_SIZE,
      readOnly,
    };
    options.populate?.(this);
    this.#state.readOnly = readOnly;
  }

  space(): VolumeSpace {
    const { capacity, free } = this.#state.space;
    return { total: capacity, free, available: free };
  }

  open(path: NtPath): OpenedFile | undefined {
    const links = this.#walk(path);
    if (links === undefined) return undefined;
    const node = links.at(-1)?.node ?? this.#root;
    return { file: new MemoryFile(node), path: links.map((link) => link.name) };
  }

  openById(fileId: bigint): OpenedFile | undefined {
    const node = fileId === this.#root.fileId ? this.#root : this.#nodes.get(fileId);
    if (node === undefined || (node !== this.#root && node.links.size === 0)) return undefined;
    const path: string[] = [];
    for (let at = node; at !== this.#root; ) {
      const [link] = at.links;
      if (link === undefined) return undefined;
      path.unshift(link.name);
      at = link.parent;
    }
    return { file: new MemoryFile(node), path };
  }

  create(path: NtPath, options: CreateOptions): OpenedFile {
    checkWritable(this.#state);
    const { parent, name, link } = this.#place(path);
    if (link !== undefined) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    const extendedAttributes = withChanges([], options.extendedAttributes ?? []);
    const parents = this.#walk(path.slice(0, -1)) ?? [];
    this.#state.space.take(RECORD_SIZE);
    const node = new MemoryNode(this.#state, this.#nextFileId(), options.directory, false);
    const file = new MemoryFile(node);
    try {
      node.attributes = options.attributes;
      if (options.security !== undefined) node.setSecurity(options.security);
      node.setExtendedAttributes(extendedAttributes);
      this.#attach(parent, name, node);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#nodes.set(node.fileId, node);
    return { file, path: [...parents.map((one) => one.name), name] };
  }

  rename(file: VolumeFile, from: NtPath, to: NtPath, replace: boolean): void {
    checkWritable(this.#state);
    const node = this.#nodeOf(file);
    const source = this.#ownLink(node, from);
    const { parent, name, link } = this.#place(to);
    if (node.directory && this.#isWithin(parent, node)) throw new SmbError(NtStatus.INVALID_PARAMETER);
    if (link !== undefined && link !== source) {
      this.#checkReplace(link, replace);
      this.#detach(link);
    }
    source.parent.detach(source);
    parent.attach(name, node);
    source.parent.modified();
    if (parent !== source.parent) parent.modified();
    node.changed();
  }

  link(file: VolumeFile, to: NtPath, replace: boolean): void {
    checkWritable(this.#state);
    const node = this.#nodeOf(file);
    if (node.directory) throw new SmbError(NtStatus.FILE_IS_A_DIRECTORY);
    const { parent, name, link } = this.#place(to);
    if (node.links.size === 0) throw new SmbError(NtStatus.FILE_DELETED);
    if (link !== undefined) {
      this.#checkReplace(link, replace);
      if (link.node === node) return;
    }
    if (node.links.size >= MAXIMUM_LINKS) throw new SmbError(NtStatus.TOO_MANY_LINKS);
    if (link !== undefined) this.#detach(link);
    this.#attach(parent, name, node);
    node.changed();
  }

  unlink(file: VolumeFile, path: NtPath): void {
    checkWritable(this.#state);
    const node = this.#nodeOf(file);
    const link = this.#ownLink(node, path);
    if (node.children !== undefined && node.children.size > 0) throw new SmbError(NtStatus.DIRECTORY_NOT_EMPTY);
    this.#detach(link);
    link.parent.modified();
    node.changed();
  }

  close(): void {
    this.#nodes.clear();
    this.#root.children?.clear();
  }

  #nextFileId(): bigint {
    this.#lastFileId += 1n;
    return this.#lastFileId;
  }

  #nodeOf(file: VolumeFile): MemoryNode {
    if (!(file instanceof MemoryFile) || file.node.state !== this.#state) {
      throw new SmbError(NtStatus.NOT_SAME_DEVICE);
    }
    return file.node;
  }

  #find(directory: MemoryNode, name: string): Link | undefined {
    const { children } = directory;
    if (children === undefined) return undefined;
    const link = children.get(foldName(name));
    if (link !== undefined || !isShortNameShape(name)) return link;
    const wanted = foldName(name);
    for (const one of children.values()) {
      if (shortNameOf(one.name) === wanted) return one;
    }
    return undefined;
  }

  /** The entries along a path; `undefined` where only the last is missing. @throws SmbError OBJECT_PATH_NOT_FOUND */
  #walk(path: NtPath): Link[] | undefined {
    if (path.length > MAXIMUM_DEPTH) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    const links: Link[] = [];
    let at = this.#root;
    for (const name of path) {
      if (at.children === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
      const link = this.#find(at, name);
      if (link === undefined) {
        if (links.length < path.length - 1) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
        return undefined;
      }
      links.push(link);
      at = link.node;
    }
    return links;
  }

  /** Where a name is to be made. @throws SmbError OBJECT_NAME_INVALID, OBJECT_PATH_NOT_FOUND */
  #place(path: NtPath): Place {
    const name = path.at(-1);
    // The root has no name that could be made or taken away.
    if (name === undefined) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    const above = this.#walk(path.slice(0, -1));
    const parent = above === undefined ? undefined : (above.at(-1)?.node ?? this.#root);
    if (parent?.children === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    if (!isValidFileName(name)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    return { parent, name, link: this.#find(parent, name) };
  }

  /** The entry at `path`, which must be one of the file's. @throws SmbError OBJECT_NAME_NOT_FOUND */
  #ownLink(node: MemoryNode, path: NtPath): Link {
    const link = this.#walk(path)?.at(-1);
    if (link === undefined || link.node !== node) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    return link;
  }

  #checkReplace(link: Link, replace: boolean): void {
    if (!replace) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    if (link.node.directory) throw new SmbError(NtStatus.ACCESS_DENIED);
  }

  /** Whether `directory` is `ancestor`, or below it. */
  #isWithin(directory: MemoryNode, ancestor: MemoryNode): boolean {
    for (let at: MemoryNode | undefined = directory; at !== undefined; ) {
      if (at === ancestor) return true;
      const [link]: Iterable<Link> = at.links;
      at = link?.parent;
    }
    return false;
  }

  #attach(parent: MemoryNode, name: string, node: MemoryNode): void {
    this.#state.space.take(RECORD_SIZE);
    parent.attach(name, node);
    parent.modified();
  }

  /** Removes a name; the file goes with its last one, once it is closed. */
  #detach(link: Link): void {
    link.parent.detach(link);
    this.#state.space.take(-RECORD_SIZE);
    const { node } = link;
    if (node.links.size === 0) this.#nodes.delete(node.fileId);
    node.releaseWhenUnused();
  }
}
