// SPDX-License-Identifier: Apache-2.0
/** Entry of `npm run bench`: Samba and Tessera on the same machine, turn about, and the ratios between them. */
import { writeFileSync } from "node:fs";
import { must } from "../conformance/lib/process.ts";
import type { ServerKind } from "../conformance/lib/server.ts";
import { missingTools } from "../conformance/lib/tools.ts";
import type { Benchmark, Group, Limit, Prepared, Sample, Target } from "./benchmark.ts";
import { clients } from "./groups/clients.ts";
import { kernel } from "./groups/kernel.ts";
import { large } from "./groups/large.ts";
import { memory } from "./groups/memory.ts";
import { rclone } from "./groups/rclone.ts";
import { small } from "./groups/small.ts";
import { smbclient } from "./groups/smbclient.ts";
import { smbtorture } from "./groups/smbtorture.ts";
import { limits } from "./limits.ts";
import { describeMachine, inWords } from "./machine.ts";
import { readOptions, usage } from "./options.ts";
import { Place } from "./place.ts";
import { Profiler } from "./profile.ts";
import { legend, markdown, type Result, resultOf, rows } from "./report.ts";

const groups: readonly Group[] = [large, small, clients, memory, smbclient, smbtorture, rclone, kernel];
const LIMITS = "limits";

const FULL_IMAGE = 8192;
const SHORT_IMAGE = 1536;

interface Run {
  readonly rounds: number;
  readonly profiler: Profiler | undefined;
  /** What could not be measured. */
  readonly failures: string[];
}

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

function failed({ failures }: Run, name: string, kind: string, error: unknown): void {
  const failure = `${name} (${kind}): ${reason(error)}`;
  failures.push(failure);
  process.stderr.write(`failed: ${failure}\n`);
}

/** One measurement on all servers that it is for; which comes first changes from round to round. */
async function measure(run: Run, group: Group, benchmark: Benchmark, targets: readonly Target[]): Promise<Result> {
  const samples: Partial<Record<ServerKind, Sample[]>> = {};
  const prepared: { readonly target: Target; readonly of: Prepared }[] = [];
  const fitting = targets.filter(({ server }) => benchmark.servers?.includes(server.kind) ?? true);
  try {
    for (const target of fitting) {
      try {
        prepared.push({ target, of: await benchmark.setUp(target) });
      } catch (error) {
        failed(run, benchmark.name, target.server.kind, error);
      }
    }
    for (let round = 0; round < (benchmark.once === true ? 1 : run.rounds); round += 1) {
      for (const { target, of } of round % 2 === 0 ? prepared : [...prepared].reverse()) {
        const { server } = target;
        // What the measurement before has left to be written to disk is none of this one's.
        await must("sync", []);
        try {
          const profiled = run.profiler !== undefined && server.kind === "tessera" && benchmark.once !== true;
          const sample = profiled
            ? await run.profiler.during(server, `${group.name} ${benchmark.name}`, of.measure)
            : await of.measure();
          samples[server.kind] = [...(samples[server.kind] ?? []), sample];
        } catch (error) {
          failed(run, benchmark.name, server.kind, error);
        }
      }
    }
  } finally {
    for (const { target, of } of prepared) {
      try {
        await of.tearDown?.();
      } catch (error) {
        failed(run, `${benchmark.name}: tidying up`, target.server.kind, error);
      }
    }
  }
  return resultOf(group.name, benchmark, samples);
}

async function measureLimit(run: Run, { name, unit, measure: once }: Limit): Promise<Result> {
  const samples: Sample[] = [];
  for (let round = 0; round < run.rounds; round += 1) {
    try {
      samples.push(await once());
    } catch (error) {
      failed(run, name, "machine", error);
    }
  }
  return { group: LIMITS, name, unit, better: "higher", samples: { machine: samples } };
}

async function main(): Promise<number> {
  const options = readOptions([LIMITS, ...groups.map(({ name }) => name)]);
  if (options === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const { scale, kinds } = options;
  const chosen = groups
    .filter(({ name }) => options.groups.includes(name))
    .map((group) => ({ group, benchmarks: group.benchmarks(scale).filter(({ name }) => name.includes(options.only)) }))
    .filter(({ benchmarks }) => benchmarks.length > 0);
  // Rates are seen against the machine's limits, so that these go with them.
  const needed = new Set(chosen.flatMap(({ benchmarks }) => benchmarks.map(({ limit }) => limit)));
  const all = options.groups.includes(LIMITS) && options.only === "";
  const chosenLimits = limits(scale).filter(({ name }) => all || needed.has(name));
  if (chosen.length === 0 && chosenLimits.length === 0) {
    process.stderr.write(`no measurement of these groups has "${options.only}" in its name; --list shows them\n`);
    return 2;
  }
  if (options.list) {
    for (const { group, benchmarks } of chosen) {
      process.stdout.write(`${group.name}: ${group.about}\n${benchmarks.map(({ name }) => `    ${name}\n`).join("")}`);
    }
    process.stdout.write(`${LIMITS}: of the machine\n${chosenLimits.map(({ name }) => `    ${name}\n`).join("")}`);
    return 0;
  }
  const tools = chosen.flatMap(({ group }) => group.tools ?? []);
  const missing = missingTools([...new Set(["smbd", "mkfs.xfs", "mkfs.ext4", ...tools])]);
  if (missing.length > 0) {
    process.stderr.write(`missing: ${missing.join(", ")}; conformance/install-tools installs them\n`);
    return 1;
  }
  const started = new Date();
  const machine = await describeMachine();
  const profiler = options.profile === undefined ? undefined : new Profiler(options.profile);
  const run: Run = { rounds: scale.rounds, profiler, failures: [] };
  const results: Result[] = [];
  const show = (result: Result) => {
    results.push(result);
    const machineRate = result.samples.machine?.map(({ value }) => value.toFixed(0)).join(", ");
    const line = machineRate === undefined ? rows(result, new Map()).join("\n") : `| ${result.name} | ${machineRate} |`;
    process.stderr.write(`${line}\n`);
  };
  for (const limit of chosenLimits) show(await measureLimit(run, limit));
  if (chosen.length > 0) {
    const imageMiB = options.short ? SHORT_IMAGE : FULL_IMAGE;
    const place = await Place.prepare({ kinds, images: options.images, imageMiB, profiler });
    try {
      for (const { group, benchmarks } of chosen) {
        try {
          for (const benchmark of benchmarks) show(await measure(run, group, benchmark, place.targets));
        } finally {
          await group.tearDown?.();
        }
      }
    } finally {
      await place.remove();
    }
  }
  process.stdout.write(`${markdown(results)}\n${legend}\n${inWords(machine)}; ${scale.rounds} rounds.\n`);
  const { images } = options;
  const file = {
    format: 1,
    started: started.toISOString(),
    machine,
    images,
    scale,
    kinds,
    failures: run.failures,
    results,
  };
  writeFileSync(options.json, `${JSON.stringify(file, undefined, 2)}\n`);
  for (const failure of run.failures) process.stdout.write(`failed: ${failure}\n`);
  return run.failures.length === 0 ? 0 : 1;
}

process.exit(await main());
