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
import { delay, writeRandomFile } from "../conformance/lib/temp.ts";
import { missingTools } from "../conformance/lib/tools.ts";
import { median } from "./report.ts";

const usage = `usage: npm run bench:array -- [--runs N] [--size MIB] [--rate MB] [--only KINDS]

Medians of N runs (5) with a file of random data (1024 MiB). With --rate, each LUN reads and writes so many MB/s at most.
With --only, some of copy,read,write.
`;

const MiB = 1024 ** 2;

interface Sample {
  readonly seconds: number;
  /** Bytes between the gateway, or the client, and the array. */
  readonly iscsi: number;
  /** Seconds of processor time, of the gateway and of the array that the data are on. */
  readonly cpu: number;
  readonly arrayCpu: number;
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
  /** What comes before it, and is not measured. */
  readonly prepare?: (place: Place) => Promise<void>;
}

/** Ways whose throughputs are compared: through the share, and on the LUN itself. */
const pairs = [
  ["read", "read: smbclient's get", "read: qemu-img from the LUN"],
  ["write", "write: smbclient's put", "write: qemu-img to the LUN"],
] as const;

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
    run: async ({ near, folder }) => {
      await must("qemu-img", ["convert", ...qemu, near.url(1), join(folder, "back")]);
    },
  },
  {
    name: "write: smbclient's put",
    // Both write to blocks that the LUN has given up.
    prepare: async (place) => {
      await smbclient(place.gateway.server, "near", "rm written");
      await quiet(place);
    },
    run: (place) => client(place, "near", "put file written"),
  },
  {
    name: "write: qemu-img to the LUN",
    prepare: async (place) => {
      const { near, bytes } = place;
      await must("qemu-io", ["-f", "raw", "-t", "none", "-c", `discard 0 ${bytes}`, near.url(1)]);
      await quiet(place);
    },
    run: async ({ near, folder }) => {
      await must("qemu-img", ["convert", "-n", ...qemu, join(folder, "file"), near.url(1)]);
    },
  },
];

/** Until the array has nothing to do any more: room that was freed is given back in the background. */
async function quiet({ near }: Place): Promise<void> {
  for (let used = -1; cpuSeconds(near.pid) - used > 0.02; ) {
    used = cpuSeconds(near.pid);
    await delay(300);
  }
}

async function measure(place: Place, way: Way): Promise<Sample> {
  const { near, gateway, folder } = place;
  for (const name of ["back", "moved"]) rmSync(join(folder, name), { force: true });
  await way.prepare?.(place);
  const traffic = await near.traffic();
  const [cpu, arrayCpu] = [cpuSeconds(gateway.server.pid), cpuSeconds(near.pid)];
  const started = performance.now();
  await way.run(place);
  const sample = {
    seconds: (performance.now() - started) / 1000,
    cpu: cpuSeconds(gateway.server.pid) - cpu,
    arrayCpu: cpuSeconds(near.pid) - arrayCpu,
    iscsi: (await near.traffic()) - traffic,
  };
  if (way.name.startsWith("copy")) {
    // On one of the two it is.
    for (const share of ["near", "far"]) await smbclient(gateway.server, share, "rm copy");
  }
  return sample;
}

function table(results: ReadonlyMap<Way, readonly Sample[]>, bytes: number): string {
  const rows = [...results].map(([{ name }, samples]) => {
    const seconds = samples.map((sample) => sample.seconds);
    const middle = median(seconds);
    const cells = [
      middle.toFixed(2),
      `${Math.min(...seconds).toFixed(2)} – ${Math.max(...seconds).toFixed(2)}`,
      (bytes / 1e6 / middle).toFixed(0),
      median(samples.map(({ iscsi }) => iscsi)).toLocaleString("en-US"),
      median(samples.map(({ cpu }) => cpu)).toFixed(2),
      median(samples.map(({ arrayCpu }) => arrayCpu)).toFixed(2),
    ];
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  const head =
    "| way | seconds | best – worst | MB/s | bytes to and from the array | gateway's processor, s | array's processor, s |\n|---|---:|---:|---:|---:|---:|---:|";
  return `${head}\n${rows.join("\n")}\n`;
}

/** What the share has of the throughput of the LUN: of the medians, and in the rounds. */
function ratios(results: ReadonlyMap<Way, readonly Sample[]>): string {
  const seconds = new Map([...results].map(([{ name }, samples]) => [name, samples.map((sample) => sample.seconds)]));
  const lines = pairs.map(([what, share, lun]) => {
    const [through, direct] = [seconds.get(share) ?? [], seconds.get(lun) ?? []];
    if (through.length === 0 || direct.length === 0) return "";
    const rounds = through.map((one, round) => (direct[round] ?? Number.NaN) / one);
    const spread = `${Math.min(...rounds).toFixed(2)} – ${Math.max(...rounds).toFixed(2)}`;
    return `${what} through the share: ${(median(direct) / median(through)).toFixed(2)} of the LUN's throughput (${spread})\n`;
  });
  return lines.join("");
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5" },
      size: { type: "string", default: "1024" },
      rate: { type: "string", default: "0" },
      only: { type: "string", default: "copy,read,write" },
      help: { type: "boolean", default: false },
    },
  });
  const missing = missingTools(["smbclient", "qemu-img", "qemu-io"]);
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
    const rate = Number(values.rate) * 1e6;
    const lun = (name: string, mebibytes: number) => [
      "--lun",
      `${join(folder, name)}:${mebibytes}M,id=${name},rate=${rate}`,
    ];
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
    const kinds = values.only.split(",");
    const chosen = ways.filter(({ name }) => kinds.some((kind) => name.startsWith(`${kind}:`)));
    const results = new Map<Way, Sample[]>();
    for (let round = 0; round < runs; round += 1) {
      // What comes first in one round comes last in the next.
      for (const way of round % 2 === 0 ? chosen : [...chosen].reverse()) {
        const sample = await measure(place, way);
        results.set(way, [...(results.get(way) ?? []), sample]);
      }
    }
    const inOrder = new Map(chosen.map((way) => [way, results.get(way) ?? []]));
    process.stdout.write(`${table(inOrder, place.bytes)}\n${ratios(inOrder)}`);
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
