// SPDX-License-Identifier: Apache-2.0

/** List identifiers of one I_T nexus (SPC-4 6.4.3): 32 bits, none used twice at a time. */
export class ListIdentifiers {
  readonly #used = new Set<number>();
  #next: number;

  /** @param first where to begin: another place than an earlier process has used */
  constructor(first: number) {
    this.#next = first >>> 0;
  }

  take(): number {
    while (this.#used.has(this.#next)) this.#next = (this.#next + 1) >>> 0;
    const identifier = this.#next;
    this.#used.add(identifier);
    this.#next = (identifier + 1) >>> 0;
    return identifier;
  }

  give(identifier: number): void {
    this.#used.delete(identifier);
  }
}
