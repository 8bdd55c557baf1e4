// SPDX-License-Identifier: Apache-2.0
/** Runs iscsi-test-cu and reads what CUnit prints: one line for each test, its failed assertions below. */
import { run } from "../lib/process.ts";
import type { Status } from "../lib/report.ts";

export interface CaseResult {
  /** `SCSI.Read10.Simple` */
  readonly name: string;
  readonly status: Status;
  /** The failed assertions, or why it was skipped; empty for a pass. */
  readonly detail: string;
}

const testLine = /^ {2}Test: (\S+) \.\.\.(.*)$/;
const suiteLine = /^Suite: (\S+)$/;
const note = /\[(SKIPPED|FAILED|WARNING)\] (.*)$/;
const assertion = /^ {4}\d+\. (.*)$/;

/**
 * Reads the report of one family. A test that skips itself counts as passed with CUnit; here it is a skip where it says
 * so and nothing failed.
 */
export function parseReport(family: string, output: string): CaseResult[] {
  const results: CaseResult[] = [];
  let suite = "";
  let test: string | undefined;
  let failed = false;
  let skips: string[] = [];
  let failures: string[] = [];
  const finish = () => {
    if (test === undefined) return;
    const status = failed ? "fail" : skips.length > 0 ? "skip" : "pass";
    const detail = failed ? failures.join("\n") : (skips[0] ?? "");
    results.push({ name: `${family}.${suite}.${test}`, status, detail });
    test = undefined;
  };
  for (const line of output.split("\n")) {
    const begun = testLine.exec(line);
    const entered = suiteLine.exec(line);
    if (begun !== null || entered !== null) finish();
    if (entered !== null) suite = entered[1] ?? "";
    if (begun !== null) {
      test = begun[1];
      failed = false;
      skips = [];
      failures = [];
    }
    if (test === undefined) continue;
    const rest = begun === null ? line : (begun[2] ?? "");
    const ended = /^(passed|FAILED)/.exec(rest.trimStart());
    // What follows `passed` on its line is from the clean-up after the suite.
    const said = note.exec(ended === null ? rest : "");
    if (said?.[1] === "SKIPPED") skips.push(said[2] ?? "");
    if (said?.[1] === "FAILED" && !failed) failures.push(said[2] ?? "");
    if (ended?.[1] === "FAILED") failed = true;
    if (ended?.[1] === "passed") finish();
    const broken = assertion.exec(line);
    if (broken !== null) {
      failed = true;
      failures.push(broken[1] ?? "");
    }
    if (/^Run Summary/.test(line)) finish();
  }
  finish();
  return results;
}

/** Runs the tests of one family on a LUN that may be destroyed. */
export async function runTestCu(
  family: string,
  urls: readonly string[],
  timeout: number,
): Promise<{ readonly results: CaseResult[]; readonly finished: boolean; readonly output: string }> {
  const { output, timedOut } = await run("iscsi-test-cu", ["-d", "-t", family, ...urls], { timeout });
  return {
    results: parseReport(family.split(".")[0] ?? family, output),
    finished: !timedOut && /^Tests completed/m.test(output),
    output,
  };
}
