// SPDX-License-Identifier: Apache-2.0
/** smbtorture's smb2.* against a table of expected results: a new failure and a new pass both fail the run. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type FileSystem, type Image, mountImage } from "../lib/image.ts";
import type { Report, SuiteContext } from "../lib/report.ts";
import { administrator, alice, bob, type RunningServer, type ShareSpec, startServer } from "../lib/server.ts";
import { smbclientOk } from "../lib/smbclient.ts";
import { type Row, readTable, writeTable } from "../lib/table.ts";
import {
  expectedSeconds,
  listSuites,
  needsSigning,
  presetFile,
  shareOf,
  suiteOf,
  type TortureSuite,
} from "./catalogue.ts";
import { type CaseResult, executeSuite } from "./execute.ts";

const expectedFile = fileURLToPath(new URL("expected.csv", import.meta.url));
/** Cases whose result hangs on the file system, as far as it differs from that on XFS. */
const differenceFile = (fileSystem: FileSystem) =>
  fileURLToPath(new URL(`expected-${fileSystem}.csv`, import.meta.url));

/** Suites that a run of everything repeats on btrfs: what they ask for is up to the file system. */
const fileSystemSuites = ["smb2.ioctl", "smb2.ioctl-on-stream", "smb2.set-sparse-ioctl", "smb2.zero-data-ioctl"];

interface Options {
  readonly suites: readonly string[];
  readonly cases: readonly string[];
  readonly update: boolean;
  readonly results: string | undefined;
  readonly jobs: number;
  /** Milliseconds for one suite. */
  readonly timeout: number;
  readonly fileSystem: FileSystem;
}

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: "string", multiple: true, default: [] },
      case: { type: "string", multiple: true, default: [] },
      update: { type: "boolean", default: false },
      results: { type: "string" },
      jobs: { type: "string", default: "2" },
      timeout: { type: "string", default: "600" },
      fs: { type: "string", default: "xfs" },
    },
  });
  const fileSystem = values.fs;
  if (fileSystem !== "xfs" && fileSystem !== "btrfs" && fileSystem !== "ext4") throw new Error(`--fs ${fileSystem}`);
  return {
    suites: values.suite,
    cases: values.case,
    update: values.update,
    results: values.results,
    jobs: Number(values.jobs),
    timeout: Number(values.timeout) * 1000,
    fileSystem,
  };
}

/** Keeps one server running for all suites: a new one is started where the old one died, and the death is reported. */
class SharedServer {
  #current: RunningServer | undefined;
  #starting: Promise<RunningServer> | undefined;
  readonly #start: () => Promise<RunningServer>;
  readonly #report: Report;

  constructor(start: () => Promise<RunningServer>, report: Report) {
    this.#start = start;
    this.#report = report;
  }

  get(): Promise<RunningServer> {
    if (this.#current?.alive() === true) return Promise.resolve(this.#current);
    if (this.#current !== undefined && this.#starting === undefined) {
      this.#report.add("smbtorture.server-alive", "fail", "the server died and was started again");
    }
    this.#starting ??= this.#start().then((server) => {
      this.#current = server;
      this.#starting = undefined;
      return server;
    });
    return this.#starting;
  }

  async stop(): Promise<void> {
    await this.#current?.stop();
  }
}

/** Compares with the table and reports; gives the row that an update would write. */
function judge(report: Report, result: CaseResult, expected: Row | undefined, fileSystem: FileSystem): Row {
  const { status, detail } = result;
  const name = fileSystem === "xfs" ? result.name : `${fileSystem}.${result.name}`;
  const unchanged = expected !== undefined && expected.status === status;
  const text = status === "pass" ? "" : (expected?.text ?? "");
  if (!unchanged) {
    const was = expected === undefined ? "is not in the table" : `expected ${expected.status} (${expected.text})`;
    const now = status === "pass" ? "a new pass" : status;
    report.add(name, "fail", `${now}: ${was}\n${detail}`);
  } else if (status === "pass") report.add(name, "pass");
  else if (text === "") report.add(name, "fail", `expected ${status}, but the table gives no reason\n${detail}`);
  else report.add(name, "skip", `expected ${status}: ${text}`);
  return { name: result.name, status, text };
}

async function prepare(suite: TortureSuite, server: RunningServer): Promise<void> {
  const needsFile = suite.name === "smb2.set-sparse-ioctl" || suite.name === "smb2.zero-data-ioctl";
  if (needsFile) await smbclientOk(server, shareOf(suite.name), `put /etc/hostname ${presetFile}`);
}

