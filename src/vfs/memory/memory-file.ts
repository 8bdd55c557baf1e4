// SPDX-License-Identifier: Apache-2.0

import { foldName, isValidStreamName } from "../../nt/names.ts";
import { shortNameOf } from "../../nt/short-name.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { withChanges } from "../extended-attributes.ts";
import type {
  BasicChange,
  DirectoryCursor,
  DirectoryEntry,
  ExtendedAttribute,
  FileStat,
  StreamInfo,
  VolumeFile,
} from "../volume.ts";
import { MemoryStream } from "./memory-stream.ts";
import { checkWritable, type MemoryNode, MemoryStreamNode, RECORD_SIZE } from "./node.ts";
import { StreamData } from "./stream-data.ts";

/** A walk over the names that a directory had when it began. */
class MemoryCursor implements DirectoryCursor {
  readonly #node: MemoryNode;
  #names: readonly string[];
  #position = 0;

  constructor(node: MemoryNode) {
    this.#node = node;
    this.#names = node.sortedNames();
  }

  next(maximum: number, wanted: (name: string) => boolean): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    while (entries.length < maximum && this.#position < this.#names.length) {
      const link = this.#node.children?.get(this.#names[this.#position++] ?? "");
      if (link === undefined || !wanted(link.name)) continue;
      entries.push({ name: link.name, shortName: shortNameOf(link.name), stat: link.node.stat() });
    }
    return entries;
  }

  close(): void {
    this.#names = [];
  }
}

/** An open file or directory of a memory volume. */
export class MemoryFile implements VolumeFile {
  readonly node: MemoryNode;
  #closed = false;

  constructor(node: MemoryNode) {
    this.node = node;
    node.opens++;
  }

  get fileId(): bigint {
    return this.node.fileId;
  }

  get directory(): boolean {
    return this.node.directory;
  }

  stat(): FileStat {
    return this.node.stat();
  }

  setBasic(change: BasicChange): void {
    this.#checkWrite();
    const { node } = this;
    if (change.attributes !== undefined) node.attributes = change.attributes;
    node.creationTime = change.creationTime ?? node.creationTime;
    node.lastAccessTime = change.lastAccessTime ?? node.lastAccessTime;
    node.lastWriteTime = change.lastWriteTime ?? node.lastWriteTime;
    if (change.changeTime === undefined) node.changed();
    else node.changeTime = change.changeTime;
  }

  security(): Buffer {
    return this.node.security;
  }

  setSecurity(descriptor: Buffer): void {
    this.#checkWrite();
    this.node.setSecurity(descriptor);
    this.node.changed();
  }

  extendedAttributes(): readonly ExtendedAttribute[] {
    return this.node.extendedAttributes;
  }

  setExtendedAttributes(attributes: readonly ExtendedAttribute[]): void {
    this.#checkWrite();
    this.node.setExtendedAttributes(withChanges(this.node.extendedAttributes, attributes));
    this.node.changed();
  }

  streams(): readonly StreamInfo[] {
    const streams: StreamInfo[] = [];
    for (const { name, data } of this.node.streams.values()) {
      streams.push({ name, size: data.endOfFile, allocationSize: data.size.allocationSize });
    }
    return streams;
  }

  openStream(name: string): MemoryStream | undefined {
    this.#check();
    const stream = this.node.streams.get(foldName(name));
    return stream === undefined ? undefined : new MemoryStream(this.node, stream);
  }

  createStream(name: string): MemoryStream {
    this.#checkWrite();
    if (this.node.streams.has(foldName(name))) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    if (!isValidStreamName(name)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    this.node.state.space.take(RECORD_SIZE);
    const stream = new MemoryStreamNode(name, new StreamData(this.node.state.space));
    this.node.streams.set(foldName(name), stream);
    this.node.changed();
    return new MemoryStream(this.node, stream);
  }

  removeStream(name: string): void {
    this.#checkWrite();
    if (name === "") throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    this.#drop(this.#stream(name));
    this.node.changed();
  }

  /** A stream may become the default one, and the default one a named one: then an empty one takes its place. */
  renameStream(from: string, to: string, replace: boolean): void {
    this.#checkWrite();
    const stream = this.#stream(from);
    if (to !== "" && !isValidStreamName(to)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    if (to === "" && this.directory) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    const { streams, state } = this.node;
    const taken = streams.get(foldName(to));
    if (taken !== undefined && taken !== stream && !replace) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    if (taken !== undefined && taken !== stream) this.#drop(taken);
    if (from === "" && to !== "") state.space.take(RECORD_SIZE);
    if (from !== "" && to === "") state.space.take(-RECORD_SIZE);
    streams.delete(foldName(stream.name));
    if (from === "" && to !== "") streams.set("", new MemoryStreamNode("", new StreamData(state.space)));
    stream.name = to;
    streams.set(foldName(to), stream);
    this.node.changed();
  }

  readDirectory(): DirectoryCursor {
    this.#check();
    if (!this.directory) throw new SmbError(NtStatus.NOT_A_DIRECTORY);
    return new MemoryCursor(this.node);
  }

  isEmpty(): boolean {
    return this.node.children === undefined || this.node.children.size === 0;
  }

  flush(): void {
    this.#check();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.node.close();
  }

  #stream(name: string): MemoryStreamNode {
    const stream = this.node.streams.get(foldName(name));
    if (stream === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    return stream;
  }

  #drop(stream: MemoryStreamNode): void {
    this.node.streams.delete(foldName(stream.name));
    if (stream.name !== "") this.node.state.space.take(-RECORD_SIZE);
    stream.removed = true;
    stream.releaseWhenUnused();
  }

  #check(): void {
    if (this.#closed) throw new SmbError(NtStatus.FILE_CLOSED);
  }

  #checkWrite(): void {
    this.#check();
    checkWritable(this.node.state);
  }
}
