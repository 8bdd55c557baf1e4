// SPDX-License-Identifier: Apache-2.0

/** Half of the 16-bit sequence space: what is further ahead lies behind. */
const HALF = 0x7fff;

/**
 * Open.ChannelSequence with its counts of requests (MS-SMB2 3.3.1.10, 3.3.5.2.10). A client that has lost a channel
 * counts its sequence up and sends again what was not answered: the server must not carry that out while the first one
 * may still be under way, nor a late first one after what came later.
 */
export class ChannelSequence {
  #current: number;
  /** Counts the changes of the sequence: numbers repeat, also from one session to the next. */
  #generation = 0;
  /** Open.OutstandingRequestCount. */
  #outstanding = 0;
  /** Open.OutstandingPreRequestCount. */
  #earlier = 0;

  constructor(current: number) {
    this.#current = current;
  }

  /**
   * A request arrives. Returns what {@link end} is to be given, or -1 where the request may not change anything now and is
   * not counted.
   */
  begin(sequence: number, isReplay: boolean): number {
    if (sequence !== this.#current) {
      if (((sequence - this.#current) & 0xffff) > HALF) return -1;
      this.restart(sequence);
    }
    if (isReplay && this.#earlier > 0) return -1;
    this.#outstanding++;
    return this.#generation;
  }

  /** A request that was counted has its final status. */
  end(generation: number): void {
    if (generation === this.#generation) this.#outstanding--;
    else this.#earlier--;
  }

  /** What is still under way was sent before this sequence: also where a handle goes on with another session. */
  restart(sequence: number): void {
    this.#earlier += this.#outstanding;
    this.#outstanding = 0;
    this.#current = sequence;
    this.#generation++;
  }
}
