// SPDX-License-Identifier: Apache-2.0

import type { ByteRange, StreamSize } from "../volume.ts";
import type { Piece } from "./allocator.ts";
import type { StreamRecord } from "./catalogue.ts";
import { clip, type Extent, type ExtentChange, ExtentMap } from "./extent-map.ts";
import { fateOf, type Lun } from "./lun.ts";
import type { Node } from "./node.ts";
import { RangeLock } from "./range-lock.ts";

/** Room that is to be written. */
export interface Room {
  /** Whole units without data, in order. */
  readonly fresh: readonly Extent[];
  /** Those of them that were not the stream's before. */
  readonly taken: readonly Extent[];
}

const EVERYTHING: ByteRange = { offset: 0, length: Number.MAX_SAFE_INTEGER };

/**
 * The bytes of one stream, on the LUNs. What is beyond the end of file inside of a written allocation unit is zero.
 *
 * Every change puts the data on the LUN first and then, in one transaction, what makes them part of the stream: a crash in
 * between leaves the stream as it was, and the room free.
 */
export class StreamData {
  readonly id: bigint;
  readonly node: Node;
  readonly lock = new RangeLock();
  #record: StreamRecord;
  #map: ExtentMap | undefined;
  /** What writes at work bring. */
  readonly #arriving = new Set<ByteRange>();
  #changes = 0;
  #opens = 0;
  #removed = false;

  constructor(node: Node, record: StreamRecord) {
    this.node = node;
    this.id = record.id;
    this.#record = record;
  }

  get record(): StreamRecord {
    return this.#record;
  }

  get endOfFile(): number {
    return this.#record.endOfFile;
  }

  get size(): StreamSize {
    return { endOfFile: this.#record.endOfFile, allocationSize: this.#record.allocated };
  }

  /** Counts the changes of the data. */
  get changes(): number {
    return this.#changes;
  }

  /** Read from the catalogue when it is needed first. */
  get extents(): ExtentMap {
    this.#map ??= new ExtentMap(this.#context.catalogue.extents(this.id));
    return this.#map;
  }

  get #context() {
    return this.node.context;
  }

  /** An allocation unit's worth of bytes around a range. */
  aligned({ offset, length }: ByteRange): ByteRange {
    const { unit } = this.#context;
    const start = Math.floor(offset / unit) * unit;
    return { offset: start, length: Math.ceil((offset + length) / unit) * unit - start };
  }

