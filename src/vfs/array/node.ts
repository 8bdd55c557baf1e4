// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../nt/attributes.ts";
import type { FileTime } from "../../nt/filetime.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { listSize } from "../extended-attributes.ts";
import type { FileStat } from "../volume.ts";
import type { NodeRecord, StreamRecord } from "./catalogue.ts";
import type { ArrayContext } from "./context.ts";
import type { Change } from "./store.ts";
import { StreamData } from "./stream-data.ts";

/** 100 ns; how old the times of a file may become in the catalogue while its data are written in place. */
const TIME_LAG = 10_000_000n;

/** Attributes and sizes as a record tells them. */
export function statOf(fileId: bigint, record: NodeRecord, isRoot: boolean): FileStat {
  const data = record.directory ? undefined : record.streams.find((stream) => stream.name === "");
  let attributes = record.attributes;
  if (record.directory) attributes |= FileAttribute.DIRECTORY;
  if (record.streams.some((stream) => stream.sparse)) attributes |= FileAttribute.SPARSE_FILE;
  return {
    fileId,
    directory: record.directory,
    attributes,
    creationTime: record.creationTime,
    lastAccessTime: record.lastAccessTime,
    lastWriteTime: record.lastWriteTime,
    changeTime: record.changeTime,
    endOfFile: data?.endOfFile ?? 0,
    allocationSize: data?.allocated ?? 0,
    links: isRoot ? 1 : record.links.length,
    eaSize: listSize(record.extendedAttributes),
    reparseTag: 0,
  };
}

/** A file or directory that somebody has open. Its record is always the present one, and replaced as a whole. */
export class Node {
  readonly context: ArrayContext;
  readonly fileId: bigint;
  readonly isRoot: boolean;
  #record: NodeRecord;
  readonly #streams = new Map<string, StreamData>();
  #opens = 0;
  /** The catalogue holds older times. */
  #timesBehind = false;
  #storedAt: FileTime;

  constructor(context: ArrayContext, fileId: bigint, record: NodeRecord, isRoot: boolean) {
    this.context = context;
    this.fileId = fileId;
    this.#record = record;
    this.isRoot = isRoot;
    this.#storedAt = record.changeTime;
    for (const stream of record.streams) this.#streams.set(foldName(stream.name), new StreamData(this, stream));
  }

  get record(): NodeRecord {
    return this.#record;
  }

  get directory(): boolean {
    return this.#record.directory;
  }

  get streams(): Iterable<StreamData> {
    return this.#streams.values();
  }

  stat(): FileStat {
    return statOf(this.fileId, this.#record, this.isRoot);
  }

  stream(name: string): StreamData | undefined {
    return this.#streams.get(foldName(name));
  }

  /** Changes the record, for who stores it together with what belongs to it. */
  changed(change: Partial<NodeRecord>): Change {
    this.#record = { ...this.#record, changeTime: this.context.clock(), ...change };
    return this.#stored();
  }

  /** Data, or the entries of a directory, are other ones now. */
  modified(change: Partial<NodeRecord> = {}): Change {
    return this.changed({ lastWriteTime: this.context.clock(), ...change });
  }

  /** Data have been written in place: only times have changed, which are stored now and then, and on closing. */
  touched(): void {
    const now = this.context.clock();
    this.#record = { ...this.#record, lastWriteTime: now, changeTime: now };
    this.#timesBehind = true;
    if (now - this.#storedAt > TIME_LAG) this.context.commitLater([this.#stored()]);
  }

  /** The records of the streams that have a name, for {@link changed}. */
  streamRecords(): StreamRecord[] {
    return [...this.#streams.values()].map((stream) => stream.record);
  }

  addStream(stream: StreamData): void {
    this.#streams.set(foldName(stream.record.name), stream);
  }

  /** Takes the name from a stream; it lives on for those who have it open. */
  dropStream(stream: StreamData): void {
    this.#streams.delete(foldName(stream.record.name));
  }

  checkOpen(): void {
    if (this.#opens === 0) throw new SmbError(NtStatus.FILE_CLOSED);
  }

  open(): void {
    this.#opens++;
    this.context.nodes.set(this.fileId, this);
  }

  async close(): Promise<void> {
    this.#opens--;
    if (this.#opens > 0) return;
    this.context.nodes.delete(this.fileId);
    if (!this.isRoot && this.#record.links.length === 0) await this.#remove();
    else await this.storeTimes();
  }

  async storeTimes(): Promise<void> {
    if (this.#timesBehind) await this.context.commit([this.#stored()]);
  }

  #stored(): Change {
    this.#timesBehind = false;
    this.#storedAt = this.context.clock();
    return this.context.catalogue.setNode(this.fileId, this.#record);
  }

  async #remove(): Promise<void> {
    const { catalogue } = this.context;
    const changes = [catalogue.setNode(this.fileId, undefined), catalogue.setRemoved("file", this.fileId, false)];
    const freed = [];
    for (const stream of this.#streams.values()) {
      const extents = stream.takeAll();
      changes.push(...catalogue.setExtents(stream.id, extents));
      freed.push(...extents.freed);
    }
    await this.context.commit(changes, freed);
  }
}
