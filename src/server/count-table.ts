// SPDX-License-Identifier: Apache-2.0

export interface TableEntry {
  readonly row: string;
  readonly column: string;
  readonly count: number;
}

/** Sums by two names. */
export class CountTable {
  readonly #rows = new Map<string, Map<string, number>>();

  add(row: string, column: string, count: number): void {
    let counts = this.#rows.get(row);
    if (counts === undefined) {
      counts = new Map();
      this.#rows.set(row, counts);
    }
    counts.set(column, (counts.get(column) ?? 0) + count);
  }

  *entries(): Generator<TableEntry> {
    for (const [row, counts] of this.#rows) {
      for (const [column, count] of counts) yield { row, column, count };
    }
  }
}
