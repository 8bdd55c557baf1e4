// SPDX-License-Identifier: Apache-2.0
/** Entry of `npm run conformance`: runs the named suites, or all of them, and counts. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onExit } from "./lib/process.ts";
import { Report, type Suite } from "./lib/report.ts";
import type { ServerKind } from "./lib/server.ts";
import { tempDir } from "./lib/temp.ts";
import { missingTools } from "./lib/tools.ts";
import { suites } from "./suites.ts";

const usage = `usage: conformance/run [--server tessera|samba] [SUITE [SUITE'S OPTIONS ...]]

Runs one suite with its options, or all of them with none. Suites: ${suites.map((suite) => suite.name).join(", ")}
`;

/** Set in the process that `runInOwnNetwork` starts: the file for its counts. */
const reportVariable = "TESSERA_CONFORMANCE_REPORT";

/** Runs one suite in a new process, in a network namespace with nothing but a loopback interface. */
async function runInOwnNetwork(
  suite: Suite,
  serverKind: ServerKind,
  args: readonly string[],
  report: Report,
): Promise<void> {
  const folder = tempDir("conformance-report");
  const file = join(folder.path, "report.json");
  const main = fileURLToPath(import.meta.url);
  const child = spawn(
    "unshare",
    [
      ...["--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"],
      ...[process.execPath, ...process.execArgv, main, "--server", serverKind, suite.name, ...args],
    ],
    { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, [reportVariable]: file } },
  );
  // The child cleans up after itself.
  const release = onExit(() => child.kill("SIGTERM"));
  const status = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(-1));
    child.once("exit", (code) => resolve(code ?? -1));
  });
  release();
  if (existsSync(file)) report.merge(JSON.parse(readFileSync(file, "utf8")));
  else report.add(suite.name, "fail", `the suite's process ended with ${status} and left no report`);
  folder.remove();
}

async function runSuite(suite: Suite, serverKind: ServerKind, args: readonly string[], report: Report): Promise<void> {
  const missing = missingTools(suite.tools);
  if (missing.length > 0) {
    // In continuous integration nothing may go untested without notice.
    const status = process.env["CI"] === "true" ? "fail" : "skip";
    report.add(suite.name, status, `missing: ${missing.join(", ")}; conformance/install-tools installs them`);
    return;
  }
  if (suite.ownNetwork === true && process.env[reportVariable] === undefined) {
    return runInOwnNetwork(suite, serverKind, args, report);
  }
  const folder = tempDir(`conformance-${suite.name}`);
  const started = performance.now();
  try {
    await suite.run({ report, serverKind, workDir: folder.path, args });
  } catch (error) {
    report.add(suite.name, "fail", error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    folder.remove();
  }
  process.stdout.write(`# ${suite.name}: ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

async function main(argv: readonly string[]): Promise<number> {
  const rest = [...argv];
  let serverKind: ServerKind = "tessera";
  while (rest[0]?.startsWith("-") === true) {
    const option = rest.shift();
    const value = option === "--server" ? rest.shift() : undefined;
    if (option === "--server" && (value === "tessera" || value === "samba")) serverKind = value;
    else {
      process.stdout.write(usage);
      return option === "--help" ? 0 : 2;
    }
  }
  const [name, ...args] = rest;
  const chosen = name === undefined ? suites : suites.filter((suite) => suite.name === name);
  if (chosen.length === 0) {
    process.stderr.write(`unknown suite ${name}\n${usage}`);
    return 2;
  }
  const report = new Report();
  for (const suite of chosen) await runSuite(suite, serverKind, args, report);
  const reportFile = process.env[reportVariable];
  if (reportFile === undefined) process.stdout.write(`${report.summary()}\n`);
  else writeFileSync(reportFile, JSON.stringify(report));
  return report.failed > 0 ? 1 : 0;
}

process.exit(await main(process.argv.slice(2)));
