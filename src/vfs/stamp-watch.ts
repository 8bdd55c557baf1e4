// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import type { ChangeWatch } from "./outside-changes.ts";

/** Watches by a stamp that is another one after each change: what does not happen inside a bracket is somebody else's. */
export abstract class StampWatch<S extends string | number> implements ChangeWatch {
  readonly #stampNow: () => S;
  #stamp: S;
  #intact = true;
  #active = 0;

  /** @param stamp that of the data to rely on  @param stampNow must not throw */
  protected constructor(stamp: S, stampNow: () => S) {
    this.#stamp = stamp;
    this.#stampNow = stampNow;
  }

  get isIntact(): boolean {
    // While a change of one's own is under way, the stamp tells nothing.
    if (this.#intact && this.#active === 0) this.#intact = this.#stampNow() === this.#stamp;
    return this.#intact;
  }

  changing<T>(change: () => Awaitable<T>): Awaitable<T> {
    this.begin();
    let result: Awaitable<T>;
    try {
      result = change();
    } catch (error) {
      this.finish();
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => this.finish());
    this.finish();
    return result;
  }

  begin(): void {
    void this.isIntact;
    this.#active++;
  }

  finish(): void {
    if (--this.#active === 0 && this.#intact) this.#stamp = this.#stampNow();
  }

  abstract end(): void;
}

/** Watches data of which the volume itself counts the changes. */
export class CountWatch extends StampWatch<number> {
  constructor(changes: () => number) {
    super(changes(), changes);
  }

  end(): void {}
}
