// SPDX-License-Identifier: Apache-2.0

import { fdatasync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Awaitable } from "../../nt/awaitable.ts";
import type { ChangeWatch } from "../outside-changes.ts";
import type { ByteRange, StreamSize, TellCopied, VolumeStream } from "../volume.ts";
import { cloneNow } from "./clone-now.ts";
import { copyBetween } from "./copy.ts";
import { readFully, writeFully } from "./data-io.ts";
import type { Descriptor } from "./descriptor.ts";
import { check, Errno, errnoError, errnoOf } from "./errno.ts";
import { mustStat } from "./must-stat.ts";
import {
  cloneRange,
  FallocateMode,
  fallocate,
  isUnsupported,
  readCached,
  readNow,
  Seek,
  seek,
  type Transfer,
  truncate,
  truncateOnWorker,
  writeNow,
} from "./native/data.ts";
import type { Statx } from "./native/stat.ts";
import { stampOf } from "./own-changes.ts";
import type { Storage } from "./storage.ts";

/** Bytes that are read from the page cache at a time. */
const WARM_READ = 1024 * 1024;
/** Bytes; shortening a file by more than this goes to a worker. */
const LONG_TRUNCATE = 16 * 1024 * 1024;
/** Milliseconds; the kernel takes file times from a clock that ticks every 10 at most. */
const TIMESTAMP_TICK = 15;
/** Calls for one range of zeros, before its rest is done by one. */
const MAX_ZERO_PIECES = 64;
const SETTLE_TRIES = 10;
const HOLE = FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE;
const ZEROS = Buffer.alloc(256 * 1024);

/** What a data stream needs of its file. */
export interface DataOwner {
  readonly descriptor: Descriptor;
  readonly storage: Storage;
  isSparse(): boolean;
  setSparse(sparse: boolean): void;
  /** The data are about to change: the file gets its ARCHIVE attribute. @throws MEDIA_WRITE_PROTECTED */
  modified(): void;
  /** Runs a change of the data of which nothing else about the file is news; absent where that makes no difference. */
  keeping?<T>(change: () => T): T;
  /** Where a watch on the data is to hear of changes of the file's metadata; absent where nobody relies on the data. */
  watch?(stamp: string): ChangeWatch;
  /** The data are being changed, now or until a promise settles; absent where nobody tells such changes from those of others. */
  touch?(): void;
  touchWhile?<T>(change: Promise<T>): Promise<T>;
}

/** A read that is under way. */
interface Reading {
  readonly fd: number;
  readonly offset: number;
  readonly target: Buffer;
  /** Bytes at the start of the target that have been read. */
  done: number;
}

/** The default data stream of a file. */
export class DataStream implements VolumeStream {
  readonly name = "";
  readonly #owner: DataOwner;
  #marked = false;
  #written = false;
  #open = true;
  /** Changes under way on workers. */
  #changes = 0;
  /** A copy has left room behind the end of the file that nobody asked for. */
  #hasRoomLeft = false;

  constructor(owner: DataOwner) {
    this.#owner = owner;
    owner.descriptor.hold();
  }

  get owner(): DataOwner {
    return this.#owner;
  }

  size(): StreamSize {
    const stat = this.#stat();
    return { endOfFile: stat.size, allocationSize: stat.allocated };
  }

  read(offset: number, target: Buffer): Awaitable<number> {
    const reading = { fd: this.#owner.descriptor.forReading(), offset, target, done: 0 };
    switch (this.#readWarm(reading)) {
      case "over":
        return reading.done;
      case "cold":
        return this.#busy(readFully(reading.fd, offset, target, reading.done));
      case "goes on":
        return this.#busy(this.#readOn(reading));
    }
  }

  /** A long read from the page cache, with a turn for everybody else after each piece. */
  async #readOn(reading: Reading): Promise<number> {
    const { fd, offset, target } = reading;
    for (;;) {
      await new Promise(setImmediate);
      switch (this.#readWarm(reading)) {
        case "over":
          return reading.done;
        case "cold":
          return await readFully(fd, offset, target, reading.done);
      }
    }
  }

