// SPDX-License-Identifier: Apache-2.0
/** smbtorture's own benchmarks, two client processes at a time. */
import { must } from "../../conformance/lib/process.ts";
import { cpuSeconds } from "../../conformance/lib/server.ts";
import type { Benchmark, Group } from "../benchmark.ts";
import type { Scale } from "../scale.ts";

const CLIENTS = 2;

function torture(test: string, counter: string, name: string, { tortureSeconds }: Scale): Benchmark {
  return {
    name,
    unit: "1/s",
    better: "higher",
    cost: "1,000",
    setUp: async ({ server }) => {
      const runClient = async () => {
        const { output } = await must("smbtorture", [
          ...["-s", "/dev/null", "//127.0.0.1/xfs", "-p", String(server.port)],
          ...["-U", `${server.account.name}%${server.account.password}`, test],
          ...[`--option=torture:timelimit=${tortureSeconds}`, "--option=torture:nprocs=1", "--option=torture:qdepth=4"],
        ]);
        // The rate over the whole time is printed again every second.
        const rates = [...output.matchAll(new RegExp(`${counter}\\[num/s=(\\d+)`, "g"))];
        const last = Number(rates[rates.length - 1]?.[1]);
        if (!Number.isFinite(last)) throw new Error(`${test} printed no rate\n${output.slice(-1000)}`);
        return last;
      };
      return {
        measure: async () => {
          const before = cpuSeconds(server.pid);
          const rates = await Promise.all(Array.from({ length: CLIENTS }, runClient));
          const rate = rates.reduce((sum, one) => sum + one, 0);
          const cost = ((cpuSeconds(server.pid) - before) / (rate * tortureSeconds)) * 1000;
          return { value: rate, cost };
        },
      };
    },
  };
}

export const smbtorture: Group = {
  name: "smbtorture",
  about: "smb2.bench of smbtorture, two processes with four operations under way each",
  tools: ["smbtorture"],
  benchmarks: (scale) => [
    torture("smb2.bench.echo", "echo", "smbtorture: echo", scale),
    torture("smb2.bench.path-contention-shared", "open", "smbtorture: open and close of one file", scale),
  ],
};
