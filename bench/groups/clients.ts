// SPDX-License-Identifier: Apache-2.0
/** Many clients at once, and a busy one beside a quiet one. */
import { existsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeRandomFile } from "../../conformance/lib/temp.ts";
import { type Benchmark, type Group, ofBytes, ofOperations, type Target } from "../benchmark.ts";
import { Fleet } from "../load/fleet.ts";
import type { LoadSpec } from "../load/load-spec.ts";
import type { Scale } from "../scale.ts";
import { openToAll, smallFile } from "../share-files.ts";

const KiB = 1024;
const GiB = 1024 ** 3;
const READ = 64 * KiB;

const plural = (count: number) => (count === 1 ? "1 client" : `${count} clients`);

/** Each client does one thing at a time. */
function metadata(clients: number, scale: Scale): Benchmark {
  return {
    name: `open and close, ${plural(clients)}`,
    unit: "1/s",
    better: "higher",
    cost: "1,000",
    latency: true,
    setUp: async (target) => {
      smallFile(target.xfs, "small.txt");
      const fleet = await Fleet.connect(target.server, { connections: clients });
      await fleet.prepare({ operation: "open", path: "small.txt" });
      return {
        measure: async () => ofOperations(await fleet.run(scale.seconds, scale.warmUp)),
        tearDown: () => fleet.close(),
      };
    },
  };
}

/** The clients' files are short, so that all of them stay in memory. */
function reads(clients: number, scale: Scale): Benchmark {
  const span = 16 * READ;
  return {
    name: `read 64 KiB, ${plural(clients)}`,
    unit: "MB/s",
    better: "higher",
    cost: "GiB",
    latency: true,
    setUp: async (target) => {
      for (let client = 0; client < clients; client += 1) {
        const file = join(target.xfs, `part-${client}`);
        if (!existsSync(file)) await writeRandomFile(file, span);
        openToAll(file);
      }
      const fleet = await Fleet.connect(target.server, { connections: clients });
      await fleet.prepare({ operation: "read", file: "part", bytes: READ, span });
      return {
        measure: async () => ofBytes(await fleet.run(scale.seconds, scale.warmUp)),
        tearDown: () => fleet.close(),
      };
    },
  };
}

/** How much longer an echo takes, at the median, while another client does something large. */
function beside(name: string, load: LoadSpec, depth: number, scale: Scale): Benchmark {
  return {
    name: `echo beside ${name}: median delay`,
    unit: "ms",
    better: "lower",
    setUp: async (target: Target) => {
      const source = join(target.xfs, "sparse-0");
      writeFileSync(source, "");
      truncateSync(source, 100 * GiB);
      openToAll(source);
      const busy = await Fleet.connect(target.server, { connections: 1 });
      const quiet = await Fleet.connect(target.server, { connections: 1 });
      await busy.prepare(load, depth);
      await quiet.prepare({ operation: "echo" });
      return {
        measure: async () => {
          const alone = await quiet.run(scale.seconds / 2, scale.warmUp);
          busy.begin();
          const both = await quiet.run(scale.seconds, scale.warmUp);
          await busy.end();
          const [before, during] = [alone.latency.quantile(0.5), both.latency.quantile(0.5)];
          return {
            value: during - before,
            p50: during,
            p99: both.latency.quantile(0.99),
            details: { medianAlone: before },
          };
        },
        tearDown: async () => {
          await busy.close();
          await quiet.close();
        },
      };
    },
  };
}

export const clients: Group = {
  name: "clients",
  about: "one operation under way for each of 1 to 512 clients; an echo beside a client that copies 100 GiB",
  benchmarks: (scale) => [
    ...scale.clients.map((count) => metadata(count, scale)),
    ...scale.clients.map((count) => reads(count, scale)),
    beside(
      "a copy of 100 GiB on the server (copychunk)",
      { operation: "copychunk", source: "sparse-0", target: "sparse-copy", span: 100 * GiB },
      2,
      scale,
    ),
    beside(
      "a get of 100 GiB, 1 MiB in a request",
      { operation: "read", file: "sparse", bytes: KiB * KiB, span: 100 * GiB },
      8,
      scale,
    ),
  ],
};
