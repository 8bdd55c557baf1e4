// SPDX-License-Identifier: Apache-2.0

import type { ByteRange, StreamSize } from "../volume.ts";
import type { Space } from "./space.ts";

/** Bytes in the largest page; a page is as long as its part in use, so that a small file takes little. */
export const PAGE_SIZE = 65_536;
/** Bytes; pages grow by whole units, and sizes are accounted in them. */
export const ALLOCATION_UNIT = 4096;
/** Bytes moved at a time by a copy. */
const COPY_SIZE = 1024 * 1024;

function toUnit(bytes: number): number {
  return Math.ceil(bytes / ALLOCATION_UNIT) * ALLOCATION_UNIT;
}

/** Pages that more than one stream has: they are copied before they are written. */
const shared = new WeakSet<Buffer>();

/**
 * The bytes of one stream, in pages that exist where something was written. What no page holds is zero. Nothing but
 * zeros is ever kept beyond the end of file.
 */
export class StreamData {
  readonly #space: Space;
  readonly #pages = new Map<number, Buffer>();
  #endOfFile = 0;
  /** Bytes reserved by setAllocation. */
  #reserved = 0;
  /** Bytes in all pages. */
  #paged = 0;
  /** Bytes taken from the volume. */
  #taken = 0;
  #sparse = false;
  #changes = 0;

  constructor(space: Space) {
    this.#space = space;
  }

  get endOfFile(): number {
    return this.#endOfFile;
  }

  get sparse(): boolean {
    return this.#sparse;
  }

