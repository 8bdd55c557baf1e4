// SPDX-License-Identifier: Apache-2.0
/** Tables of what was measured. */
import type { ServerKind } from "../conformance/lib/server.ts";
import type { Benchmark, Sample } from "./benchmark.ts";

export interface Result {
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly cost?: string;
  readonly limit?: string;
  readonly latency?: boolean;
  /** `machine`: a limit. */
  readonly samples: Readonly<Partial<Record<ServerKind | "machine", readonly Sample[]>>>;
}

/** Above this share of a processor a process of the clients may be what limits a rate. */
export const CLIENT_BOUND = 0.9;

/** Above this number of processors that others used, a rate is not to be trusted. */
export const DISTURBED = 0.2;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function resultOf(group: string, benchmark: Benchmark, samples: Result["samples"]): Result {
  const { name, unit, better, cost, limit, latency } = benchmark;
  return {
    group,
    name,
    unit,
    better,
    ...(cost === undefined ? {} : { cost }),
    ...(limit === undefined ? {} : { limit }),
    ...(latency === undefined ? {} : { latency }),
    samples,
  };
}

/** Three digits at least, and no more than that after the point. */
function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** Half of the distance between best and worst, in per cent of the median. */
function spread(values: readonly number[]): string {
  if (values.length < 2) return "";
  const half = (Math.max(...values) - Math.min(...values)) / 2;
  return ` ±${Math.abs((100 * half) / median(values)).toFixed(0)} %`;
}

type Pick = (sample: Sample) => number | undefined;

function of(result: Result, kind: ServerKind | "machine", pick: Pick): number[] {
  return (result.samples[kind] ?? []).map(pick).filter((value) => value !== undefined);
}

const withSpread = (values: readonly number[]) =>
  values.length === 0 ? "-" : `${digits(median(values))}${spread(values)}`;

/** How good Tessera is against Samba: above 1 is better, whichever direction is better. */
function ratio(result: Result, pick: Pick, better: "higher" | "lower"): string {
  const [theirs, ours] = [median(of(result, "samba", pick)), median(of(result, "tessera", pick))];
  const value = better === "higher" ? ours / theirs : theirs / ours;
  // A delay may be nothing, or less than nothing.
  return Number.isFinite(value) && value > 0 ? value.toFixed(2) : "-";
}

/** At the median: servers whose clients may have been what limited the rate, and those that shared the machine with others. */
function notes(result: Result): string {
  const above = (kind: ServerKind | "machine", pick: Pick, bound: number) => {
    const values = of(result, kind, pick);
    return values.length > 0 && median(values) > bound;
  };
  return (["samba", "tessera", "machine"] as const)
    .flatMap((kind) => [
      ...(above(kind, ({ clientShare }) => clientShare, CLIENT_BOUND) ? [`client-bound (${kind})`] : []),
      ...(above(kind, ({ foreignShare }) => foreignShare, DISTURBED) ? [`disturbed (${kind})`] : []),
    ])
    .join(", ");
}

function ofLimit(result: Result, limits: ReadonlyMap<string, number>): string {
  const limit = result.limit === undefined ? undefined : limits.get(result.limit);
  const ours = median(of(result, "tessera", ({ value }) => value));
  return limit === undefined || Number.isNaN(ours) ? "" : `${((100 * ours) / limit).toFixed(0)} %`;
}

function row(
  name: string,
  unit: string,
  result: Result,
  pick: Pick,
  better: "higher" | "lower",
  rest: readonly string[],
) {
  const cells = [unit, withSpread(of(result, "samba", pick)), withSpread(of(result, "tessera", pick))];
  return `| ${[name, ...cells, ratio(result, pick, better), ...rest].join(" | ")} |`;
}

/** The rows of one measurement. */
export function rows(result: Result, limits: ReadonlyMap<string, number>): string[] {
  const { name, unit, better } = result;
  const cost: Pick = (sample) => sample.cost;
  const costs = (["samba", "tessera"] as const).map((kind) => digits(median(of(result, kind, cost))));
  const costCells = result.cost === undefined ? ["", "", ""] : [...costs, ratio(result, cost, "lower")];
  const list = [
    row(name, unit, result, ({ value }) => value, better, [...costCells, ofLimit(result, limits), notes(result)]),
  ];
  if (result.latency === true) {
    const none = ["", "", "", "", ""];
    list.push(row(`${name}: median`, "ms", result, ({ p50 }) => p50, "lower", none));
    list.push(row(`${name}: 99 %`, "ms", result, ({ p99 }) => p99, "lower", none));
  }
  return list;
}

const head = [
  "| measurement | unit | Samba | Tessera | ratio | CPU Samba | CPU Tessera | ratio | of the limit | |",
  "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
];

/** One table for each group, and one of the machine's limits. */
export function markdown(results: readonly Result[]): string {
  const machine = results.filter(({ samples }) => samples.machine !== undefined);
  const limits = new Map(machine.map((result) => [result.name, median(of(result, "machine", ({ value }) => value))]));
  const parts: string[] = [];
  for (const group of new Set(results.map((result) => result.group))) {
    const chosen = results.filter((result) => result.group === group);
    if (chosen.every((result) => result.samples.machine !== undefined)) {
      const lines = chosen.map(
        (result) =>
          `| ${result.name} | ${result.unit} | ${withSpread(of(result, "machine", ({ value }) => value))} | ${notes(result)} |`,
      );
      const limitHead = ["| limit of the machine | unit | rate | |", "|---|---|---:|---|"];
      parts.push([`### ${group}`, "", ...limitHead, ...lines].join("\n"));
    } else {
      parts.push([`### ${group}`, "", ...head, ...chosen.flatMap((result) => rows(result, limits))].join("\n"));
    }
  }
  return `${parts.join("\n\n")}\n`;
}

export const legend = `Medians, with half of the distance between best and worst. Ratios: above 1 Tessera is better. CPU: seconds of the server's
processor time, for each GiB (MB/s) or each 1,000 (1/s). Of the limit: what Tessera reaches of the same cipher over a bare loopback socket.
Client-bound: a process of the clients had more than ${CLIENT_BOUND * 100} % of a processor, so that the server may be faster than that.
Disturbed: others had more than ${DISTURBED * 100} % of a processor.
`;
