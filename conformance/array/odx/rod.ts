// SPDX-License-Identifier: Apache-2.0
/** A representation of data: ranges of blocks, now or as they were (SPC-4 5.16.7.4). */
import type { LogicalUnit } from "../scsi/unit.ts";
import { FrozenExtent } from "../storage/frozen-extent.ts";
import { RodType } from "./options.ts";

/** A range of a unit, in bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

interface Piece extends ByteRange {
  /** Where it begins in the ROD. */
  readonly start: number;
  readonly frozen: FrozenExtent | undefined;
}

export class Rod {
  readonly rodType: number;
  readonly unit: LogicalUnit;
  readonly bytes: number;
  readonly #pieces: Piece[] = [];
  readonly #unwatch: (() => void) | undefined;

  /** @param changed called before data of a change vulnerable ROD changes */
  constructor(rodType: number, unit: LogicalUnit, ranges: readonly ByteRange[], changed: () => void) {
    this.rodType = rodType;
    this.unit = unit;
    const { medium } = unit;
    const follows = rodType === RodType.ACCESS_UPON_REFERENCE;
    const vulnerable = rodType === RodType.POINT_IN_TIME_CHANGE_VULNERABLE;
    let start = 0;
    for (const { offset, length } of ranges) {
      const frozen = follows || vulnerable ? undefined : new FrozenExtent(medium, offset, length);
      this.#pieces.push({ offset, length, start, frozen });
      start += length;
    }
    this.bytes = start;
    if (vulnerable) {
      const touches = (at: number, count: number) =>
        ranges.some(({ offset, length }) => at < offset + length && offset < at + count);
      this.#unwatch = medium.watch({
        beforeChange: (at, count) => {
          if (touches(at, count)) changed();
        },
      });
    }
  }

  /** Reads bytes `at` … `at + target.length` of the data that the ROD represents. */
  read(at: number, target: Buffer): void {
    for (const piece of this.#pieces) {
      const from = Math.max(at, piece.start);
      const to = Math.min(at + target.length, piece.start + piece.length);
      if (from >= to) continue;
      const part = target.subarray(from - at, to - at);
      const within = from - piece.start;
      if (piece.frozen !== undefined) piece.frozen.read(within, part);
      else this.unit.medium.read(piece.offset + within, part.length, part);
    }
  }

  release(): void {
    this.#unwatch?.();
    for (const { frozen } of this.#pieces) frozen?.release();
  }
}
