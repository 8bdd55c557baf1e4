// SPDX-License-Identifier: Apache-2.0

/** Bytes. */
const SMALLEST = 8 * 1024 * 1024;
const LARGEST = 32 * 1024 * 1024;
/** Milliseconds; a piece that takes less is followed by a larger one. */
const MOMENT = 25;
/** Milliseconds; a piece that takes more is followed by the smallest. */
const LONG = 100;

/**
 * How many bytes one call to the storage is to copy: so many that what surrounds the call does not count, and so few that it is over
 * in a moment, on whatever storage. Whoever copies looks after each piece whether the copy is still wanted.
 */
export class PieceSize {
  readonly #largest: number;
  #bytes = SMALLEST;

  /** @param largest bytes of the largest piece */
  constructor(largest = LARGEST) {
    this.#largest = largest;
  }

  /** Bytes of the next piece, where no more than `limit` are wanted; the smallest piece may be more. */
  next(limit: number): number {
    return Math.min(this.#bytes, Math.max(limit, SMALLEST));
  }

  /** A piece of so many bytes took so many milliseconds. */
  took(bytes: number, milliseconds: number): void {
    if (milliseconds > LONG) this.#bytes = SMALLEST;
    else if (milliseconds < MOMENT && bytes >= this.#bytes) this.#bytes = Math.min(2 * this.#bytes, this.#largest);
  }

  /** A piece was in vain: the next ones risk less. */
  failed(): void {
    this.#bytes = SMALLEST;
  }
}
