// SPDX-License-Identifier: Apache-2.0
/**
 * Entry of `npm run bench:offload`: a large file copied on the server. Offloaded (ODX) and by copychunk against Tessera, by copychunk
 * against Samba, and by `cp` on the machine itself. Needs root, for its XFS and ext4 images.
 */
import { linkSync, mkdirSync, rmSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Image, mountImage } from "../conformance/lib/image.ts";
import { must } from "../conformance/lib/process.ts";
import { cpuSeconds, type RunningServer, type ServerKind, startServer } from "../conformance/lib/server.ts";
import { smbclientOk } from "../conformance/lib/smbclient.ts";
import { tempDir, writeRandomFile } from "../conformance/lib/temp.ts";
import { missingTools } from "../conformance/lib/tools.ts";
import { offloadCopy } from "../test/support/offload-client.ts";
import { mountTcp } from "../test/support/tcp-client.ts";
import { median } from "./report.ts";

const usage = `usage: npm run bench:offload -- [--quick] [--runs N] [--size GIB] [--fs xfs|ext4]

Medians of N runs (5; with --quick 1) with a file of random data (4 GiB; with --quick 1), on both file systems or one of them. The
images lie in the folder for temporary files (TMPDIR).
`;

const GiB = 1024 ** 3;
/** Copies in one measurement: where blocks are shared, a single one is over too soon for the clock of processor time. */
const COPIES: Readonly<Record<"xfs" | "ext4", number>> = { xfs: 8, ext4: 1 };
const KINDS: readonly ServerKind[] = ["samba", "tessera"];

/** One measurement, for each copy. */
interface Sample {
  readonly seconds: number;
  /** Of the server's processor time, for each GiB. */
  readonly cpu?: number;
  readonly requests?: number;
  readonly traffic?: number;
}

interface Place {
  readonly fileSystem: "xfs" | "ext4";
  readonly path: string;
  readonly bytes: number;
  readonly servers: ReadonlyMap<ServerKind, RunningServer>;
}

interface Way {
  readonly name: string;
  readonly fileSystem: "xfs" | "ext4";
  readonly run: (place: Place) => Promise<Sample>;
}

const copyNames = (place: Place) => Array.from({ length: COPIES[place.fileSystem] }, (_, index) => `copy-${index}`);

function serverOf(place: Place, kind: ServerKind): RunningServer {
  const server = place.servers.get(kind);
  if (server === undefined) throw new Error(`no ${kind}`);
  return server;
}

/** Runs copies into an empty place, with nothing left to be written to disk by whatever was before. */
async function timed(place: Place, folder: string, run: () => Promise<void>): Promise<number> {
  const erase = () => {
    for (const name of copyNames(place)) rmSync(join(folder, name), { force: true });
  };
  erase();
  await must("sync", []);
  const started = performance.now();
  await run();
  const seconds = (performance.now() - started) / 1000;
  erase();
  return seconds / COPIES[place.fileSystem];
}

/** The processor time that a server spends on a measurement, for each GiB copied. */
async function withCpu(place: Place, server: RunningServer, run: () => Promise<Sample>): Promise<Sample> {
  const before = cpuSeconds(server.pid);
  const sample = await run();
  const gibibytes = (COPIES[place.fileSystem] * place.bytes) / GiB;
  return { ...sample, cpu: (cpuSeconds(server.pid) - before) / gibibytes };
}

/** From opening to closing, on a connection that is there. */
async function odx(place: Place): Promise<Sample> {
  const server = serverOf(place, "tessera");
  const { name, password } = server.account;
  const { tree, transport, close } = await mountTcp(server.port, { userName: name, password }, place.fileSystem);
  try {
    return await withCpu(place, server, async () => {
      const before = transport.traffic;
      let requests = 0;
      const seconds = await timed(place, join(place.path, "tessera"), async () => {
        for (const copy of copyNames(place)) {
          const source = await tree.create("source");
          const target = await tree.createFile(copy);
          requests = (await offloadCopy(source, target, place.bytes)).requests;
          await target.close();
          await source.close();
        }
      });
      return { seconds, requests, traffic: (transport.traffic - before) / COPIES[place.fileSystem] };
    });
  } finally {
    close();
  }
}

/** smbclient's scopy, less what smbclient takes to start and log on. */
async function scopy(place: Place, kind: ServerKind): Promise<Sample> {
  const server = serverOf(place, kind);
  const client = (commands: string) => smbclientOk(server, place.fileSystem, commands, { timeout: 600_000 });
  const base: number[] = [];
  for (let sample = 0; sample < 3; sample += 1) {
    const started = performance.now();
    await client("pwd");
    base.push((performance.now() - started) / 1000);
  }
  return withCpu(place, server, async () => {
    const commands = copyNames(place).map((copy) => `scopy source ${copy}`);
    const seconds = await timed(place, join(place.path, kind), async () => {
      await client(commands.join("; "));
    });
    return { seconds: seconds - Math.min(...base) / COPIES[place.fileSystem] };
  });
}

async function localCopy(place: Place, ...options: readonly string[]): Promise<Sample> {
  const folder = join(place.path, "tessera");
  const seconds = await timed(place, folder, async () => {
    for (const copy of copyNames(place))
      await must("cp", [...options, "source", copy], { cwd: folder, timeout: 600_000 });
  });
  return { seconds };
}