  async read(offset: number, target: Buffer): Promise<number> {
    return await this.lock.run({ offset, length: target.length }, false, async () => {
      const count = Math.max(0, Math.min(target.length, this.#record.endOfFile - offset));
      const wanted = target.subarray(0, count);
      const range = { offset, length: count };
      for (const hole of this.extents.holes(range)) fillZeros(wanted, offset, hole);
      const reads: Promise<void>[] = [];
      for (const extent of this.extents.within(range)) {
        if (extent.written) {
          const at = extent.offset - offset;
          reads.push(this.#lun(extent).read(extent.start, wanted.subarray(at, at + extent.length)));
        } else fillZeros(wanted, offset, extent);
      }
      await allOf(reads);
      return count;
    });
  }

  /** @throws SmbError DISK_FULL: nothing is written; IO_DEVICE_ERROR: part of it may be, where there were data before */
  async write(offset: number, data: Buffer): Promise<void> {
    if (data.length === 0) return;
    const { endOfFile, sparse } = this.#record;
    // What a file that is not sparse skips is its own, too; what writes at work will bring is not skipped.
    if (offset > endOfFile && !sparse && !this.#isArriving(endOfFile, offset)) await this.setEndOfFile(offset);
    const arriving = { offset, length: data.length };
    this.#arriving.add(arriving);
    try {
      await this.#writeHeld(offset, data);
    } finally {
      this.#arriving.delete(arriving);
    }
  }

  async #writeHeld(offset: number, data: Buffer): Promise<void> {
    const whole = this.aligned({ offset, length: data.length });
    await this.lock.run(whole, true, async () => {
      const { fresh, taken } = await this.roomFor(whole);
      try {
        await allOf([...this.#overwrites(offset, data), ...this.#firstWrites(fresh, offset, data)]);
      } catch (error) {
        this.abandon(taken, error);
        throw error;
      }
      await this.becomeWritten(fresh, offset + data.length);
    });
  }

  /** Whether writes at work cover a range: pieces of a file that come one behind the other need not wait for each other. */
  #isArriving(from: number, to: number): boolean {
    let covered = from;
    for (const { offset, length } of [...this.#arriving].sort((a, b) => a.offset - b.offset)) {
      if (offset <= covered) covered = Math.max(covered, offset + length);
    }
    return covered >= to;
  }

  /**
   * Room for everything in a range of whole units that has no data yet: to be written whole, and then given to
   * {@link becomeWritten}, or what was taken for it to {@link abandon}.
   * @throws SmbError DISK_FULL
   */
  async roomFor(range: ByteRange): Promise<Room> {
    const fresh: Extent[] = [];
    for (const extent of this.extents.within(range)) if (!extent.written) fresh.push({ ...extent, written: true });
    const taken = await this.#takeHoles(range);
    return { fresh: [...fresh, ...taken].sort((a, b) => a.offset - b.offset), taken };
  }

  /** Takes room for the holes in a range; it is the stream's only once it is in the map. @throws SmbError DISK_FULL */
  async #takeHoles(range: ByteRange): Promise<Extent[]> {
    const taken: Extent[] = [];
    let near = this.extents.near(range.offset);
    try {
      for (const hole of this.extents.holes(range)) {
        let { offset } = hole;
        for (const piece of await this.#context.take(hole.length, near)) {
          taken.push({ ...piece, offset, written: true });
          offset += piece.length;
          near = { lun: piece.lun, start: piece.start + piece.length };
        }
      }
    } catch (error) {
      this.#context.giveBack(taken);
      throw error;
    }
    return taken;
  }

  /** Where the bytes of a range go that is about to be written: what holds data already, and the new room. */
  placesOf({ offset, length }: ByteRange, fresh: readonly Extent[]): Extent[] {
    const places = [...this.extents.within({ offset, length })].filter((extent) => extent.written);
    for (const extent of fresh) places.push(clip(extent, offset, offset + length));
    return places.filter((extent) => extent.length > 0).sort((a, b) => a.offset - b.offset);
  }

  /** Zeros what new room has around a range that somebody else writes. */
  async clearAround({ offset, length }: ByteRange, fresh: readonly Extent[]): Promise<void> {
    const parts = fresh.flatMap((extent) => [
      clip(extent, extent.offset, offset),
      clip(extent, offset + length, extent.offset + extent.length),
    ]);
    await allOf(
      parts.filter((part) => part.length > 0).map((part) => this.#lun(part).writeZeros(part.start, part.length)),
    );
  }

  *#overwrites(offset: number, data: Buffer): Generator<Promise<void>> {
    for (const extent of this.extents.within({ offset, length: data.length })) {
      if (!extent.written) continue;
      const at = extent.offset - offset;
      yield this.#lun(extent).write(extent.start, [data.subarray(at, at + extent.length)]);
    }
  }

  /** Whole units, with zeros around the data. */
  *#firstWrites(extents: readonly Extent[], offset: number, data: Buffer): Generator<Promise<void>> {
    const end = offset + data.length;
    for (const extent of extents) {
      const from = Math.max(offset, extent.offset);
      const to = Math.min(end, extent.offset + extent.length);
      const parts: Buffer[] = [];
      if (from > extent.offset) parts.push(Buffer.alloc(from - extent.offset));
      parts.push(data.subarray(from - offset, to - offset));
      if (to < extent.offset + extent.length) parts.push(Buffer.alloc(extent.offset + extent.length - to));
      yield this.#lun(extent).write(extent.start, parts);
    }
  }

  /** Makes extents whose data are on the LUN part of the stream, which reaches to `end` at least. */
  async becomeWritten(extents: readonly Extent[], end: number): Promise<void> {
    this.#changes++;
    if (extents.length === 0 && end <= this.#record.endOfFile) {
      this.node.touched();
      return;
    }
    const changes = extents.map((extent) => this.extents.replace(extent, [extent]));
    await this.#store(changes, { endOfFile: Math.max(end, this.#record.endOfFile) });
  }

  /** Gives room back that a failed write may still be writing to, once it no longer does. */
  abandon(taken: readonly Piece[], error: unknown): void {
    this.#changes++;
    const fate = fateOf(error);
    if (fate === undefined) this.#context.giveBack(taken);
    else fate.then(() => this.#context.giveBack(taken));
  }

  /** @throws SmbError DISK_FULL */
  async setEndOfFile(size: number): Promise<void> {
    await this.lock.run(EVERYTHING, true, async () => {
      const { endOfFile, sparse } = this.#record;
      if (size < endOfFile) await this.#cut(size);
      else if (size > endOfFile) await this.#extend(size, sparse);
    });
  }

  async #cut(size: number): Promise<void> {
    const { offset: kept } = this.aligned({ offset: size, length: 0 });
    const beyond = size > kept ? kept + this.#context.unit : kept;
    await this.#zeroWritten({ offset: size, length: beyond - size });
    this.#changes++;
    await this.#store([this.extents.replace(rangeFrom(beyond), [])], { endOfFile: size });
  }

  async #extend(size: number, sparse: boolean): Promise<void> {
    this.#changes++;
    const reserved = sparse ? [] : await this.#reserve(this.aligned({ offset: 0, length: size }));
    await this.#store(reserved, { endOfFile: size });
  }

  /** Room for the holes of a range, which go on reading as zeros. */
  async #reserve(range: ByteRange): Promise<ExtentChange[]> {
    const taken = await this.#takeHoles(range);
    return taken.map((extent) => this.extents.replace(extent, [{ ...extent, written: false }]));
  }

  /** @throws SmbError DISK_FULL */
  async setAllocation(size: number): Promise<void> {
    if (size < this.#record.endOfFile) return await this.setEndOfFile(size);
    await this.lock.run(EVERYTHING, true, async () => {
      const { length } = this.aligned({ offset: 0, length: size });
      const reserved = await this.#reserve({ offset: 0, length });
      await this.#store([...reserved, this.extents.replace(rangeFrom(length), [])], {});
    });
  }

  /** @throws SmbError DISK_FULL: there is no room for the holes */
  async setSparse(sparse: boolean): Promise<void> {
    await this.lock.run(EVERYTHING, true, async () => {
      if (sparse === this.#record.sparse) return;
      const whole = this.aligned({ offset: 0, length: this.#record.endOfFile });
      await this.#store(sparse ? [] : await this.#reserve(whole), { sparse });
    });
  }

  async zero(range: ByteRange): Promise<void> {
    const { unit } = this.#context;
    await this.lock.run(this.aligned(range), true, async () => {
      const { endOfFile, sparse } = this.#record;
      const end = Math.min(range.offset + range.length, endOfFile);
      if (range.offset >= end) return;
      const first = Math.ceil(range.offset / unit) * unit;
      // What follows the end of file is zero, and goes with it.
      const last = (end === endOfFile ? Math.ceil(end / unit) : Math.floor(end / unit)) * unit;
      if (first >= last) {
        await this.#zeroWritten({ offset: range.offset, length: end - range.offset });
      } else {
        await this.#zeroWritten({ offset: range.offset, length: first - range.offset });
        await this.#zeroWritten({ offset: last, length: Math.max(0, end - last) });
      }
      this.#changes++;
      const changes: ExtentChange[] = [];
      if (first < last) {
        const inner = { offset: first, length: last - first };
        const kept = sparse ? [] : [...this.extents.within(inner)].map((extent) => ({ ...extent, written: false }));
        changes.push(this.extents.replace(inner, kept));
      }
      await this.#store(changes, {});
    });
  }

  /** Zeros a range that is not made of whole units: on the LUN, where it holds data. */
  async #zeroWritten(range: ByteRange): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const extent of this.extents.within(range)) {
      if (extent.written) writes.push(this.#lun(extent).writeZeros(extent.start, extent.length));
    }
    await allOf(writes);
  }

  allocatedRanges({ offset, length }: ByteRange, maximum: number): ByteRange[] {
    const end = Math.min(offset + length, this.#record.endOfFile);
    if (offset >= end || maximum <= 0) return [];
    if (!this.#record.sparse) return [{ offset, length: end - offset }];
    return this.extents.writtenRanges({ offset, length: end - offset }, maximum);
  }

  /** Empties the map for good. */
  takeAll(): ExtentChange {
    return this.extents.replace(EVERYTHING, []);
  }

  rename(name: string): void {
    this.#record = { ...this.#record, name };
  }

  open(): void {
    this.#opens++;
  }

  get isOpen(): boolean {
    return this.#opens > 0;
  }

  /** The name is gone: the data go when nobody has the stream open. */
  async remove(): Promise<void> {
    this.#removed = true;
    if (this.#opens === 0) await this.#giveUp();
  }

  async close(): Promise<void> {
    this.#opens--;
    if (this.#removed && this.#opens === 0) await this.#giveUp();
  }

  async #giveUp(): Promise<void> {
    const { catalogue } = this.#context;
    const extents = this.takeAll();
    const changes = [...catalogue.setExtents(this.id, extents), catalogue.setRemoved("stream", this.id, false)];
    await this.#context.commit(changes, extents.freed);
  }

  /** Stores changes of the map, and of the stream's and the file's record with them. */
  async #store(changes: readonly ExtentChange[], change: Partial<StreamRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change, allocated: this.extents.allocated };
    const { catalogue } = this.#context;
    await this.#context.commit(
      [
        ...changes.flatMap((one) => catalogue.setExtents(this.id, one)),
        this.node.modified({ streams: this.node.streamRecords() }),
      ],
      changes.flatMap((one) => one.freed),
    );
  }

  #lun(piece: Piece): Lun {
    return this.#context.lunOf(piece);
  }
}

function rangeFrom(offset: number): ByteRange {
  return { offset, length: Number.MAX_SAFE_INTEGER - offset };
}

function fillZeros(target: Buffer, offset: number, range: ByteRange): void {
  target.fill(0, range.offset - offset, range.offset - offset + range.length);
}

/** Waits for all, because their buffers are in use until the last has ended. @throws the first error */
async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  if (promises.length === 1) return await promises[0];
  for (const result of await Promise.allSettled(promises)) if (result.status === "rejected") throw result.reason;
}
