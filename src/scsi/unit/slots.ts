// SPDX-License-Identifier: Apache-2.0

const MINIMUM_SLOTS = 1;

/** Bounds how many commands, and how many bytes of data, are at the unit at one time; the rest waits in order. */
export class Slots {
  readonly #maximum: number;
  readonly #maximumBytes: number;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  #limit: number;
  #used = 0;
  #bytes = 0;
  #sinceFull = 0;

  constructor(maximum: number, maximumBytes: number) {
    this.#maximum = maximum;
    this.#maximumBytes = maximumBytes;
    this.#limit = maximum;
  }

  get inFlight(): number {
    return this.#used;
  }

  /** Takes a slot at once where that is possible. @returns a promise that resolves when the slot is taken, else undefined */
  take(bytes: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#used++;
      this.#bytes += bytes;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push({ bytes, go: resolve }));
  }

  give(bytes: number): void {
    this.#used--;
    this.#bytes -= bytes;
    // What TASK SET FULL took away comes back while all goes well.
    if (this.#limit < this.#maximum && ++this.#sinceFull >= this.#limit * 8) {
      this.#limit++;
      this.#sinceFull = 0;
    }
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used++;
      this.#bytes += next.bytes;
      next.go();
    }
  }

  /** The unit had no room for as many commands as it was given. */
  full(): void {
    this.#limit = Math.max(MINIMUM_SLOTS, Math.min(this.#limit, this.#used) - 1);
    this.#sinceFull = 0;
  }

  /** A command that alone is larger than all that may be in flight goes alone. */
  #fits(bytes: number): boolean {
    return this.#used < this.#limit && (this.#used === 0 || this.#bytes + bytes <= this.#maximumBytes);
  }
}
