// SPDX-License-Identifier: Apache-2.0

import type { Allocator, Piece } from "./allocator.ts";
import { fateOf, type Lun } from "./lun.ts";

/** Bytes that one round takes from the allocator: so much is out of reach for as long as the LUN needs for it. */
const ROUND = 1024 ** 3;
/** Pieces that wait; more are not worth the memory: the LUN is not told of them. */
const MAX_WAITING = 65_536;

export interface ReclaimerParts {
  readonly luns: readonly Lun[];
  readonly allocator: Allocator;
  /** Bytes of an allocation unit. */
  readonly unit: number;
  /** Hears of a LUN that does not take what it said it would. */
  readonly failed: (lun: Lun, error: unknown) => void;
}

/**
 * Tells thin-provisioned LUNs (UNMAP) of room that nobody has any more: in the background, one LUN and one command at a time.
 * What is told of is taken from the allocator meanwhile, so that nobody writes where blocks are being given up.
 */
export class Reclaimer {
  readonly #parts: ReclaimerParts;
  readonly #failed = new Set<Lun>();
  #waiting: Piece[] = [];
  #claimed = 0;
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(parts: ReclaimerParts) {
    this.#parts = parts;
  }

  /** Bytes that are free, but not to be had before the LUN has been told of them. */
  get claimed(): number {
    return this.#claimed;
  }

  /** Room has been given to the allocator that no stored record has any more. */
  offer(pieces: readonly Piece[]): void {
    if (this.#closed) return;
    for (const piece of pieces) {
      const lun = this.#parts.luns[piece.lun];
      if (lun !== undefined && lun.granule !== undefined && this.#waiting.length < MAX_WAITING) {
        this.#waiting.push(piece);
      }
    }
    if (this.#waiting.length > 0) this.#working ??= this.#work();
  }

  /** Gives everything back to the allocator, for who needs it: waits for the command at work, and forgets the rest. */
  async yield(): Promise<void> {
    this.#waiting = [];
    await this.#working;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.yield();
  }

  async #work(): Promise<void> {
    // What becomes free at the same time is told of together.
    await Promise.resolve();
    for (;;) {
      const round = this.#nextRound();
      if (round === undefined) break;
      const { lun, claims, ranges } = round;
      try {
        await lun.unmap(ranges);
      } catch (error) {
        if (!this.#failed.has(lun)) this.#parts.failed(lun, error);
        this.#failed.add(lun);
        await fateOf(error);
      }
      for (const claim of claims) {
        this.#claimed -= claim.length;
        this.#parts.allocator.release(claim);
      }
    }
    this.#working = undefined;
  }

  /** Claims what is still free of the next pieces of one LUN. */
  #nextRound(): { lun: Lun; claims: Piece[]; ranges: Piece[] } | undefined {
    const { luns, allocator, unit } = this.#parts;
    while (this.#waiting.length > 0) {
      const index = this.#waiting[0]?.lun ?? 0;
      const lun = luns[index];
      const granule = lun?.granule;
      const claims: Piece[] = [];
      const ranges: Piece[] = [];
      let bytes = 0;
      while (bytes < ROUND && this.#waiting[0]?.lun === index) {
        const piece = this.#nextPiece(ROUND - bytes);
        if (granule === undefined || piece === undefined) continue;
        const { size, first } = granule;
        const down = (at: number) => at - modulo(at - first, size);
        const up = (at: number) => at + modulo(first - at, size);
        // What lies around it may be free as well, and make its granules whole.
        const end = up(piece.start + piece.length);
        const start = Math.max(0, down(piece.start));
        for (const free of allocator.freeWithin({ lun: index, start, length: end - start })) {
          const from = up(free.start);
          const length = down(free.start + free.length) - from;
          if (length <= 0) continue;
          const claimStart = from - (from % unit);
          const claim = {
            lun: index,
            start: claimStart,
            length: Math.ceil((from + length) / unit) * unit - claimStart,
          };
          allocator.claim(claim);
          claims.push(claim);
          ranges.push({ lun: index, start: from, length });
          bytes += claim.length;
          this.#claimed += claim.length;
        }
      }
      if (lun !== undefined && claims.length > 0) return { lun, claims, ranges };
    }
    return undefined;
  }

  /** The next piece, or the first part of it. */
  #nextPiece(most: number): Piece | undefined {
    const piece = this.#waiting.shift();
    if (piece === undefined || piece.length <= most) return piece;
    this.#waiting.unshift({ ...piece, start: piece.start + most, length: piece.length - most });
    return { ...piece, length: most };
  }
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
