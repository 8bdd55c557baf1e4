// SPDX-License-Identifier: Apache-2.0
/** Entry of `npm run bench`: Samba and Tessera on the same machine, turn about, and the ratios between them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mountImage } from "../conformance/lib/image.ts";
import { must } from "../conformance/lib/process.ts";
import { type ServerKind, startServer } from "../conformance/lib/server.ts";
import { tempDir } from "../conformance/lib/temp.ts";
import { missingTools } from "../conformance/lib/tools.ts";
import { type Benchmark, markdown, type Result, type Target } from "./benchmark.ts";
import { idleConnections } from "./memory.ts";
import { smbclientBenchmarks } from "./smbclient.ts";
import { tortureBenchmarks } from "./smbtorture.ts";

const usage = `usage: npm run bench -- [--quick] [--runs N] [--only TEXT] [--server samba|tessera] [--json FILE]

Medians of N runs (5; with --quick 1), measured in turn on both servers. --only takes measurements whose name holds TEXT.
`;

const benchmarks: readonly Benchmark[] = [...smbclientBenchmarks, ...tortureBenchmarks, idleConnections];

interface Options {
  readonly runs: number;
  readonly only: string;
  readonly kinds: readonly ServerKind[];
  readonly json: string;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      runs: { type: "string" },
      only: { type: "string", default: "" },
      server: { type: "string" },
      json: { type: "string", default: "bench/results.json" },
      help: { type: "boolean", default: false },
    },
  });
  const { server } = values;
  if (values.help || (server !== undefined && server !== "samba" && server !== "tessera")) return undefined;
  const runs = Number(values.runs ?? (values.quick ? 1 : 5));
  return { runs, only: values.only, kinds: server === undefined ? ["samba", "tessera"] : [server], json: values.json };
}

async function startTarget(kind: ServerKind, workDir: string, xfs: string, ext4: string): Promise<Target> {
  const folders = { xfs: join(xfs, kind), ext4: join(ext4, kind) };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  const shares = [
    { name: "xfs", path: folders.xfs },
    { name: "ext4", path: folders.ext4 },
  ];
  const server = await startServer(kind, { shares, workDir: join(workDir, kind), profile: "bench" });
  return { server, ...folders };
}

async function measure(
  benchmark: Benchmark,
  targets: readonly Target[],
  runs: number,
  client: string,
): Promise<Result> {
  const values: Record<ServerKind, number[]> = { samba: [], tessera: [] };
  for (const target of targets) await benchmark.prepare?.(target, client);
  for (let round = 0; round < (benchmark.once === true ? 1 : runs); round += 1) {
    // Who goes first alternates.
    for (const target of round % 2 === 0 ? targets : [...targets].reverse()) {
      // What the measurement before has left to be written to disk is none of this one's.
      await must("sync", []);
      try {
        values[target.server.kind].push(await benchmark.measure(target, client));
      } catch (error) {
        process.stderr.write(`${benchmark.name}: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }
  const { name, unit, better } = benchmark;
  return { name, unit, better, values };
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const missing = missingTools(["smbclient", "smbtorture", "smbd", "mkfs.xfs", "mkfs.ext4"]);
  if (missing.length > 0) {
    process.stderr.write(`missing: ${missing.join(", ")}; conformance/install-tools installs them\n`);
    return 1;
  }
  const folder = tempDir("bench");
  const client = join("/dev/shm", `tessera-bench-${process.pid}`);
  mkdirSync(client);
  const images = [await mountImage("xfs", folder.path, 6144), await mountImage("ext4", folder.path, 6144)];
  const [xfs = "", ext4 = ""] = images.map((image) => image.path);
  const targets: Target[] = [];
  const results: Result[] = [];
  try {
    for (const kind of options.kinds) targets.push(await startTarget(kind, folder.path, xfs, ext4));
    for (const benchmark of benchmarks.filter(({ name }) => name.includes(options.only))) {
      const result = await measure(benchmark, targets, options.runs, client);
      results.push(result);
      process.stderr.write(markdown([result]).split("\n").slice(2).join("\n"));
    }
  } finally {
    for (const target of targets) await target.server.stop();
    for (const image of images) await image.unmount();
    await must("rm", ["-rf", client]);
    folder.remove();
  }
  const samba = (await must("smbd", ["--version"])).stdout.trim().replace(/^Version /, "Samba ");
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, Linux ${release()}, Node ${process.version}, ${samba}`;
  process.stdout.write(`${markdown(results)}\n${machine}; medians of ${options.runs}.\n`);
  writeFileSync(options.json, `${JSON.stringify({ machine, runs: options.runs, results }, undefined, 2)}\n`);
  return results.every((result) => options.kinds.every((kind) => result.values[kind].length > 0)) ? 0 : 1;
}

process.exit(await main());
