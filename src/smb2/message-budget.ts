// SPDX-License-Identifier: Apache-2.0

/** Part of the maximum from which on memory is short. */
const SHORT = 3 / 4;

/**
 * The memory for requests and answers that all connections of a server share. None is refused: each connection says what it holds,
 * and takes no further request while that is more than what is left for all. So each may hold as much as everybody else who wants
 * much, and whoever comes later finds something left. A connection that holds nothing may always take one request, so that nobody is shut out
 * by others: by that much the maximum can be exceeded.
 */
export class MessageBudget {
  /** Bytes. */
  readonly maximum: number;
  readonly #shortFrom: number;
  #used = 0;
  /** Called whenever memory becomes short. */
  onShort: () => void = () => {};

  constructor(maximum: number) {
    this.maximum = maximum;
    this.#shortFrom = maximum * SHORT;
  }

  /** Bytes that connections hold. */
  get used(): number {
    return this.#used;
  }

  /** Bytes; below 0 where connections that held nothing have taken a request each. */
  get left(): number {
    return this.maximum - this.#used;
  }

  /** It is time to look for clients who hold much without need. */
  get isShort(): boolean {
    return this.#used >= this.#shortFrom;
  }

  /** A connection holds so many bytes more, or less. */
  change(bytes: number): void {
    const before = this.#used;
    this.#used += bytes;
    if (before < this.#shortFrom && this.#used >= this.#shortFrom) this.onShort();
  }
}
