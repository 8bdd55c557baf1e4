// SPDX-License-Identifier: Apache-2.0

import type { Clock, Logger } from "./server-context.ts";

/** Lines that may come at once, and how many milliseconds each of them then takes to be allowed again. */
const BURST = 20;
const RECOVERY = 3000;
/** Milliseconds after which lines that were left out are told of, at the latest. */
const SUMMARY = 60_000;

/**
 * Writes lines about what clients were refused, so that somebody who tries ten thousand times leaves some lines and a number:
 * neither a full disk, nor a log in which nothing else is found.
 */
export class RefusalLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #message: string;
  #allowance = BURST;
  #countedAt: number;
  #leftOut = 0;
  #summary = false;

  /** @param message what all the lines say */
  constructor(log: Logger, clock: Clock, message: string) {
    this.#log = log;
    this.#clock = clock;
    this.#message = message;
    this.#countedAt = clock.now();
  }

  write(level: "info" | "warn", details: object): void {
    const now = this.#clock.now();
    this.#allowance = Math.min(BURST, this.#allowance + Math.max(0, now - this.#countedAt) / RECOVERY);
    this.#countedAt = now;
    if (this.#allowance < 1) {
      this.#leftOut++;
      this.#summariseLater();
      return;
    }
    this.#allowance--;
    this.#log[level](details, this.#message);
  }

  #summariseLater(): void {
    if (this.#summary) return;
    this.#summary = true;
    this.#clock.after(SUMMARY, () => {
      this.#summary = false;
      const count = this.#leftOut;
      this.#leftOut = 0;
      this.#log.warn({ count }, `${this.#message}: lines were left out`);
    });
  }
}
