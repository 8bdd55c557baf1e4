// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";

/** Counts the changes that the server makes to the data of a stream, so that nobody takes old data for new ones. */
export class DataChanges {
  /** Another number after each change has begun. */
  generation = 0;
  #active = 0;
  #waiting: (() => void)[] = [];

  /** A change is under way: what is read now may be neither old nor new. */
  get isActive(): boolean {
    return this.#active > 0;
  }

  /** Runs a change. */
  run<T>(change: () => Awaitable<T>): Awaitable<T> {
    this.generation++;
    this.#active++;
    let result: Awaitable<T>;
    try {
      result = change();
    } catch (error) {
      this.#ended();
      throw error;
    }
    if (!(result instanceof Promise)) {
      this.#ended();
      return result;
    }
    return result.finally(() => this.#ended());
  }

  /** Resolves when no change is under way. */
  idle(): Promise<void> {
    if (this.#active === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #ended(): void {
    this.#active--;
    if (this.#active > 0 || this.#waiting.length === 0) return;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
