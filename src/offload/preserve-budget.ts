// SPDX-License-Identifier: Apache-2.0

/** Bytes that any piece of old data counts as at least, so that the number of pieces has a bound too. */
const MINIMUM_COST = 4096;
/** Bytes of old data in memory at most, where storage has no room for them or they are few. */
const MEMORY_LIMIT = 32 * 1024 * 1024;

/** How much old data a server may keep for tokens, over all streams. */
export class PreserveBudget {
  readonly #limit: number;
  readonly #makeRoom: () => boolean;
  #used = 0;
  #inMemory = 0;

  /**
   * @param limit bytes
   * @param makeRoom called where there is no room: has what matters least given back, or returns false where nothing is left
   */
  constructor(limit: number, makeRoom: () => boolean = () => false) {
    this.#limit = limit;
    this.#makeRoom = makeRoom;
  }

  /** Bytes, each piece counted as 4 KiB at least. */
  get used(): number {
    return this.#used;
  }

  /** Whether so many bytes have room in memory too. */
  fitsMemory(length: number): boolean {
    return this.#inMemory + length <= Math.min(MEMORY_LIMIT, this.#limit);
  }

  /** @returns false where there is no room */
  take(length: number, inMemory: boolean): boolean {
    const cost = Math.max(length, MINIMUM_COST);
    if (cost > this.#limit) return false;
    while (this.#used + cost > this.#limit) if (!this.#makeRoom()) return false;
    if (inMemory && !this.fitsMemory(length)) return false;
    this.#used += cost;
    if (inMemory) this.#inMemory += length;
    return true;
  }

  give(length: number, inMemory: boolean): void {
    this.#used -= Math.max(length, MINIMUM_COST);
    if (inMemory) this.#inMemory -= length;
  }
}