  get size(): StreamSize {
    return { endOfFile: this.#endOfFile, allocationSize: this.#taken };
  }

  /** Counts the changes of the data. */
  get changes(): number {
    return this.#changes;
  }

  /** The same data for somebody else, who takes the room for all of them. @throws SmbError DISK_FULL */
  snapshot(): StreamData {
    const copy = new StreamData(this.#space);
    copy.#sparse = true;
    copy.#account(this.#endOfFile, 0, this.#paged, true);
    copy.#endOfFile = this.#endOfFile;
    copy.#paged = this.#paged;
    for (const [index, page] of this.#pages) {
      shared.add(page);
      copy.#pages.set(index, page);
    }
    return copy;
  }

  isHole({ offset, length }: ByteRange): boolean {
    for (const index of this.#pageNumbers(
      Math.floor(offset / PAGE_SIZE),
      Math.floor((offset + length - 1) / PAGE_SIZE),
    )) {
      if (index * PAGE_SIZE + (this.#pages.get(index)?.length ?? 0) > offset) return false;
    }
    return true;
  }

  /** Gives everything back; the data are gone. */
  release(): void {
    this.#changes++;
    this.#pages.clear();
    this.#space.take(-this.#taken);
    this.#taken = 0;
    this.#paged = 0;
    this.#endOfFile = 0;
    this.#reserved = 0;
  }

  /** Takes or gives back the difference to what the stream needs with these values. @throws SmbError DISK_FULL */
  #account(endOfFile: number, reserved: number, paged: number, sparse: boolean): void {
    const needed = Math.max(sparse ? paged : toUnit(endOfFile), reserved);
    this.#space.take(needed - this.#taken);
    this.#taken = needed;
  }

  read(offset: number, target: Buffer): number {
    const count = Math.max(0, Math.min(target.length, this.#endOfFile - offset));
    let done = 0;
    while (done < count) {
      const position = offset + done;
      const start = position % PAGE_SIZE;
      const step = Math.min(PAGE_SIZE - start, count - done);
      const page = this.#pages.get((position - start) / PAGE_SIZE);
      const copied = page === undefined || start >= page.length ? 0 : page.copy(target, done, start, start + step);
      if (copied < step) target.fill(0, done + copied, done + step);
      done += step;
    }
    return count;
  }

  /** Length of a page that is to hold bytes up to `end`, and what it adds to the pages. */
  static #pageLength(page: Buffer | undefined, end: number): number {
    if (page !== undefined && page.length >= end) return page.length;
    // A page that grows again and again doubles, so that appending costs no more than writing at once.
    return Math.min(PAGE_SIZE, Math.max(toUnit(end), page === undefined ? 0 : page.length * 2));
  }

  #growth(offset: number, length: number): number {
    let growth = 0;
    for (let position = offset; position < offset + length; ) {
      const start = position % PAGE_SIZE;
      const step = Math.min(PAGE_SIZE - start, offset + length - position);
      const page = this.#pages.get((position - start) / PAGE_SIZE);
      growth += StreamData.#pageLength(page, start + step) - (page?.length ?? 0);
      position += step;
    }
    return growth;
  }

  /** Writes all of `data` or nothing. @throws SmbError DISK_FULL */
  write(offset: number, data: Buffer): void {
    if (data.length === 0) return;
    const end = Math.max(this.#endOfFile, offset + data.length);
    const paged = this.#paged + this.#growth(offset, data.length);
    this.#account(end, this.#reserved, paged, this.#sparse);
    this.#changes++;
    this.#endOfFile = end;
    this.#paged = paged;
    let done = 0;
    while (done < data.length) {
      const position = offset + done;
      const start = position % PAGE_SIZE;
      const step = Math.min(PAGE_SIZE - start, data.length - done);
      data.copy(this.#page((position - start) / PAGE_SIZE, start + step), start, done, done + step);
      done += step;
    }
  }

  #page(index: number, end: number): Buffer {
    const page = this.#pages.get(index);
    const length = StreamData.#pageLength(page, end);
    if (page !== undefined && page.length === length && !shared.has(page)) return page;
    const grown = Buffer.alloc(length);
    page?.copy(grown);
    this.#pages.set(index, grown);
    return grown;
  }

  /** @throws SmbError DISK_FULL */
  setEndOfFile(size: number): void {
    this.#changes++;
    if (size < this.#endOfFile) {
      this.#discard(size, this.#endOfFile);
      this.#reserved = 0;
    }
    this.#account(size, this.#reserved, this.#paged, this.#sparse);
    this.#endOfFile = size;
  }

  /** @throws SmbError DISK_FULL */
  setAllocation(size: number): void {
    if (size < this.#endOfFile) {
      this.setEndOfFile(size);
      return;
    }
    const reserved = toUnit(size);
    this.#account(this.#endOfFile, reserved, this.#paged, this.#sparse);
    this.#reserved = reserved;
  }

  /** @throws SmbError DISK_FULL: there is no room to fill the holes */
  setSparse(sparse: boolean): void {
    this.#account(this.#endOfFile, this.#reserved, this.#paged, sparse);
    this.#sparse = sparse;
  }

  zero({ offset, length }: ByteRange): void {
    const end = Math.min(offset + length, this.#endOfFile);
    if (offset >= end) return;
    this.#changes++;
    this.#discard(offset, end);
    this.#account(this.#endOfFile, this.#reserved, this.#paged, this.#sparse);
  }

  /** Makes a range zero; pages that hold nothing else are dropped. */
  #discard(offset: number, end: number): void {
    const clear = (index: number, page: Buffer): void => {
      const start = Math.max(0, offset - index * PAGE_SIZE);
      const stop = Math.min(page.length, end - index * PAGE_SIZE);
      if (start >= stop) return;
      const wholePage = start === 0 && (stop === page.length || index * PAGE_SIZE + stop >= this.#endOfFile);
      if (!wholePage) {
        this.#page(index, page.length).fill(0, start, stop);
        return;
      }
      this.#pages.delete(index);
      this.#paged -= page.length;
    };
    const first = Math.floor(offset / PAGE_SIZE);
    const last = Math.floor((end - 1) / PAGE_SIZE);
    if (last - first > this.#pages.size) {
      for (const [index, page] of this.#pages) clear(index, page);
      return;
    }
    for (let index = first; index <= last; index++) {
      const page = this.#pages.get(index);
      if (page !== undefined) clear(index, page);
    }
  }

  allocatedRanges({ offset, length }: ByteRange, maximum: number): ByteRange[] {
    const end = Math.min(offset + length, this.#endOfFile);
    if (offset >= end || maximum <= 0) return [];
    if (!this.#sparse) return [{ offset, length: end - offset }];
    const ranges: { offset: number; length: number }[] = [];
    for (const index of this.#pageNumbers(Math.floor(offset / PAGE_SIZE), Math.floor((end - 1) / PAGE_SIZE))) {
      const start = Math.max(offset, index * PAGE_SIZE);
      const stop = Math.min(end, index * PAGE_SIZE + (this.#pages.get(index)?.length ?? 0));
      if (start >= stop) continue;
      const last = ranges.at(-1);
      if (last !== undefined && last.offset + last.length === start) last.length += stop - start;
      else if (ranges.length === maximum) break;
      else ranges.push({ offset: start, length: stop - start });
    }
    return ranges;
  }

  /** Numbers of the pages that exist between two, in order. */
  #pageNumbers(first: number, last: number): number[] {
    const numbers: number[] = [];
    if (last - first > this.#pages.size) {
      for (const index of this.#pages.keys()) {
        if (index >= first && index <= last) numbers.push(index);
      }
      return numbers.sort((a, b) => a - b);
    }
    for (let index = first; index <= last; index++) {
      if (this.#pages.has(index)) numbers.push(index);
    }
    return numbers;
  }

  /**
   * Copies as far as the source goes, holes as holes where the target is sparse; an overlap within one stream gives the
   * source as it was before. Returns the bytes copied.
   * @throws SmbError DISK_FULL: part of the range may have been copied
   */
  copyFrom(source: StreamData, sourceOffset: number, offset: number, length: number): number {
    const total = Math.max(0, Math.min(length, source.endOfFile - sourceOffset));
    if (total === 0) return 0;
    const backwards = source === this && offset > sourceOffset;
    const buffer = Buffer.allocUnsafe(Math.min(total, COPY_SIZE));
    for (let done = 0; done < total; ) {
      const step = Math.min(buffer.length, total - done);
      const at = backwards ? total - done - step : done;
      this.#copyPiece(source, sourceOffset + at, offset + at, buffer.subarray(0, step));
      done += step;
    }
    return total;
  }

  #copyPiece(source: StreamData, sourceOffset: number, offset: number, buffer: Buffer): void {
    const range = { offset: sourceOffset, length: buffer.length };
    const isHole = this.#sparse && source.#sparse && source.allocatedRanges(range, 1).length === 0;
    if (!isHole) {
      source.read(sourceOffset, buffer);
      this.write(offset, buffer);
      return;
    }
    this.zero({ offset, length: buffer.length });
    if (offset + buffer.length > this.#endOfFile) this.setEndOfFile(offset + buffer.length);
  }
}
