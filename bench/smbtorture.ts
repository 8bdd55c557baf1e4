// SPDX-License-Identifier: Apache-2.0
/** smbtorture's own benchmarks, two client processes at a time. */
import { must } from "../conformance/lib/process.ts";
import type { Benchmark } from "./benchmark.ts";

const clients = 2;
const seconds = 5;

function torture(test: string, counter: string, name: string, folder: string): Benchmark {
  return {
    name,
    unit: "1/s",
    better: "higher",
    measure: async ({ server }) => {
      const runClient = async () => {
        const { output } = await must("smbtorture", [
          ...["-s", "/dev/null", "//127.0.0.1/xfs", "-p", String(server.port)],
          ...["-U", `${server.account.name}%${server.account.password}`, test],
          ...[`--option=torture:timelimit=${seconds}`, "--option=torture:nprocs=1", "--option=torture:qdepth=4"],
          ...(folder === "" ? [] : [`--option=torture:bench_path=${folder}`]),
        ]);
        // The rate over the whole time is printed again every second.
        const rates = [...output.matchAll(new RegExp(`${counter}\\[num/s=(\\d+)`, "g"))];
        const last = Number(rates[rates.length - 1]?.[1]);
        if (!Number.isFinite(last)) throw new Error(`${test} printed no rate\n${output.slice(-1000)}`);
        return last;
      };
      const rates = await Promise.all(Array.from({ length: clients }, runClient));
      return rates.reduce((sum, rate) => sum + rate, 0);
    },
  };
}

export const tortureBenchmarks: readonly Benchmark[] = [
  torture("smb2.bench.echo", "echo", "echo, two clients", ""),
  torture("smb2.bench.path-contention-shared", "open", "open and close of one file, two clients", ""),
];
