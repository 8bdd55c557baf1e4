// SPDX-License-Identifier: Apache-2.0
/** Cases with a status, printed as they come and counted at the end. */
import type { ServerKind } from "./server.ts";

export type Status = "pass" | "fail" | "skip";

export class Report {
  readonly #counts: Record<Status, number> = { pass: 0, fail: 0, skip: 0 };
  readonly #failures: string[] = [];

  /** Prints `case status`, with the detail below it, and counts. */
  add(name: string, status: Status, detail = ""): void {
    this.#counts[status] += 1;
    if (status === "fail") this.#failures.push(name);
    process.stdout.write(`${name} ${status}\n`);
    if (detail !== "" && status !== "pass") process.stdout.write(`${detail.trimEnd().replace(/^/gm, "    ")}\n`);
  }

  /** Runs a check; it passes when it does not throw. Returns whether it passed. */
  async check(name: string, body: () => Promise<void> | void): Promise<boolean> {
    try {
      await body();
      this.add(name, "pass");
      return true;
    } catch (error) {
      this.add(name, "fail", error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  get failed(): number {
    return this.#counts.fail;
  }

  /** Counts and failed cases, for `merge` in another process. */
  toJSON(): { counts: Record<Status, number>; failures: string[] } {
    return { counts: this.#counts, failures: this.#failures };
  }

  /** Adds what another process has counted and printed. */
  merge(other: ReturnType<Report["toJSON"]>): void {
    for (const status of ["pass", "fail", "skip"] as const) this.#counts[status] += other.counts[status];
    this.#failures.push(...other.failures);
  }

  summary(): string {
    const { pass, fail, skip } = this.#counts;
    const list = this.#failures.map((name) => `failed: ${name}\n`).join("");
    return `${list}${pass} passed, ${fail} failed, ${skip} skipped`;
  }
}

export interface SuiteContext {
  readonly report: Report;
  readonly serverKind: ServerKind;
  /** Folder of this suite's run; removed afterwards. */
  readonly workDir: string;
  /** Arguments after the suite's name. */
  readonly args: readonly string[];
}

export interface Suite {
  readonly name: string;
  /** Programs that have to be installed. */
  readonly tools: readonly string[];
  /** Runs in a network namespace of its own, where it may take port 445 and filter packets. Needs root. */
  readonly ownNetwork?: boolean;
  readonly run: (context: SuiteContext) => Promise<void>;
}

/** Throws `message` unless the condition holds. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
