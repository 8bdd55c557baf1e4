// SPDX-License-Identifier: Apache-2.0

import { SETTABLE_ATTRIBUTES } from "../../nt/attributes.ts";
import { isValidStreamName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { withChanges } from "../extended-attributes.ts";
import type { BasicChange, DirectoryCursor, ExtendedAttribute, FileStat, StreamInfo, VolumeFile } from "../volume.ts";
import { ArrayStream } from "./array-stream.ts";
import type { NodeRecord } from "./catalogue.ts";
import { ArrayDirectoryCursor } from "./directory-cursor.ts";
import type { Node } from "./node.ts";
import type { Change } from "./store.ts";
import { StreamData } from "./stream-data.ts";

/** An open file or directory of an array volume. */
export class ArrayFile implements VolumeFile {
  readonly node: Node;
  #closed = false;

  constructor(node: Node) {
    this.node = node;
    node.open();
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

  async setBasic(change: BasicChange): Promise<void> {
    this.#checkWrite();
    const { record, context } = this.node;
    await this.#change({
      attributes: change.attributes === undefined ? record.attributes : change.attributes & SETTABLE_ATTRIBUTES,
      creationTime: change.creationTime ?? record.creationTime,
      lastAccessTime: change.lastAccessTime ?? record.lastAccessTime,
      lastWriteTime: change.lastWriteTime ?? record.lastWriteTime,
      changeTime: change.changeTime ?? context.clock(),
    });
  }

  security(): Buffer {
    return this.node.record.security ?? this.node.context.defaultSecurity;
  }

  async setSecurity(descriptor: Buffer): Promise<void> {
    this.#checkWrite();
    await this.#change({ security: Buffer.from(descriptor) });
  }

  extendedAttributes(): readonly ExtendedAttribute[] {
    return this.node.record.extendedAttributes;
  }

  async setExtendedAttributes(attributes: readonly ExtendedAttribute[]): Promise<void> {
    this.#checkWrite();
    const extendedAttributes = withChanges(this.node.record.extendedAttributes, attributes);
    await this.#change({ extendedAttributes });
  }

  streams(): readonly StreamInfo[] {
    return this.node.record.streams.map(({ name, endOfFile, allocated }) => ({
      name,
      size: endOfFile,
      allocationSize: allocated,
    }));
  }

  openStream(name: string): ArrayStream | undefined {
    this.#check();
    const stream = this.node.stream(name);
    return stream === undefined ? undefined : new ArrayStream(stream);
  }

  async createStream(name: string): Promise<ArrayStream> {
    this.#checkWrite();
    const { node } = this;
    if (node.stream(name) !== undefined) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    if (!isValidStreamName(name)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    if (node.context.wholeLuns) throw new SmbError(NtStatus.ACCESS_DENIED);
    const changes: Change[] = [];
    const stream = new ArrayStream(this.#newStream(name, changes));
    await this.#change({ streams: node.streamRecords() }, changes);
    return stream;
  }

  async removeStream(name: string): Promise<void> {
    this.#checkWrite();
    if (name === "") throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    const changes: Change[] = [];
    const stream = this.#stream(name);
    this.#drop(stream, changes);
    await this.#change({ streams: this.node.streamRecords() }, changes);
    await stream.remove();
  }

  /** A stream may become the default one, and the default one a named one: then an empty one takes its place. */
  async renameStream(from: string, to: string, replace: boolean): Promise<void> {
    this.#checkWrite();
    const { node } = this;
    const stream = this.#stream(from);
    if (to === "" ? this.directory : !isValidStreamName(to)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    if (node.context.wholeLuns) throw new SmbError(NtStatus.ACCESS_DENIED);
    const taken = node.stream(to);
    const replaced = taken === stream ? undefined : taken;
    if (replaced !== undefined && !replace) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    const changes: Change[] = [];
    if (replaced !== undefined) this.#drop(replaced, changes);
    node.dropStream(stream);
    stream.rename(to);
    node.addStream(stream);
    if (from === "" && to !== "") this.#newStream("", changes);
    await this.#change({ streams: node.streamRecords() }, changes);
    await replaced?.remove();
  }

  readDirectory(): DirectoryCursor {
    this.#check();
    if (!this.directory) throw new SmbError(NtStatus.NOT_A_DIRECTORY);
    return new ArrayDirectoryCursor(this.node.context, this.fileId);
  }

  isEmpty(): boolean {
    return !this.directory || this.node.context.catalogue.entries(this.fileId, undefined, 1).length === 0;
  }

  async flush(): Promise<void> {
    this.#check();
    await this.node.storeTimes();
    await this.node.context.flush();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.node.close();
  }

  #stream(name: string): StreamData {
    const stream = this.node.stream(name);
    if (stream === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    return stream;
  }

  #newStream(name: string, changes: Change[]): StreamData {
    const { node } = this;
    const id = node.context.catalogue.newId(changes);
    const stream = new StreamData(node, { id, name, endOfFile: 0, allocated: 0, sparse: false });
    node.addStream(stream);
    return stream;
  }

  #drop(stream: StreamData, changes: Change[]): void {
    this.node.dropStream(stream);
    changes.push(this.node.context.catalogue.setRemoved("stream", stream.id, true));
  }

  async #change(change: Partial<NodeRecord>, others: readonly Change[] = []): Promise<void> {
    await this.node.context.commit([...others, this.node.changed(change)]);
  }

  #check(): void {
    if (this.#closed) throw new SmbError(NtStatus.FILE_CLOSED);
  }

  #checkWrite(): void {
    this.#check();
    this.node.context.checkWritable();
  }
}
