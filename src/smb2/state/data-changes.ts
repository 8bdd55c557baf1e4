// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import type { StreamPreserver } from "../../offload/stream-preserver.ts";
import type { ByteRange } from "../../vfs/volume.ts";

/** A change of everything there is. */
export const WHOLE: ByteRange = { offset: 0, length: Number.MAX_SAFE_INTEGER };

/** A change of everything from an offset on: the size. */
export function everythingFrom(offset: number): ByteRange {
  return { offset, length: Number.MAX_SAFE_INTEGER - offset };
}

/** The changes that the server makes to the data of a stream: whoever needs the old data has them kept first. */
export class DataChanges {
  /** Another number after each change has begun. */
  generation = 0;
  /** Present while tokens stand for data of the stream. */
  preserver: StreamPreserver | undefined;
  #active = 0;
  #waiting: (() => void)[] = [];

  /** A change is under way: what is read now may be neither old nor new. */
  get isActive(): boolean {
    return this.#active > 0;
  }

  /** Runs a change of a range of bytes: at once, unless something of it has to be kept. */
  run<T>(range: ByteRange, change: () => Awaitable<T>): Awaitable<T> {
    this.generation++;
    this.#active++;
    let result: Awaitable<T>;
    try {
      result = this.preserver === undefined ? change() : this.preserver.change(range, change);
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
