// SPDX-License-Identifier: Apache-2.0
/** Runs one suite of smbtorture and reads its results. */
import { run } from "../lib/process.ts";
import type { Status } from "../lib/report.ts";
import { type Account, administrator, alice, type RunningServer } from "../lib/server.ts";
import { caseNamed, needsAdministrator, shareOf, suiteOptions, type TortureSuite } from "./catalogue.ts";

export interface CaseResult {
  readonly name: string;
  readonly status: Status;
  /** The reason as smbtorture gives it; empty for a pass. */
  readonly detail: string;
}

interface PrintedResult {
  readonly printed: string;
  readonly status: Status;
  readonly detail: string;
}

const statusOf: Readonly<Record<string, Status>> = { success: "pass", failure: "fail", error: "fail", skip: "skip" };

/** Reads the subunit lines: `success: NAME`, or `failure: NAME [` with its reason up to a line `]`. */
export function parseSubunit(output: string): { results: PrintedResult[]; unfinished: string | undefined } {
  const results: PrintedResult[] = [];
  let unfinished: string | undefined;
  const lines = output.split("\n");
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    const begun = /^test: (.*)$/.exec(line);
    if (begun !== null) unfinished = begun[1];
    const match = /^(success|failure|error|skip): (.*?)( \[)?$/.exec(line);
    if (match === null) continue;
    const detail: string[] = [];
    if (match[3] !== undefined) {
      for (index += 1; index < lines.length && lines[index] !== "]"; index += 1) detail.push(lines[index] ?? "");
    }
    unfinished = undefined;
    results.push({ printed: match[2] ?? "", status: statusOf[match[1] ?? ""] ?? "fail", detail: detail.join("\n") });
  }
  return { results, unfinished };
}

export interface ExecuteOptions {
  /** Milliseconds for one smbtorture. */
  readonly timeout: number;
  /** Called before each start; gives the server to talk to, restarted if it died. */
  readonly server: () => Promise<RunningServer>;
  /** Only these cases instead of all. */
  readonly only?: readonly string[];
}

/** Runs a suite, or some of its cases, each as the user that it needs. */
export async function executeSuite(suite: TortureSuite, options: ExecuteOptions): Promise<CaseResult[]> {
  const wanted = suite.cases.filter((name) => options.only === undefined || options.only.includes(name));
  const asAdministrator = wanted.filter(needsAdministrator);
  const asUser = wanted.filter((name) => !needsAdministrator(name));
  const results = [
    ...(await executeAs(alice, suite, asUser, options)),
    ...(await executeAs(administrator, suite, asAdministrator, options)),
  ];
  return wanted.flatMap((name) => results.find((result) => result.name === name) ?? []);
}

/**
 * Runs cases of a suite as one user. Where smbtorture ends early (a crash, a time limit) the case it was in fails, and
 * the ones after it are run by a new smbtorture, so that one bad case does not hide the others.
 */
async function executeAs(
  { name: user, password }: Account,
  suite: TortureSuite,
  wanted: readonly string[],
  options: ExecuteOptions,
): Promise<CaseResult[]> {
  const done = new Map<string, CaseResult>();
  const undecided = () => wanted.filter((name) => !done.has(name));
  for (let whole = wanted.length === suite.cases.length; done.size < wanted.length; whole = false) {
    const server = await options.server();
    const left = undecided();
    const result = await run(
      "smbtorture",
      [
        ...["-s", "/dev/null", `//127.0.0.1/${shareOf(suite.name)}`, "-p", String(server.port)],
        ...["-U", `${user}%${password}`, ...suiteOptions(suite.name)],
        ...(whole ? [suite.name] : left),
      ],
      { timeout: options.timeout },
    );
    const { results, unfinished } = parseSubunit(result.output);
    const before = done.size;
    for (const { printed, status, detail } of results) {
      const name = caseNamed(suite.name, undecided(), printed);
      if (name !== undefined) done.set(name, { name, status, detail });
    }
    if (done.size >= wanted.length) break;
    const why = result.timedOut
      ? `no result within ${options.timeout / 1000} s`
      : `smbtorture ended with ${result.status}`;
    const blamed = unfinished === undefined ? undefined : caseNamed(suite.name, undecided(), unfinished);
    const name = blamed ?? (done.size > before ? undefined : left[0]);
    if (name !== undefined) done.set(name, { name, status: "fail", detail: `${why}\n${result.output.slice(-1000)}` });
  }
  return wanted.flatMap((name) => done.get(name) ?? []);
}