async function runAll(
  suites: readonly TortureSuite[],
  options: Options,
  serverFor: (suite: string) => Promise<RunningServer>,
): Promise<CaseResult[]> {
  const queue = [...suites].sort((a, b) => expectedSeconds(b.name) - expectedSeconds(a.name));
  const results = new Map<string, CaseResult>();
  const worker = async () => {
    for (let suite = queue.shift(); suite !== undefined; suite = queue.shift()) {
      const started = performance.now();
      await prepare(suite, await serverFor(suite.name));
      const done = await executeSuite(suite, {
        timeout: options.timeout,
        server: () => serverFor(suite.name),
        ...(options.cases.length > 0 ? { only: options.cases } : {}),
      });
      for (const result of done) results.set(result.name, result);
      const count = (status: string) => done.filter((result) => result.status === status).length;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(
        `# ${suite.name}: ${count("pass")} pass, ${count("fail")} fail, ${count("skip")} skip in ${seconds} s\n`,
      );
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  return suites.flatMap((suite) => suite.cases).flatMap((name) => results.get(name) ?? []);
}

function makeShares(folder: string, suites: readonly TortureSuite[]): ShareSpec[] {
  const names = suites.map((suite) => shareOf(suite.name));
  const shares: ShareSpec[] = [...names, "hideunread", "noperm"].map((name) => ({
    name,
    path: join(folder, name),
    ...(name === "dosmode" ? { hiddenNames: [".*", "hidefile"] } : {}),
    ...(name === "hideunread" ? { hideUnreadable: true } : {}),
    // Replays of persistent handles need a share that has them.
    ...(name === shareOf("smb2.replay") ? { continuousAvailability: true } : {}),
    ...(name === "noperm" ? { noAccess: true } : {}),
  }));
  for (const share of shares) mkdirSync(share.path, { recursive: true });
  return shares;
}

/** Runs suites on a file system of their own. */
async function runOn(
  context: SuiteContext,
  options: Options,
  fileSystem: FileSystem,
  suites: readonly TortureSuite[],
): Promise<CaseResult[]> {
  const image: Image = await mountImage(fileSystem, context.workDir, 2048);
  const shares = makeShares(image.path, suites);
  // bug_15346 connects to the standard port, whatever the command line says.
  const accounts = [alice, bob, administrator];
  const servers = new Map(
    [false, true].map((signingRequired) => {
      const workDir = join(context.workDir, `${fileSystem}-${signingRequired ? "signing" : "server"}`);
      const port = signingRequired ? 446 : 445;
      const start = () =>
        startServer(context.serverKind, { shares, accounts, workDir, signingRequired, port, allowAnonymous: true });
      return [signingRequired, new SharedServer(start, context.report)] as const;
    }),
  );
  try {
    return await runAll(suites, options, (suite) => {
      const server = servers.get(needsSigning(suite));
      if (server === undefined) throw new Error("no server");
      return server.get();
    });
  } finally {
    for (const server of servers.values()) await server.stop();
    await image.unmount();
  }
}

/** What is expected on a file system: what is on XFS, but for the differences. */
function expectationsFor(fileSystem: FileSystem): Map<string, Row> {
  const table = readTable(expectedFile);
  if (fileSystem !== "xfs") for (const [name, row] of readTable(differenceFile(fileSystem))) table.set(name, row);
  return table;
}

/** Writes the table in the order of the suites; for a file system other than XFS, what differs. */
function update(fileSystem: FileSystem, table: ReadonlyMap<string, Row>, everything: readonly TortureSuite[]): void {
  const base = fileSystem === "xfs" ? new Map<string, Row>() : readTable(expectedFile);
  const rows = everything
    .flatMap((suite) => suite.cases)
    .flatMap((name) => table.get(name) ?? [])
    .filter((row) => base.get(row.name)?.status !== row.status || base.get(row.name)?.text !== row.text);
  writeTable(fileSystem === "xfs" ? expectedFile : differenceFile(fileSystem), "case,expected,reason", rows);
}

async function torture(context: SuiteContext): Promise<void> {
  const options = readOptions(context.args);
  const everything = await listSuites();
  const chosen = everything.filter(
    ({ name }) =>
      (options.suites.length === 0 && options.cases.length === 0) ||
      options.suites.includes(name) ||
      options.cases.some((one) => suiteOf(one) === name),
  );
  if (chosen.length === 0) throw new Error("no such suite; smbtorture --list names them");
  const isWhole = chosen.length === everything.length && options.cases.length === 0;
  const runs: [FileSystem, readonly TortureSuite[]][] = [[options.fileSystem, chosen]];
  if (isWhole && context.serverKind === "tessera" && options.fileSystem === "xfs") {
    runs.push(["btrfs", everything.filter(({ name }) => fileSystemSuites.includes(name))]);
  }
  const all: CaseResult[] = [];
  for (const [fileSystem, suites] of runs) {
    const results = await runOn(context, options, fileSystem, suites);
    all.push(...results);
    if (context.serverKind === "samba") {
      // The oracle is looked at, not judged.
      for (const { name, status, detail } of results)
        process.stdout.write(`${name} ${status}\n${detail ? `${detail}\n` : ""}`);
      continue;
    }
    const table = expectationsFor(fileSystem);
    for (const result of results) {
      const row = judge(context.report, result, table.get(result.name), fileSystem);
      if (options.update) table.set(row.name, row);
    }
    if (options.update) update(fileSystem, table, everything);
    if (options.update || !isWhole || fileSystem !== options.fileSystem) continue;
    const known = new Set(everything.flatMap((suite) => suite.cases));
    for (const name of table.keys()) {
      if (!known.has(name))
        context.report.add(name, "fail", "the table names a case that this smbtorture does not have");
    }
  }
  if (options.results !== undefined) {
    const rows = all.map(({ name, status, detail }) => ({ name, status, text: detail }));
    writeTable(options.results, "case,status,detail", rows);
  }
}

export const smbtortureSuite = {
  name: "smbtorture",
  tools: ["smbtorture", "smbclient", "mkfs.xfs", "mkfs.btrfs", "unshare", "ip", "iptables"],
  ownNetwork: true,
  run: torture,
};
