// SPDX-License-Identifier: Apache-2.0
/**
 * Entry of `npm run bench:offload`: files copied on the server. Offloaded (ODX) and by copychunk against Tessera, by copychunk against
 * Samba, and by `cp` on the machine itself. Needs root, for its file systems.
 */
import { writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { must } from "../conformance/lib/process.ts";
import { type RunningServer, type ServerKind, startServer } from "../conformance/lib/server.ts";
import { tempDir } from "../conformance/lib/temp.ts";
import { missingTools } from "../conformance/lib/tools.ts";
import { fileSystems, KINDS, type Place, preparePlace, type Size, sizes, titles } from "./offload-places.ts";
import { localCp, localReflink, type Sample, sambasCopychunk, type Way, waysFor } from "./offload-ways.ts";
import { median } from "./report.ts";

const usage = `usage: npm run bench:offload -- [--quick] [--runs N] [--fs ${fileSystems.join(",")}] [--size 1M,1G,4G,64G] [--json FILE]

Medians of N runs (5; with --quick 1), on all file systems and with files of 1 MiB, 1 GiB and 64 GiB (sparse), or as told. The images
lie in the folder for temporary files (TMPDIR): with TMPDIR=/dev/shm no disk takes part.
`;

/** What is measured in one place with files of one size. */
interface Group {
  readonly place: Place;
  readonly size: Size;
  readonly samples: Map<Way, Sample[]>;
}

interface Options {
  readonly runs: number;
  readonly chosen: readonly (typeof fileSystems)[number][];
  readonly wanted: readonly Size[];
  readonly json: string | undefined;
}

const defaultSizes = "1M,1G,64G";

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      runs: { type: "string" },
      fs: { type: "string", default: fileSystems.join(",") },
      size: { type: "string", default: defaultSizes },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const [names, keys] = [values.fs.split(","), values.size.split(",")];
  const runs = Number(values.runs ?? (values.quick ? 1 : 5));
  const chosen = fileSystems.filter((name) => names.includes(name));
  const wanted = sizes.filter(({ key }) => keys.includes(key));
  const unknown = chosen.length !== names.length || wanted.length !== keys.length;
  if (values.help || unknown || !Number.isInteger(runs) || runs < 1) return undefined;
  return { runs, chosen, wanted, json: values.json };
}

const seconds = (samples: readonly Sample[]) => samples.map((sample) => sample.seconds);

/** Milliseconds, with half of the distance between best and worst in per cent. */
function timeCell(samples: readonly Sample[]): string {
  const values = seconds(samples);
  const middle = median(values);
  const half = (Math.max(...values) - Math.min(...values)) / 2;
  const milliseconds = middle * 1000;
  return `${milliseconds.toFixed(milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0)} ±${((100 * half) / middle).toFixed(0)} %`;
}

function ratioCell(samples: readonly Sample[], others: readonly Sample[] | undefined): string {
  return others === undefined || others === samples
    ? ""
    : (median(seconds(samples)) / median(seconds(others))).toFixed(2);
}

/** The processor time of all runs together: that of one may be less than the clock resolves. */
function cpuCell(samples: readonly Sample[]): string {
  const cpu = samples.flatMap((sample) => sample.cpu ?? []);
  if (cpu.length === 0) return "";
  const total = cpu.reduce((sum, part) => sum + part.seconds, 0);
  return (total / cpu.reduce((sum, part) => sum + part.gibibytes, 0)).toPrecision(2);
}

function row({ place, size, samples: all }: Group, way: Way, samples: readonly Sample[]): string {
  const middle = (pick: (sample: Sample) => number | undefined) => {
    const values = samples.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? "" : median(values).toLocaleString("en-US", { maximumFractionDigits: 0 });
  };
  const cells = [
    timeCell(samples),
    ratioCell(samples, all.get(sambasCopychunk)),
    ratioCell(samples, all.get(localReflink) ?? all.get(localCp)),
    cpuCell(samples),
    middle((sample) => sample.requests),
    middle((sample) => sample.traffic),
  ];
  return `| ${titles[place.fileSystem]}, ${size.name}: ${way.name} | ${cells.join(" | ")} |`;
}

function table(groups: readonly Group[]): string {
  const rows = groups.flatMap((group) => [...group.samples].map(([way, samples]) => row(group, way, samples)));
  const head =
    "| copy | milliseconds | of Samba's copychunk | of local `cp` | server's processor, s/GiB | requests past open and close | bytes on the wire |\n" +
    "|---|---:|---:|---:|---:|---:|---:|";
  return `${head}\n${rows.join("\n")}\n`;
}

async function measure(groups: readonly Group[], servers: ReadonlyMap<ServerKind, RunningServer>, runs: number) {
  for (let round = 0; round < runs; round += 1) {
    for (const { place, size, samples } of groups) {
      const ways = [...samples];
      // What comes first in one round comes last in the next.
      for (const [way, list] of round % 2 === 0 ? ways : ways.reverse()) {
        const sample = await way.run({ place, size, servers });
        list.push(sample);
        process.stderr.write(`${place.fileSystem}, ${size.name}: ${way.name}: ${JSON.stringify(sample)}\n`);
      }
    }
  }
}

function toJson(groups: readonly Group[]): string {
  const flat = groups.flatMap(({ place, size, samples }) =>
    [...samples].map(([way, list]) => ({
      fileSystem: place.fileSystem,
      size: size.name,
      way: way.name,
      samples: list,
    })),
  );
  return `${JSON.stringify(flat, undefined, 1)}\n`;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const missing = missingTools(["smbclient", "smbd", "mkfs.xfs", "mkfs.btrfs", "mkfs.ext4"]);
  if (missing.length > 0) {
    process.stderr.write(`missing: ${missing.join(", ")}; conformance/install-tools installs them\n`);
    return 1;
  }
  const folder = tempDir("bench-offload");
  const servers = new Map<ServerKind, RunningServer>();
  const places: Place[] = [];
  const groups: Group[] = [];
  try {
    for (const name of options.chosen) {
      const place = await preparePlace(name, folder.path, options.wanted);
      places.push(place);
      for (const size of options.wanted) {
        groups.push({ place, size, samples: new Map(waysFor(place, size).map((way) => [way, []])) });
      }
    }
    for (const kind of KINDS) {
      const shares = places.map(({ fileSystem, path }) => ({ name: fileSystem, path: join(path, kind) }));
      servers.set(kind, await startServer(kind, { shares, workDir: join(folder.path, kind), profile: "bench" }));
    }
    await measure(groups, servers, options.runs);
  } finally {
    for (const server of servers.values()) await server.stop();
    for (const place of places) await place.unmount();
    folder.remove();
  }
  const samba = (await must("smbd", ["--version"])).stdout.trim().replace(/^Version /, "Samba ");
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, Linux ${release()}, Node ${process.version}, ${samba}`;
  process.stdout.write(`${table(groups)}\n${machine}; medians of ${options.runs}, ± half of the spread.\n`);
  if (options.json !== undefined) writeFileSync(options.json, toJson(groups));
  return 0;
}

process.exit(await main());
