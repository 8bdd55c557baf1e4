// SPDX-License-Identifier: Apache-2.0

/** Counts live connections, over all and per address, against their bounds. */
export class ConnectionLimits {
  readonly #total: number;
  readonly #perAddress: number;
  readonly #addresses = new Map<string, number>();
  #count = 0;

  constructor(total: number, perAddress: number) {
    this.#total = total;
    this.#perAddress = perAddress;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes a place for a connection; `undefined` when there was one, else the bound that forbids it. */
  take(address: string): "connections" | "connectionsPerAddress" | undefined {
    if (this.#count >= this.#total) {
      return "connections";
    }
    const sameAddress = this.#addresses.get(address) ?? 0;
    if (sameAddress >= this.#perAddress) {
      return "connectionsPerAddress";
    }
    this.#count++;
    this.#addresses.set(address, sameAddress + 1);
    return undefined;
  }

  /** Gives the place of a closed connection back. */
  release(address: string): void {
    const sameAddress = this.#addresses.get(address);
    if (sameAddress === undefined) {
      return;
    }
    this.#count--;
    if (sameAddress === 1) {
      this.#addresses.delete(address);
    } else {
      this.#addresses.set(address, sameAddress - 1);
    }
  }
}