  /**
   * Reads the next piece from the page cache: on this thread, which has what it read in the processor's cache when it signs, encrypts
   * and sends it.
   */
  #readWarm(reading: Reading): "over" | "cold" | "goes on" {
    const { storage } = this.#owner;
    const { fd, offset, target } = reading;
    const end = Math.min(target.length, reading.done + WARM_READ);
    while (reading.done < end) {
      if (!storage.readNoWait && !storage.inMemory) return "cold";
      const piece = target.subarray(reading.done, end);
      const at = offset + reading.done;
      const count = storage.inMemory ? readNow(fd, at, piece) : readCached(fd, at, piece);
      if (count === 0) return "over";
      if (count > 0) reading.done += count;
      else if (count === -Errno.EOPNOTSUPP) storage.readNoWait = false;
      else if (count === -Errno.EAGAIN || count === -Errno.EINTR) return "cold";
      else throw errnoError(-count, "read");
    }
    return end === target.length ? "over" : "goes on";
  }

  write(offset: number, data: Buffer): Awaitable<void> {
    const fd = this.#owner.descriptor.forWriting();
    this.#mark();
    if (data.length === 0) return undefined;
    const isFirst = !this.#written;
    this.#written = true;
    const done = this.#owner.storage.mayWriteNow(data.length) ? this.#writeNow(fd, offset, data, isFirst) : 0;
    if (done === data.length) return undefined;
    return this.#changing(writeFully(fd, offset, data, done));
  }

  /** @returns bytes written on this thread */
  #writeNow(fd: number, offset: number, data: Buffer, isFirst: boolean): number {
    // File systems refuse RWF_NOWAIT whenever new blocks are needed: it would cost a call and change nothing.
    const write = () => this.#owner.storage.timed(() => writeNow(fd, offset, data));
    // Small files are written once, and looked at afterwards.
    const count = isFirst ? this.#keeping(write) : write();
    return count === -Errno.EINTR ? 0 : check(count, "write");
  }

  #keeping<T>(change: () => T): T {
    return this.#owner.keeping === undefined ? change() : this.#owner.keeping(change);
  }

  setEndOfFile(size: number): Awaitable<void> {
    const fd = this.#owner.descriptor.forWriting();
    this.#mark();
    if (this.#stat().size - size <= LONG_TRUNCATE) {
      this.#keeping(() => check(truncate(fd, size), "ftruncate"));
      return undefined;
    }
    return this.#changing(truncateOnWorker(fd, size).then((result) => void check(result, "ftruncate")));
  }

  setAllocation(size: number): Awaitable<void> {
    const stat = this.#stat();
    if (size < stat.size) return this.setEndOfFile(size);
    const fd = this.#owner.descriptor.forWriting();
    this.#mark();
    if (stat.allocated >= size) {
      this.#giveRoomBack(fd, stat, size);
      return undefined;
    }
    return this.#changing(
      fallocate(fd, FallocateMode.KEEP_SIZE, 0, size).then((result) => {
        // A file system that cannot reserve grants the space when it is written.
        if (result >= 0 || isUnsupported(result)) return;
        // What was reserved before space ran out is given back.
        truncate(fd, this.#stat().size);
        throw errnoError(-result, "fallocate");
      }),
    );
  }

  setSparse(sparse: boolean): void {
    this.#owner.setSparse(sparse);
  }

  zero(range: ByteRange): Awaitable<void> {
    const end = Math.min(range.offset + range.length, this.#stat().size);
    if (range.offset >= end) return undefined;
    const fd = this.#owner.descriptor.forWriting();
    this.#mark();
    return this.#changing(this.#zero(fd, range.offset, end - range.offset));
  }

  /** Holes are zeros already: only what lies between them is touched, unless it is in too many pieces. */
  async #zero(fd: number, offset: number, length: number): Promise<void> {
    const end = offset + length;
    let position = offset;
    for (let pieces = 0; position < end; pieces++) {
      const data = seek(fd, position, Seek.DATA);
      if (data === -Errno.ENXIO || data >= end) return;
      const hole = data < 0 || pieces === MAX_ZERO_PIECES ? end : Math.min(seek(fd, data, Seek.HOLE), end);
      const start = Math.max(data, position);
      const stop = hole > start ? hole : end;
      await this.#zeroPiece(fd, start, stop - start);
      position = stop;
    }
  }

  async #zeroPiece(fd: number, offset: number, length: number): Promise<void> {
    const mode = this.#owner.isSparse() ? FallocateMode.PUNCH_HOLE : FallocateMode.ZERO_RANGE;
    let result = await fallocate(fd, mode | FallocateMode.KEEP_SIZE, offset, length);
    // There is no room to have zeros allocated, or the file system knows no such zeros: they can do without.
    if (result === -Errno.ENOSPC || isUnsupported(result)) result = await fallocate(fd, HOLE, offset, length);
    if (!isUnsupported(result)) {
      check(result, "fallocate");
      return;
    }
    for (let done = 0; done < length; ) {
      const count = Math.min(ZEROS.length, length - done);
      await writeFully(fd, offset + done, ZEROS.subarray(0, count));
      done += count;
    }
  }

  allocatedRanges(range: ByteRange, maximum: number): readonly ByteRange[] {
    const end = Math.min(range.offset + range.length, this.#stat().size);
    if (range.offset >= end || maximum < 1) return [];
    // A stream that is not sparse has no holes, whatever the file system makes of zeros (MS-FSA 2.1.5.10.22).
    if (!this.#owner.isSparse()) return [{ offset: range.offset, length: end - range.offset }];
    const fd = this.#owner.descriptor.forReading();
    const ranges: ByteRange[] = [];
    for (let offset = range.offset; offset < end && ranges.length < maximum; ) {
      const data = seek(fd, offset, Seek.DATA);
      if (data === -Errno.ENXIO) break;
      if (isUnsupported(data)) return [{ offset: range.offset, length: end - range.offset }];
      if (check(data, "lseek") >= end) break;
      const hole = Math.min(check(seek(fd, data, Seek.HOLE), "lseek"), end);
      ranges.push({ offset: data, length: hole - data });
      offset = hole;
    }
    return ranges;
  }

  isKnownZero(range: ByteRange): boolean {
    const data = seek(this.#owner.descriptor.forReading(), range.offset, Seek.DATA);
    return data === -Errno.ENXIO || data >= range.offset + range.length;
  }

  async watch(): Promise<ChangeWatch | undefined> {
    const stamp = await this.settledStamp();
    return stamp === undefined ? undefined : this.#owner.watch?.(stamp);
  }

  /** Times move in ticks, so that what changed just now might change again unseen. `undefined`: it does not come to rest */
  async settledStamp(): Promise<string | undefined> {
    for (let tries = 0; tries < SETTLE_TRIES; tries++) {
      const stat = this.#stat();
      const age = Date.now() - (stat.changeSeconds * 1000 + stat.changeNanoseconds / 1e6);
      if (age > TIMESTAMP_TICK) return stampOf(stat);
      await sleep(TIMESTAMP_TICK);
    }
    return undefined;
  }

  copyFrom(
    source: VolumeStream,
    sourceOffset: number,
    offset: number,
    length: number,
    tell?: TellCopied,
  ): Awaitable<number> | undefined {
    // An alternate stream in an attribute: the caller reads and writes.
    if (!(source instanceof DataStream)) return undefined;
    if (this.#owner.storage.clones) {
      const count = Math.min(length, source.#stat().size - sourceOffset);
      if (count > 0 && this.#shareNow(source, sourceOffset, offset, count) === 0) {
        tell?.("kernel", count);
        return count;
      }
    }
    const roomLeft = () => {
      this.#hasRoomLeft = true;
    };
    const options = { sparse: this.#owner.isSparse(), roomLeft: this.#owner.storage.reserves ? roomLeft : undefined };
    return this.#transferFrom(source, sourceOffset, offset, length, async (transfer) => {
      const bytes = await copyBetween(transfer, options);
      tell?.("kernel", bytes);
      return bytes;
    });
  }

  /** FICLONERANGE from another file. Answers 0 or a negated error number. */
  shareFrom(source: DataStream, sourceOffset: number, offset: number, length: number): Awaitable<number> {
    return (
      this.#shareNow(source, sourceOffset, offset, length) ??
      this.#transferFrom(source, sourceOffset, offset, length, cloneRange)
    );
  }

  /** @returns 0 or a negated error number; `undefined`: not tried */
  #shareNow(from: DataStream, sourceOffset: number, offset: number, length: number): number | undefined {
    const source = from.owner.descriptor.forReading();
    const target = this.#owner.descriptor.forWriting();
    this.#mark();
    return cloneNow({ source, sourceOffset, target, offset, length }, this.#owner.storage);
  }

  /** Both files stay open while data go from one to the other. */
  #transferFrom(
    from: DataStream,
    sourceOffset: number,
    offset: number,
    length: number,
    carryOut: (transfer: Transfer) => Promise<number>,
  ): Promise<number> {
    const { descriptor } = from.owner;
    const source = descriptor.forReading();
    const target = this.#owner.descriptor.forWriting();
    this.#mark();
    descriptor.hold();
    const done = carryOut({ source, sourceOffset, target, offset, length });
    return this.#changing(done.finally(() => descriptor.release()));
  }

  flush(): Promise<void> {
    const fd = this.#owner.descriptor.forReading();
    return this.#busy(
      new Promise<void>((resolve, reject) => {
        fdatasync(fd, (error) => {
          if (error === null) return resolve();
          const errno = errnoOf(error);
          reject(errno === undefined ? error : errnoError(errno, "fdatasync"));
        });
      }),
    );
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#owner.descriptor.release();
  }

  #stat(): Statx {
    return mustStat(this.#owner.descriptor.handle);
  }

  #mark(): void {
    this.#owner.touch?.();
    if (this.#marked) return;
    this.#owner.modified();
    this.#marked = true;
  }

  #changing<T>(call: Promise<T>): Promise<T> {
    this.#changes++;
    const busy = this.#busy(call.finally(() => this.#changed()));
    return this.#owner.touchWhile?.(busy) ?? busy;
  }

  #changed(): void {
    this.#changes--;
    // A write under way may be about to make the file longer: that must not be cut.
    if (!this.#hasRoomLeft || this.#changes > 0) return;
    this.#hasRoomLeft = false;
    const stat = this.#stat();
    this.#giveRoomBack(this.#owner.descriptor.forWriting(), stat, stat.size);
  }

  /** Gives back what is reserved behind the end of the file, where more is allocated than `wanted` bytes need. */
  #giveRoomBack(fd: number, { size, allocated }: Statx, wanted: number): void {
    const unit = this.#owner.storage.blockSize;
    // Setting the size that it has does that.
    if (allocated > Math.ceil(wanted / unit) * unit) check(truncate(fd, size), "ftruncate");
  }

  /** Keeps the descriptors open until a call that is under way has ended. */
  #busy<T>(call: Promise<T>): Promise<T> {
    const { descriptor } = this.#owner;
    descriptor.hold();
    return call.finally(() => descriptor.release());
  }
}