const ways: readonly Way[] = [
  { name: "ODX, Tessera", fileSystem: "xfs", run: odx },
  { name: "scopy (copychunk), Tessera", fileSystem: "xfs", run: (place) => scopy(place, "tessera") },
  { name: "scopy (copychunk), Samba", fileSystem: "xfs", run: (place) => scopy(place, "samba") },
  { name: "cp --reflink=always, local", fileSystem: "xfs", run: (place) => localCopy(place, "--reflink=always") },
  { name: "ODX, Tessera", fileSystem: "ext4", run: odx },
  { name: "scopy (copychunk), Samba", fileSystem: "ext4", run: (place) => scopy(place, "samba") },
  { name: "cp, local", fileSystem: "ext4", run: (place) => localCopy(place) },
];

function table(results: ReadonlyMap<Way, readonly Sample[]>): string {
  const rows = [...results].map(([way, samples]) => {
    const of = (pick: (sample: Sample) => number | undefined, digits: number) => {
      const values = samples.map(pick).filter((value) => value !== undefined);
      return values.length === 0 ? "" : median(values).toFixed(digits);
    };
    const seconds = samples.map((sample) => sample.seconds);
    const range = `${Math.min(...seconds).toFixed(3)} – ${Math.max(...seconds).toFixed(3)}`;
    const cells = [
      of((s) => s.seconds, 3),
      range,
      of((s) => s.cpu, 3),
      of((s) => s.requests, 0),
      of((s) => s.traffic, 0),
    ];
    return `| ${way.fileSystem === "xfs" ? "XFS" : "ext4"}: ${way.name} | ${cells.join(" | ")} |`;
  });
  const head =
    "| way | seconds | best – worst | server's processor, s/GiB | requests past open and close | bytes on the wire |\n" +
    "|---|---:|---:|---:|---:|---:|";
  return `${head}\n${rows.join("\n")}\n`;
}

async function prepare(fileSystem: "xfs" | "ext4", folder: string, bytes: number): Promise<Image> {
  // The source, a copy, and what the file system needs for itself.
  const space = fileSystem === "xfs" ? bytes : 2 * bytes;
  const image = await mountImage(fileSystem, folder, Math.ceil((space * 1.15) / 1024 ** 2) + 1024);
  await writeRandomFile(join(image.path, "source"), bytes);
  await must("chmod", ["666", join(image.path, "source")]);
  for (const kind of KINDS) {
    mkdirSync(join(image.path, kind));
    // Both servers copy the very same data; on XFS from files of their own that share them.
    const own = join(image.path, kind, "source");
    if (fileSystem === "ext4") linkSync(join(image.path, "source"), own);
    else await must("cp", ["-p", "--reflink=always", join(image.path, "source"), own]);
  }
  return image;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      runs: { type: "string" },
      size: { type: "string" },
      fs: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const runs = Number(values.runs ?? (values.quick ? 1 : 5));
  const bytes = Number(values.size ?? (values.quick ? 1 : 4)) * GiB;
  const chosen = (["xfs", "ext4"] as const).filter((name) => values.fs === undefined || values.fs === name);
  if (
    values.help ||
    chosen.length === 0 ||
    !Number.isInteger(runs) ||
    runs < 1 ||
    !Number.isInteger(bytes) ||
    bytes < 1
  ) {
    process.stderr.write(usage);
    return 2;
  }
  const missing = missingTools(["smbclient", "smbd", "mkfs.xfs", "mkfs.ext4"]);
  if (missing.length > 0) {
    process.stderr.write(`missing: ${missing.join(", ")}; conformance/install-tools installs them\n`);
    return 1;
  }
  const folder = tempDir("bench-offload");
  const servers = new Map<ServerKind, RunningServer>();
  const images = new Map<string, Image>();
  const measured = ways.filter(({ fileSystem }) => chosen.includes(fileSystem));
  const results = new Map<Way, Sample[]>(measured.map((way) => [way, []]));
  try {
    for (const name of chosen) images.set(name, await prepare(name, folder.path, bytes));
    for (const kind of KINDS) {
      const shares = [...images].map(([name, { path }]) => ({ name, path: join(path, kind) }));
      servers.set(kind, await startServer(kind, { shares, workDir: join(folder.path, kind), profile: "bench" }));
    }
    for (let round = 0; round < runs; round += 1) {
      // What comes first changes from round to round.
      for (const way of round % 2 === 0 ? measured : [...measured].reverse()) {
        const { fileSystem } = way;
        const path = images.get(fileSystem)?.path ?? "";
        const sample = await way.run({ fileSystem, path, bytes, servers });
        results.get(way)?.push(sample);
        process.stderr.write(`${fileSystem}: ${way.name}: ${JSON.stringify(sample)}\n`);
      }
    }
  } finally {
    for (const server of servers.values()) await server.stop();
    for (const image of images.values()) await image.unmount();
    folder.remove();
  }
  const samba = (await must("smbd", ["--version"])).stdout.trim().replace(/^Version /, "Samba ");
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, Linux ${release()}, Node ${process.version}, ${samba}`;
  process.stdout.write(`${table(results)}\n${bytes / GiB} GiB; ${machine}; medians of ${runs}.\n`);
  return 0;
}

process.exit(await main());
