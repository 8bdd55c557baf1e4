// SPDX-License-Identifier: Apache-2.0

import type { Clock, Logger, Timer } from "../smb2/server-context.ts";
import { formatDuration } from "./config/units.ts";
import type { CountTable } from "./count-table.ts";

export interface CopyReportOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** Milliseconds; 0 for no reports. */
  readonly interval: number;
  /** Bytes by operation and way. */
  readonly copied: CountTable;
  /** Requests by operation and reason. */
  readonly refused: CountTable;
  readonly tokens: () => { readonly tokens: number; readonly pinnedBytes: number };
}

type Sums = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Now and then a line in the log that says what has been copied on the server since the last one; none where nothing was. */
export class CopyReport {
  readonly #options: CopyReportOptions;
  #timer: Timer | undefined;
  #copied = new Map<string, number>();
  #refused = new Map<string, number>();

  constructor(options: CopyReportOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Tells what has not been told yet, and ends. */
  close(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#report();
  }

  #schedule(): void {
    const { clock, interval } = this.#options;
    if (interval === 0) return;
    this.#timer = clock.after(interval, () => {
      this.#report();
      this.#schedule();
    });
  }

  #report(): void {
    const { log, copied, refused, tokens, interval } = this.#options;
    const newlyCopied = sinceThen(copied, this.#copied);
    const newlyRefused = sinceThen(refused, this.#refused);
    if (newlyCopied === undefined && newlyRefused === undefined) return;
    const { tokens: held, pinnedBytes } = tokens();
    log.info(
      {
        within: formatDuration(interval),
        ...(newlyCopied === undefined ? {} : { bytes: newlyCopied }),
        ...(newlyRefused === undefined ? {} : { refused: newlyRefused }),
        tokens: held,
        pinnedBytes,
      },
      "copies on the server",
    );
  }
}

/** What a table has grown by since `before`, which is brought up to date; `undefined` for nothing. */
function sinceThen(table: CountTable, before: Map<string, number>): Sums | undefined {
  const sums: Record<string, Record<string, number>> = {};
  for (const { row, column, count } of table.entries()) {
    const key = `${row}\0${column}`;
    const grown = count - (before.get(key) ?? 0);
    if (grown === 0) continue;
    before.set(key, count);
    const columns = sums[row] ?? {};
    columns[column] = grown;
    sums[row] = columns;
  }
  return Object.keys(sums).length === 0 ? undefined : sums;
}
