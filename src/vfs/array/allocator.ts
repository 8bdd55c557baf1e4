// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";

/** Bytes on one LUN, in whole allocation units. */
export interface Piece {
  /** Number of the LUN in the volume. */
  readonly lun: number;
  /** Byte on the LUN. */
  readonly start: number;
  /** Bytes. */
  readonly length: number;
}

interface Run {
  start: number;
  length: number;
}

/**
 * Which bytes of the LUNs belong to nobody. Nothing of it is stored: it is what the extents of all streams leave over, so
 * that a crash can neither lose space nor give it out twice.
 */
export class Allocator {
  readonly #unit: number;
  /** Free runs of each LUN, in order, none touching the next. */
  readonly #runs: Run[][] = [];
  #free = 0;

  /** @param unit bytes of an allocation unit */
  constructor(unit: number) {
    this.#unit = unit;
  }

  /** Bytes. */
  get free(): number {
    return this.#free;
  }

  /** Gives bytes that nobody has. */
  release({ lun, start, length }: Piece): void {
    if (length === 0) return;
    while (this.#runs.length <= lun) this.#runs.push([]);
    const runs = this.#runs[lun] ?? [];
    const at = firstFrom(runs, start);
    const before = runs[at - 1];
    const after = runs[at];
    if ((before !== undefined && before.start + before.length > start) || (after && start + length > after.start)) {
      throw new RangeError(`bytes ${start} to ${start + length} of LUN ${lun} are free already`);
    }
    this.#free += length;
    const joinsBefore = before !== undefined && before.start + before.length === start;
    const joinsAfter = after !== undefined && start + length === after.start;
    if (joinsBefore && joinsAfter) {
      before.length += length + after.length;
      runs.splice(at, 1);
    } else if (joinsBefore) before.length += length;
    else if (joinsAfter) {
      after.start = start;
      after.length += length;
    } else runs.splice(at, 0, { start, length });
  }

  /** Takes bytes that a stored extent has. @throws RangeError they are not free: two extents have them */
  claim({ lun, start, length }: Piece): void {
    const runs = this.#runs[lun] ?? [];
    const at = firstFrom(runs, start + 1) - 1;
    const run = runs[at];
    if (run === undefined || run.start + run.length < start + length) {
      throw new RangeError(`bytes ${start} to ${start + length} of LUN ${lun} are not free`);
    }
    this.#cut(runs, at, start, length);
  }

  /**
   * Takes `length` bytes, rounded up to whole units: behind `near` where that is free, so that a growing file stays in one
   * piece, else in as few pieces as can be.
   * @throws SmbError DISK_FULL: nothing is taken
   */
  take(length: number, near?: { readonly lun: number; readonly start: number }): Piece[] {
    let rest = Math.ceil(length / this.#unit) * this.#unit;
    if (rest > this.#free) throw new SmbError(NtStatus.DISK_FULL);
    const pieces: Piece[] = [];
    const takeFrom = (lun: number, at: number): void => {
      const runs = this.#runs[lun] ?? [];
      const run = runs[at];
      if (run === undefined) return;
      const piece = { lun, start: run.start, length: Math.min(rest, run.length) };
      this.#cut(runs, at, piece.start, piece.length);
      pieces.push(piece);
      rest -= piece.length;
    };
    if (near !== undefined) {
      const runs = this.#runs[near.lun] ?? [];
      const at = firstFrom(runs, near.start);
      if (runs[at]?.start === near.start) takeFrom(near.lun, at);
    }
    while (rest > 0) {
      const found = this.#bestFor(rest, near?.lun);
      if (found === undefined) throw new RangeError("the count of free bytes is wrong");
      takeFrom(found.lun, found.at);
    }
    return pieces;
  }

  /** What is free of a range, in order. */
  freeWithin({ lun, start, length }: Piece): Piece[] {
    const end = start + length;
    const runs = this.#runs[lun] ?? [];
    const found: Piece[] = [];
    for (let at = Math.max(0, firstFrom(runs, start + 1) - 1); at < runs.length; at++) {
      const run = runs[at];
      if (run === undefined || run.start >= end) break;
      const from = Math.max(start, run.start);
      const to = Math.min(end, run.start + run.length);
      if (to > from) found.push({ lun, start: from, length: to - from });
    }
    return found;
  }

  /** Free runs, for who compares them with the catalogue. */
  *pieces(): Generator<Piece> {
    for (const [lun, runs] of this.#runs.entries()) for (const run of runs) yield { lun, ...run };
  }

  /** The first run that is long enough, on the wanted LUN before others; else the longest. */
  #bestFor(length: number, wanted: number | undefined): { lun: number; at: number } | undefined {
    let longest: { lun: number; at: number; length: number } | undefined;
    const order = [...this.#runs.keys()].sort((a, b) => Number(b === wanted) - Number(a === wanted));
    for (const lun of order) {
      for (const [at, run] of (this.#runs[lun] ?? []).entries()) {
        if (run.length >= length) return { lun, at };
        if (run.length > (longest?.length ?? 0)) longest = { lun, at, length: run.length };
      }
    }
    return longest;
  }

  #cut(runs: Run[], at: number, start: number, length: number): void {
    const run = runs[at];
    if (run === undefined) return;
    this.#free -= length;
    const left = start - run.start;
    const right = run.start + run.length - (start + length);
    const remains: Run[] = [];
    if (left > 0) remains.push({ start: run.start, length: left });
    if (right > 0) remains.push({ start: start + length, length: right });
    runs.splice(at, 1, ...remains);
  }
}

/** Index of the first run that begins at `start` or behind it. */
function firstFrom(runs: readonly Run[], start: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((runs[middle]?.start ?? 0) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
