// SPDX-License-Identifier: Apache-2.0

/** Steps from one power of two to the next: neighbouring bounds are 2.2 % apart. */
const STEPS = 32;

/** Durations in steps of a fixed ratio. What processes have counted can be sent as JSON and added up. */
export class Histogram {
  readonly #counts: number[];
  #total: number;

  /** @param counts what `toJSON` of another one gave */
  constructor(counts: readonly number[] = []) {
    this.#counts = [...counts];
    this.#total = counts.reduce((sum, count) => sum + count, 0);
  }

  /** @param milliseconds above 0; what is shorter than a microsecond counts as one */
  record(milliseconds: number): void {
    const bucket = Math.max(0, Math.round(Math.log2(milliseconds * 1000) * STEPS));
    while (this.#counts.length <= bucket) this.#counts.push(0);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  add(other: Histogram): void {
    other.#counts.forEach((count, bucket) => {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    });
    this.#total += other.#total;
  }

  /** Milliseconds that `share` of the durations, from 0 to 1, did not exceed; NaN where there are none. */
  quantile(share: number): number {
    const rank = share * this.#total;
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank && seen > 0) return 2 ** (bucket / STEPS) / 1000;
    }
    return Number.NaN;
  }

  toJSON(): readonly number[] {
    return this.#counts;
  }
}
