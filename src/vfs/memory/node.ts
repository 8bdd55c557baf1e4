// SPDX-License-Identifier: Apache-2.0

import { FileAttribute, SETTABLE_ATTRIBUTES } from "../../nt/attributes.ts";
import type { FileTime } from "../../nt/filetime.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { listSize } from "../extended-attributes.ts";
import type { ExtendedAttribute, FileStat } from "../volume.ts";
import type { Space } from "./space.ts";
import { StreamData } from "./stream-data.ts";

/** Bytes that a file, a name and a stream count for beside their data. */
export const RECORD_SIZE = 1024;

/** What the parts of one volume share. */
export interface VolumeState {
  readonly space: Space;
  readonly clock: () => FileTime;
  /** Set once the volume has been filled. */
  readOnly: boolean;
  readonly defaultSecurity: Buffer;
  readonly maximumFileSize: number;
}

/** One name of a file (MS-FSA 2.1.1.5). */
export interface Link {
  readonly parent: MemoryNode;
  readonly name: string;
  readonly node: MemoryNode;
}

/** One stream; it lives on, unnamed, for those who have it open. */
export class MemoryStreamNode {
  name: string;
  readonly data: StreamData;
  removed = false;
  opens = 0;

  constructor(name: string, data: StreamData) {
    this.name = name;
    this.data = data;
  }

  close(): void {
    this.opens--;
    this.releaseWhenUnused();
  }

  releaseWhenUnused(): void {
    if (this.removed && this.opens === 0) this.data.release();
  }
}

/** A file or directory. */
export class MemoryNode {
  readonly fileId: bigint;
  readonly state: VolumeState;
  /** Entries by folded name; `undefined` for a file. */
  readonly children: Map<string, Link> | undefined;
  readonly links = new Set<Link>();
  /** By folded name; `""` is the default data stream. */
  readonly streams = new Map<string, MemoryStreamNode>();
  opens = 0;
  creationTime: FileTime;
  lastAccessTime: FileTime;
  lastWriteTime: FileTime;
  changeTime: FileTime;
  #attributes = 0;
  #security: Buffer | undefined;
  #extendedAttributes: readonly ExtendedAttribute[] = [];
  #eaSize = 0;
  #sortedNames: readonly string[] | undefined;
  /** The root lives without a name. */
  readonly #isRoot: boolean;

  /** Counts for one record, which the caller has taken. */
  constructor(state: VolumeState, fileId: bigint, directory: boolean, isRoot: boolean) {
    const now = state.clock();
    this.state = state;
    this.fileId = fileId;
    this.children = directory ? new Map() : undefined;
    this.creationTime = now;
    this.lastAccessTime = now;
    this.lastWriteTime = now;
    this.changeTime = now;
    this.#isRoot = isRoot;
    if (!directory) this.streams.set("", new MemoryStreamNode("", new StreamData(state.space)));
  }

  get directory(): boolean {
    return this.children !== undefined;
  }

  /** The default data stream of a file. */
  get data(): StreamData | undefined {
    return this.streams.get("")?.data;
  }

  get attributes(): number {
    let attributes = this.#attributes;
    if (this.directory) attributes |= FileAttribute.DIRECTORY;
    for (const stream of this.streams.values()) {
      if (stream.data.sparse) attributes |= FileAttribute.SPARSE_FILE;
    }
    return attributes;
  }

  set attributes(attributes: number) {
    this.#attributes = attributes & SETTABLE_ATTRIBUTES;
  }

  get security(): Buffer {
    return this.#security ?? this.state.defaultSecurity;
  }

  /** Stores a copy. @throws SmbError DISK_FULL */
  setSecurity(descriptor: Buffer): void {
    this.state.space.take(descriptor.length - (this.#security?.length ?? 0));
    this.#security = Buffer.from(descriptor);
  }

  get extendedAttributes(): readonly ExtendedAttribute[] {
    return this.#extendedAttributes;
  }

  /** @throws SmbError DISK_FULL */
  setExtendedAttributes(attributes: readonly ExtendedAttribute[]): void {
    const size = listSize(attributes);
    this.state.space.take(size - this.#eaSize);
    this.#extendedAttributes = attributes;
    this.#eaSize = size;
  }

  stat(): FileStat {
    const size = this.data?.size;
    return {
      fileId: this.fileId,
      directory: this.directory,
      attributes: this.attributes,
      creationTime: this.creationTime,
      lastAccessTime: this.lastAccessTime,
      lastWriteTime: this.lastWriteTime,
      changeTime: this.changeTime,
      endOfFile: size?.endOfFile ?? 0,
      allocationSize: size?.allocationSize ?? 0,
      links: this.#isRoot ? 1 : this.links.size,
      eaSize: this.#eaSize,
      reparseTag: 0,
    };
  }

  /** Data, or the entries of a directory, have changed. */
  modified(): void {
    const now = this.state.clock();
    this.lastWriteTime = now;
    this.changeTime = now;
  }

  /** Something about the file has changed that is not its data. */
  changed(): void {
    this.changeTime = this.state.clock();
  }

  /** Entries in the order of their folded names, as NTFS lists them: a list that no later change touches. */
  sortedNames(): readonly string[] {
    this.#sortedNames ??= [...(this.children?.keys() ?? [])].sort();
    return this.#sortedNames;
  }

  /** Adds a name; it is free, and its record has been taken. */
  attach(name: string, node: MemoryNode): void {
    const link: Link = { parent: this, name, node };
    this.children?.set(foldName(name), link);
    node.links.add(link);
    this.#sortedNames = undefined;
  }

  /** Removes a name of another file, and the file with its last one. */
  detach(link: Link): void {
    this.children?.delete(foldName(link.name));
    link.node.links.delete(link);
    this.#sortedNames = undefined;
  }

  close(): void {
    this.opens--;
    this.releaseWhenUnused();
  }

  /** Gives back everything where neither a name nor an open is left. */
  releaseWhenUnused(): void {
    if (this.#isRoot || this.links.size > 0 || this.opens > 0) return;
    const streams = [...this.streams.values()];
    this.streams.clear();
    for (const stream of streams) {
      stream.removed = true;
      stream.releaseWhenUnused();
    }
    const records = 1 + streams.filter((stream) => stream.name !== "").length;
    this.state.space.take(-(records * RECORD_SIZE + this.#eaSize + (this.#security?.length ?? 0)));
    this.#eaSize = 0;
    this.#extendedAttributes = [];
    this.#security = undefined;
  }
}

/** @throws SmbError MEDIA_WRITE_PROTECTED */
export function checkWritable(state: VolumeState): void {
  if (state.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
}
