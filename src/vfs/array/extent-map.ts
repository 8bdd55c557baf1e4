// SPDX-License-Identifier: Apache-2.0

import type { ByteRange } from "../volume.ts";
import type { Piece } from "./allocator.ts";

/** Consecutive bytes of a stream that are consecutive on a LUN. All numbers are multiples of the allocation unit. */
export interface Extent extends Piece {
  /** Byte in the stream. */
  readonly offset: number;
  /** False: the bytes belong to the stream and read as zeros, whatever the LUN holds there. */
  readonly written: boolean;
}

/** The start of a range of a stream: all stored, on one LUN; or, without extents, all zeros that are not stored. */
export interface Run {
  readonly extents: readonly Extent[];
  /** Bytes. */
  readonly length: number;
}

/** What a change of the map means for the catalogue and the allocator. */
export interface ExtentChange {
  /** Offsets of extents that are no longer there. */
  readonly removed: readonly number[];
  /** Extents that are new, or not what they were. */
  readonly stored: readonly Extent[];
  /** What belongs to nobody any more. */
  readonly freed: readonly Piece[];
}

/** Where the bytes of a stream are: extents in order, none overlapping; what no extent holds is a hole. */
export class ExtentMap {
  #extents: Extent[];
  #allocated = 0;

  /** @param extents in order */
  constructor(extents: Iterable<Extent> = []) {
    this.#extents = [...extents];
    for (const { length } of this.#extents) this.#allocated += length;
  }

  /** Bytes in all extents. */
  get allocated(): number {
    return this.#allocated;
  }

  get all(): readonly Extent[] {
    return this.#extents;
  }

  /** Extents that touch a range, clipped to it. */
  *within({ offset, length }: ByteRange): Generator<Extent> {
    const end = offset + length;
    for (let at = this.#firstEndingAfter(offset); at < this.#extents.length; at++) {
      const extent = this.#extents[at];
      if (extent === undefined || extent.offset >= end) return;
      yield clip(extent, offset, end);
    }
  }

  /** Parts of a range that no extent holds. */
  *holes({ offset, length }: ByteRange): Generator<ByteRange> {
    let at = offset;
    for (const extent of this.within({ offset, length })) {
      if (extent.offset > at) yield { offset: at, length: extent.offset - at };
      at = extent.offset + extent.length;
    }
    if (at < offset + length) yield { offset: at, length: offset + length - at };
  }

  /** Parts of a range that hold data, in order, at most `maximum`. */
  writtenRanges(range: ByteRange, maximum: number): ByteRange[] {
    const ranges: ByteRange[] = [];
    for (const extent of this.within(range)) {
      if (!extent.written) continue;
      const last = ranges.at(-1);
      if (last !== undefined && last.offset + last.length === extent.offset) {
        ranges[ranges.length - 1] = { offset: last.offset, length: last.length + extent.length };
      } else if (ranges.length === maximum) break;
      else ranges.push({ offset: extent.offset, length: extent.length });
    }
    return ranges;
  }

  firstRun(range: ByteRange): Run {
    const written = [...this.within(range)].filter((extent) => extent.written);
    const [first] = written;
    if (first === undefined) return { extents: [], length: range.length };
    if (first.offset > range.offset) return { extents: [], length: first.offset - range.offset };
    const extents: Extent[] = [];
    let end = range.offset;
    for (const extent of written) {
      if (extent.offset > end || extent.lun !== first.lun) break;
      extents.push(extent);
      end = extent.offset + extent.length;
    }
    return { extents, length: end - range.offset };
  }

  /** Nothing of the range holds data: it reads as zeros. */
  isKnownZero(range: ByteRange): boolean {
    for (const extent of this.within(range)) if (extent.written) return false;
    return true;
  }

  /** Where on a LUN a stream would go on at `offset`. */
  near(offset: number): { readonly lun: number; readonly start: number } | undefined {
    const before = this.#extents[this.#firstEndingAfter(offset - 1)] ?? this.#extents.at(-1);
    if (before === undefined || before.offset >= offset) return undefined;
    return { lun: before.lun, start: before.start + before.length };
  }

  /**
   * Puts `extents`, which lie in the range, in the place of what the range held. What they take over from it is kept; the rest is freed.
   */
  replace(range: ByteRange, extents: readonly Extent[]): ExtentChange {
    const { offset, length } = range;
    const end = offset + length;
    const first = this.#firstEndingAfter(offset);
    let last = first;
    const old: Extent[] = [];
    for (; last < this.#extents.length; last++) {
      const extent = this.#extents[last];
      if (extent === undefined || extent.offset >= end) break;
      old.push(extent);
    }
    const between: Extent[] = [];
    const head = old[0];
    if (head !== undefined && head.offset < offset) between.push(clip(head, 0, offset));
    between.push(...extents);
    const tail = old.at(-1);
    if (tail !== undefined && tail.offset + tail.length > end) between.push(clip(tail, end, Number.MAX_SAFE_INTEGER));

    // Neighbours may join what is new.
    const before = this.#extents[first - 1];
    const after = this.#extents[last];
    const joined = join([before, ...between, after].filter((extent) => extent !== undefined));
    const from = before === undefined ? first : first - 1;
    const replaced = this.#extents.slice(from, after === undefined ? last : last + 1);
    this.#extents.splice(from, replaced.length, ...joined);

    for (const extent of old) this.#allocated -= extent.length;
    for (const extent of between) this.#allocated += extent.length;
    const offsets = new Set(joined.map((extent) => extent.offset));
    return {
      removed: replaced.filter((extent) => !offsets.has(extent.offset)).map((extent) => extent.offset),
      stored: joined.filter((extent) => !replaced.includes(extent)),
      freed: old.flatMap((extent) => without(clip(extent, offset, end), extents)),
    };
  }

  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const extent = this.#extents[middle];
      if (extent !== undefined && extent.offset + extent.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The part of an extent between two bytes of the stream; its length is 0 where there is none. */
export function clip(extent: Extent, offset: number, end: number): Extent {
  const from = Math.max(offset, extent.offset);
  const to = Math.max(from, Math.min(end, extent.offset + extent.length));
  if (from === extent.offset && to === extent.offset + extent.length) return extent;
  return { ...extent, offset: from, start: extent.start + (from - extent.offset), length: to - from };
}

/** The same extents, with those made one that follow each other in the stream and on the LUN. */
function join(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  for (const extent of extents) {
    const last = joined.at(-1);
    if (
      last !== undefined &&
      last.written === extent.written &&
      last.lun === extent.lun &&
      last.offset + last.length === extent.offset &&
      last.start + last.length === extent.start
    ) {
      joined[joined.length - 1] = { ...last, length: last.length + extent.length };
    } else joined.push(extent);
  }
  return joined;
}

/** What of a piece is not in any of `kept`. */
function without({ lun, start, length }: Piece, kept: readonly Piece[]): Piece[] {
  let rest: Piece[] = [{ lun, start, length }];
  for (const one of kept) {
    if (one.lun !== lun) continue;
    rest = rest.flatMap((piece) => {
      const from = Math.max(piece.start, one.start);
      const to = Math.min(piece.start + piece.length, one.start + one.length);
      if (from >= to) return [piece];
      const parts: Piece[] = [];
      if (piece.start < from) parts.push({ lun, start: piece.start, length: from - piece.start });
      if (to < piece.start + piece.length) parts.push({ lun, start: to, length: piece.start + piece.length - to });
      return parts;
    });
  }
  return rest;
}
