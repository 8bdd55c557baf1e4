// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";

/** Time as a parameter. */
export interface AuthClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `action` once after `milliseconds`. */
  after(milliseconds: number, action: () => void): unknown;
}

export interface RateLimitOptions {
  /** Failures in a row that cost nothing. */
  readonly freeFailures?: number;
  /** Delay in milliseconds after the first failure that counts; each further one doubles it. */
  readonly firstDelay?: number;
  /** Longest delay of one attempt in milliseconds. */
  readonly longestDelay?: number;
  /** Milliseconds without a failure after which all is forgotten. */
  readonly forgetAfter?: number;
  /** Addresses remembered, and accounts remembered; the one that failed longest ago makes room. */
  readonly tableSize?: number;
  /** Attempts of one address that may be waiting at the same time. */
  readonly waitingPerAddress?: number;
}

interface Entry {
  failures: number;
  lastFailure: number;
  waiting: number;
}

/** A table of bounded size, ordered by the last failure. */
class FailureTable {
  readonly #entries = new Map<string, Entry>();
  readonly #options: Required<RateLimitOptions>;

  constructor(options: Required<RateLimitOptions>) {
    this.#options = options;
  }

  get(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || now - entry.lastFailure < this.#options.forgetAfter) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  delay(entry: Entry | undefined): number {
    const { freeFailures, firstDelay, longestDelay } = this.#options;
    const counted = (entry?.failures ?? 0) - freeFailures;
    // Beyond 2^30 the cap has long been reached, whatever the first delay.
    return counted <= 0 ? 0 : Math.min(longestDelay, firstDelay * 2 ** Math.min(counted - 1, 30));
  }

  fail(key: string, now: number): void {
    const entry = this.get(key, now) ?? { failures: 0, lastFailure: now, waiting: 0 };
    entry.failures++;
    entry.lastFailure = now;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= this.#options.tableSize) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }
}

/**
 * Slows password guessing down: after some failures, each attempt of an address, or for an account, waits before it is
 * looked at, up to a few seconds. Only attempts wait, nothing else of the server does. An account is never locked.
 */
export class LogonRateLimiter {
  readonly #clock: AuthClock;
  readonly #options: Required<RateLimitOptions>;
  readonly #addresses: FailureTable;
  readonly #accounts: FailureTable;

  constructor(clock: AuthClock, options: RateLimitOptions = {}) {
    this.#clock = clock;
    this.#options = {
      freeFailures: options.freeFailures ?? 3,
      firstDelay: options.firstDelay ?? 250,
      longestDelay: options.longestDelay ?? 4_000,
      forgetAfter: options.forgetAfter ?? 15 * 60_000,
      tableSize: options.tableSize ?? 4_096,
      waitingPerAddress: options.waitingPerAddress ?? 4,
    };
    this.#addresses = new FailureTable(this.#options);
    this.#accounts = new FailureTable(this.#options);
  }

  /** `true`, at once or after the delay, where the attempt may go on; `false` where too many are waiting already. */
  admit(address: string, account: string): Awaitable<boolean> {
    const now = this.#clock.now();
    const entry = this.#addresses.get(address, now);
    const delay = Math.max(this.#addresses.delay(entry), this.#accounts.delay(this.#accounts.get(account, now)));
    if (delay === 0) return true;
    if (entry !== undefined) {
      if (entry.waiting >= this.#options.waitingPerAddress) return false;
      entry.waiting++;
    }
    return new Promise((resolve) => {
      this.#clock.after(delay, () => {
        if (entry !== undefined) entry.waiting--;
        resolve(true);
      });
    });
  }

  failed(address: string, account: string): void {
    const now = this.#clock.now();
    this.#addresses.fail(address, now);
    this.#accounts.fail(account, now);
  }

  succeeded(address: string, account: string): void {
    this.#addresses.forget(address);
    this.#accounts.forget(account);
  }
}
