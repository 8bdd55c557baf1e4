// SPDX-License-Identifier: Apache-2.0

import type { ByteRange, VolumeStream } from "../vfs/volume.ts";

/** Old bytes of a stream, kept for one token or several. */
export interface PreservedBlock {
  /** Bytes, in the stream that they come from. */
  readonly offset: number;
  readonly length: number;
  /** Where they are: in memory, in a scratch stream, or nowhere since they are zeros. */
  readonly from: Buffer | VolumeStream | undefined;
  /** Bytes, in the scratch stream. */
  readonly start: number;
  /** Tokens that need them. */
  references: number;
}

interface Extent {
  readonly offset: number;
  readonly end: number;
  readonly block: PreservedBlock;
}

/** Where some bytes are to be read from. */
export interface Place {
  /** `undefined` stands for zeros. */
  readonly from: Buffer | VolumeStream | undefined;
  /** Bytes, in the buffer or stream. */
  readonly offset: number;
  readonly length: number;
}

/** Which parts of a range have been preserved: sorted, without overlap. */
export class PreservedRanges {
  #extents: Extent[] = [];

  /** The parts of a range that are not preserved. */
  gaps({ offset, length }: ByteRange): ByteRange[] {
    const end = offset + length;
    const gaps: ByteRange[] = [];
    let at = offset;
    for (let index = this.#firstEndingBehind(offset); index < this.#extents.length; index++) {
      const extent = this.#extents[index];
      if (extent === undefined || extent.offset >= end) break;
      if (extent.offset > at) gaps.push({ offset: at, length: extent.offset - at });
      at = extent.end;
    }
    if (at < end) gaps.push({ offset: at, length: end - at });
    return gaps;
  }

  /** True where no byte of a range is preserved. */
  isFree(offset: number, length: number): boolean {
    const next = this.#extents[this.#firstEndingBehind(offset)];
    return next === undefined || next.offset >= offset + length;
  }

  /** Takes a part of a block, which no other extent covers. */
  add(range: ByteRange, block: PreservedBlock): void {
    const extent = { offset: range.offset, end: range.offset + range.length, block };
    this.#extents.splice(this.#firstEndingBehind(range.offset), 0, extent);
    block.references++;
  }

  /** Where the bytes from `offset` on are, if not in `live`; up to where that changes. */
  locate(offset: number, length: number, live: VolumeStream): Place {
    const extent = this.#extents[this.#firstEndingBehind(offset)];
    if (extent === undefined) return { from: live, offset, length };
    if (extent.offset > offset) return { from: live, offset, length: Math.min(length, extent.offset - offset) };
    const { block, end } = extent;
    return {
      from: block.from,
      offset: block.start + (offset - block.offset),
      length: Math.min(length, end - offset),
    };
  }

  /** Gives all blocks up, once for each extent. */
  clear(released: (block: PreservedBlock) => void): void {
    const extents = this.#extents;
    this.#extents = [];
    for (const { block } of extents) {
      block.references--;
      released(block);
    }
  }

  #firstEndingBehind(offset: number): number {
    let low = 0;
    let high = this.#extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#extents[middle]?.end ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The union of ranges, in order. */
export function union(ranges: readonly ByteRange[]): ByteRange[] {
  const sorted = [...ranges].sort((a, b) => a.offset - b.offset);
  const merged: ByteRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last === undefined || range.offset > last.offset + last.length) {
      merged.push(range);
      continue;
    }
    const end = Math.max(last.offset + last.length, range.offset + range.length);
    merged[merged.length - 1] = { offset: last.offset, length: end - last.offset };
  }
  return merged;
}

/** The part that two ranges have in common. */
export function intersection(a: ByteRange, b: ByteRange): ByteRange | undefined {
  const offset = Math.max(a.offset, b.offset);
  const end = Math.min(a.offset + a.length, b.offset + b.length);
  return end > offset ? { offset, length: end - offset } : undefined;
}
