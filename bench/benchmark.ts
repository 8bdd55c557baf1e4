// SPDX-License-Identifier: Apache-2.0
/** What a measurement is, and the table that compares two servers. */
import type { RunningServer, ServerKind } from "../conformance/lib/server.ts";

/** Where a server's shares lie; both servers have folders of their own on the same file systems. */
export interface Target {
  readonly server: RunningServer;
  /** Folder behind the share `xfs`. */
  readonly xfs: string;
  /** Folder behind the share `ext4`. */
  readonly ext4: string;
}

export interface Benchmark {
  readonly name: string;
  readonly unit: "MB/s" | "1/s" | "MiB";
  /** Which direction is better. */
  readonly better: "higher" | "lower";
  /** Measured once only, whatever the number of rounds. */
  readonly once?: boolean;
  /** Prepares files; not measured. */
  readonly prepare?: (target: Target, workDir: string) => Promise<void>;
  /** One measurement, in `unit`. */
  readonly measure: (target: Target, workDir: string) => Promise<number>;
}

export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly values: Readonly<Record<ServerKind, readonly number[]>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Half of the distance between best and worst, in per cent of the median. */
function spread(values: readonly number[]): string {
  if (values.length < 2) return "";
  const half = (Math.max(...values) - Math.min(...values)) / 2;
  return ` ±${((100 * half) / median(values)).toFixed(0)} %`;
}

/** How good Tessera is against Samba: above 1 is better, whichever direction is better. */
export function ratio(result: Result): number {
  const ours = median(result.values.tessera);
  const theirs = median(result.values.samba);
  return result.better === "higher" ? ours / theirs : theirs / ours;
}

function cell(values: readonly number[]): string {
  if (values.length === 0) return "-";
  const middle = median(values);
  return `${middle >= 100 ? middle.toFixed(0) : middle.toFixed(1)}${spread(values)}`;
}

export function markdown(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const both = result.values.samba.length > 0 && result.values.tessera.length > 0;
    const columns = [cell(result.values.samba), cell(result.values.tessera), both ? ratio(result).toFixed(2) : "-"];
    return `| ${result.name} | ${result.unit} | ${columns.join(" | ")} |`;
  });
  const head =
    "| measurement | unit | Samba | Tessera | ratio (above 1: Tessera is better) |\n|---|---|---:|---:|---:|";
  return `${head}\n${rows.join("\n")}\n`;
}
