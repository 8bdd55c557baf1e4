// SPDX-License-Identifier: Apache-2.0
/**
 * Entry of `npm run bench:array`: a share on the simulated array. Copies by the array, through the gateway and through the client; plain
 * reads and writes against those of QEMU's initiator on the LUN itself. The LUNs and the client's files lie in /dev/shm.
 */
import { mkdirSync, rmSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { copyByToken, withTree } from "../conformance/array-share/files.ts";
import { Gateway, shareOn } from "../conformance/array-share/gateway.ts";
import { launchArray, type RunningArray } from "../conformance/lib/array.ts";
import { must } from "../conformance/lib/process.ts";
import { cpuSeconds } from "../conformance/lib/server.ts";
import { smbclient, smbclientOk } from "../conformance/lib/smbclient.ts";
import { writeRandomFile } from "../conformance/lib/temp.ts";
import { missingTools } from "../conformance/lib/tools.ts";
import { median } from "./report.ts";

const usage = `usage: npm run bench:array -- [--runs N] [--size MIB]

Medians of N runs (5) with a file of random data (1024 MiB).
`;

const MiB = 1024 ** 2;

interface Sample {
  readonly seconds: number;
  /** Bytes between the gateway, or the client, and the array. */
  readonly iscsi: number;
  /** Seconds of the gateway's processor time. */
  readonly cpu?: number;
}

interface Place {
  readonly near: RunningArray;
  readonly gateway: Gateway;
  /** Folder of the client's files. */
  readonly folder: string;
  readonly bytes: number;
}

interface Way {
  readonly name: string;
  readonly run: (place: Place) => Promise<void>;
  /** Without the gateway. */
  readonly direct?: boolean;
}

const client = ({ gateway, folder }: Place, share: string, commands: string) =>
  smbclientOk(gateway.server, share, `lcd ${folder}; ${commands}`, { timeout: 600_000 }).then(() => undefined);

function tokenCopy({ gateway }: Place, share: string): Promise<void> {
  return withTree(gateway, "near", (from) => withTree(gateway, share, (to) => copyByToken(from, "source", to, "copy")));
}

const qemu = ["-f", "raw", "-O", "raw", "-t", "none", "-T", "none"];

const ways: readonly Way[] = [
  { name: "copy: ODX, by the array", run: (place) => tokenCopy(place, "near") },
  {
    name: "copy: smbclient's scopy (copychunk), by the array",
    run: (place) => client(place, "near", "scopy source copy"),
  },
  { name: "copy: ODX to a share on another array, through the gateway", run: (place) => tokenCopy(place, "far") },
  {
    name: "copy: through the client (get and put)",
    run: (place) => client(place, "near", "get source moved; put moved copy"),
  },
  { name: "read: smbclient's get", run: (place) => client(place, "near", "get source back") },
  {
    name: "read: qemu-img from the LUN",
    direct: true,
    run: async ({ near, folder }) => {
      await must("qemu-img", ["convert", ...qemu, near.url(1), join(folder, "back")]);
    },
  },
  { name: "write: smbclient's put", run: (place) => client(place, "near", "put file written") },
  {
    name: "write: qemu-img to the LUN",
    direct: true,
    run: async ({ near, folder }) => {
      await must("qemu-img", ["convert", "-n", ...qemu, join(folder, "file"), near.url(1)]);
    },
  },
];

async function measure(place: Place, way: Way): Promise<Sample> {
  const { near, gateway, folder } = place;
  for (const name of ["back", "moved"]) rmSync(join(folder, name), { force: true });
  const traffic = await near.traffic();
  const cpu = cpuSeconds(gateway.server.pid);
  const started = performance.now();
  await way.run(place);
  const seconds = (performance.now() - started) / 1000;
  const sample = { seconds, iscsi: (await near.traffic()) - traffic };
  const used = cpuSeconds(gateway.server.pid) - cpu;
  if (way.name.startsWith("copy")) {
    // On one of the two it is.
    for (const share of ["near", "far"]) await smbclient(gateway.server, share, "rm copy");
  }
  return way.direct === true ? sample : { ...sample, cpu: used };
}

function table(results: ReadonlyMap<Way, readonly Sample[]>, bytes: number): string {
  const rows = [...results].map(([{ name }, samples]) => {
    const seconds = samples.map((sample) => sample.seconds);
    const middle = median(seconds);
    const used = samples.flatMap(({ cpu }) => cpu ?? []);
    const cells = [
      middle.toFixed(2),
      `${Math.min(...seconds).toFixed(2)} – ${Math.max(...seconds).toFixed(2)}`,
      (bytes / 1e6 / middle).toFixed(0),
      median(samples.map(({ iscsi }) => iscsi)).toLocaleString("en-US"),
      used.length === 0 ? "" : median(used).toFixed(2),
    ];
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  const head =
    "| way | seconds | best – worst | MB/s | bytes to and from the array | gateway's processor, s |\n|---|---:|---:|---:|---:|---:|";
  return `${head}\n${rows.join("\n")}\n`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5" },
      size: { type: "string", default: "1024" },
      help: { type: "boolean", default: false },
    },
  });
  const missing = missingTools(["smbclient", "qemu-img"]);
  if (values.help || missing.length > 0) {
    process.stderr.write(missing.length > 0 ? `missing: ${missing.join(", ")}\n` : usage);
    return 2;
  }
  const [runs, size] = [Number(values.runs), Number(values.size)];
  const folder = join("/dev/shm", `tessera-bench-${process.pid}`);
  mkdirSync(folder);
  const arrays: RunningArray[] = [];
  let gateway: Gateway | undefined;
  try {
    const lun = (name: string, mebibytes: number) => ["--lun", `${join(folder, name)}:${mebibytes}M,id=${name}`];
    const near = await launchArray(folder, 1, [
      "--identity",
      "near",
      ...lun("lun0", 4 * size + 64),
      ...lun("raw", size),
    ]);
    arrays.push(near);
    const far = await launchArray(folder, 1, ["--identity", "far", ...lun("far", 2 * size + 64)]);
    arrays.push(far);
    gateway = await Gateway.launch({
      folder: join(folder, "gateway"),
      shares: [shareOn("near", near, 0), shareOn("far", far, 0)],
    });
    const place = { near, gateway, folder, bytes: size * MiB };
    await writeRandomFile(join(folder, "file"), place.bytes);
    await client(place, "near", "put file source");
    await must("qemu-img", ["convert", "-n", ...qemu, join(folder, "file"), near.url(1)]);
    const results = new Map<Way, Sample[]>();
    for (let round = 0; round < runs; round += 1) {
      // What comes first in one round comes last in the next.
      for (const way of round % 2 === 0 ? ways : [...ways].reverse()) {
        const sample = await measure(place, way);
        results.set(way, [...(results.get(way) ?? []), sample]);
      }
    }
    const inOrder = new Map(ways.map((way) => [way, results.get(way) ?? []]));
    process.stdout.write(`${table(inOrder, place.bytes)}\n`);
    process.stdout.write(
      `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.version}; ${size} MiB, ${runs} runs.\n`,
    );
  } finally {
    await gateway?.stop();
    for (const array of arrays) await array.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

process.exit(await main());
