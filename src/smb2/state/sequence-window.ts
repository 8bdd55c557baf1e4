// SPDX-License-Identifier: Apache-2.0

/**
 * Connection.CommandSequenceWindow (MS-SMB2 3.3.1.7): the message ids that the client may use, each once.
 *
 * The window [low, high) is kept as a ring of flags. `high` grows with the credits granted, `low` follows the oldest id
 * that has not been used. The range never exceeds `maximum`, so a client that leaves a gap gets no further credits
 * instead of a larger table.
 */
export class SequenceWindow {
  readonly #maximum: number;
  readonly #mask: number;
  readonly #used: Uint8Array;
  #low = 0;
  #high = 1;

  constructor(maximum: number) {
    let size = 1;
    while (size < maximum) size *= 2;
    this.#maximum = maximum;
    this.#mask = size - 1;
    this.#used = new Uint8Array(size);
  }

  /** Message ids that the client holds and has not used: what it could still send. */
  get outstanding(): number {
    let count = 0;
    for (let id = this.#low; id < this.#high; id++) if (this.#used[id & this.#mask] === 0) count++;
    return count;
  }

  /**
   * Uses up `count` consecutive ids (CreditCharge). False where one of them is outside of the window or used already:
   * the connection ends then (MS-SMB2 3.3.5.2.3).
   */
  consume(first: number, count: number): boolean {
    if (first < this.#low || first + count > this.#high) return false;
    for (let id = first; id < first + count; id++) if (this.#used[id & this.#mask] !== 0) return false;
    for (let id = first; id < first + count; id++) this.#used[id & this.#mask] = 1;
    while (this.#low < this.#high && this.#used[this.#low & this.#mask] !== 0) {
      this.#used[this.#low & this.#mask] = 0;
      this.#low++;
    }
    return true;
  }

  /** Grants up to `wanted` further ids and returns how many (MS-SMB2 3.3.1.2). */
  grant(wanted: number): number {
    const room = this.#maximum - (this.#high - this.#low);
    const granted = Math.min(wanted, room);
    this.#high += granted;
    return granted;
  }
}
