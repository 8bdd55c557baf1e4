// SPDX-License-Identifier: Apache-2.0

import type { ByteRange } from "../volume.ts";

interface Holder {
  readonly offset: number;
  readonly end: number;
  readonly exclusive: boolean;
}

interface Waiter extends Holder {
  readonly grant: () => void;
}

/** Lets who reads a range in together with others who read, and who changes it in alone; in the order of their coming. */
export class RangeLock {
  readonly #holders = new Set<Holder>();
  #waiters: Waiter[] = [];

  /** Runs `action` while the range is held. */
  async run<T>({ offset, length }: ByteRange, exclusive: boolean, action: () => Promise<T>): Promise<T> {
    const wanted: Holder = { offset, end: offset + length, exclusive };
    if (this.#isFree(wanted, this.#waiters)) this.#holders.add(wanted);
    else await new Promise<void>((grant) => this.#waiters.push({ ...wanted, grant: () => this.#enter(wanted, grant) }));
    try {
      return await action();
    } finally {
      this.#holders.delete(wanted);
      this.#admit();
    }
  }

  #enter(holder: Holder, grant: () => void): void {
    this.#holders.add(holder);
    grant();
  }

  #isFree(wanted: Holder, earlier: readonly Holder[]): boolean {
    for (const holder of this.#holders) if (conflicts(holder, wanted)) return false;
    return !earlier.some((waiter) => conflicts(waiter, wanted));
  }

  #admit(): void {
    const still: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (this.#isFree(waiter, still)) waiter.grant();
      else still.push(waiter);
    }
    this.#waiters = still;
  }
}

function conflicts(a: Holder, b: Holder): boolean {
  return (a.exclusive || b.exclusive) && a.offset < b.end && b.offset < a.end;
}
