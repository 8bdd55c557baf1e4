// SPDX-License-Identifier: Apache-2.0
/** How fast a medium is: transfers take their time, one behind the other. */

export class Pace {
  readonly #bytesPerMillisecond: number;
  #busyUntil = 0;

  /** @param bytesPerSecond 0: no time at all */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMillisecond = bytesPerSecond / 1000;
  }

  /** Milliseconds from `now` until a transfer that begins now is over; 0 where it takes none. */
  take(bytes: number, now: number): number {
    if (this.#bytesPerMillisecond === 0 || bytes === 0) return 0;
    this.#busyUntil = Math.max(this.#busyUntil, now) + bytes / this.#bytesPerMillisecond;
    return this.#busyUntil - now;
  }
}
