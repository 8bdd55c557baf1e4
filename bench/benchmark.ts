// SPDX-License-Identifier: Apache-2.0
/** What a measurement is. */
import type { RunningServer, ServerKind } from "../conformance/lib/server.ts";
import type { Measured } from "./load/fleet.ts";
import type { Scale } from "./scale.ts";

/** Where a server's shares lie; both servers have folders of their own on the same file systems. */
export interface Target {
  readonly server: RunningServer;
  /** Folder behind the share `xfs`. */
  readonly xfs: string;
  /** Folder behind the share `ext4`. */
  readonly ext4: string;
  /** Folder of the clients, in memory, so that only the server touches a disk. */
  readonly client: string;
  /** Starts another server of the same kind, with a share `xfs` of its own: for what has to begin with a fresh one. */
  readonly startFresh: () => Promise<RunningServer>;
}

export type Unit = "MB/s" | "1/s" | "MiB" | "ms" | "s";

/** One measurement. What does not apply, or cannot be told for this client, is left out. */
export interface Sample {
  /** In the benchmark's unit. */
  readonly value: number;
  /** Seconds of the server's processor time, in the benchmark's `cost`. */
  readonly cost?: number;
  /** Processors that the server had on average. */
  readonly serverShare?: number;
  /** The part of a processor that the busiest process of the clients had. */
  readonly clientShare?: number;
  /** Processors that nobody used, and those that neither the server nor its clients did. */
  readonly idleShare?: number;
  readonly foreignShare?: number;
  /** Milliseconds of one operation: the median, and what 99 % do not exceed. */
  readonly p50?: number;
  readonly p99?: number;
  /** Further numbers, for the file of results. */
  readonly details?: Readonly<Record<string, number>>;
}

/** A measurement that is set up on one server. */
export interface Prepared {
  readonly measure: () => Promise<Sample>;
  readonly tearDown?: () => Promise<void> | void;
}

export interface Benchmark {
  readonly name: string;
  readonly unit: Unit;
  /** Which direction is better. */
  readonly better: "higher" | "lower";
  /** What `Sample.cost` is of. */
  readonly cost?: "GiB" | "1,000";
  /** The limit of the machine that the rate is to be seen against. */
  readonly limit?: string;
  /** Rows for the latencies of one operation. */
  readonly latency?: boolean;
  /** Measured once only, whatever the number of rounds. */
  readonly once?: boolean;
  /** Only on these servers. */
  readonly servers?: readonly ServerKind[];
  readonly setUp: (target: Target) => Promise<Prepared>;
}

/** A measurement of the machine by itself. */
export interface Limit {
  readonly name: string;
  readonly unit: Unit;
  readonly measure: () => Promise<Sample>;
}

export interface Group {
  readonly name: string;
  readonly about: string;
  /** Programs that have to be installed. */
  readonly tools?: readonly string[];
  readonly benchmarks: (scale: Scale) => readonly Benchmark[];
  /** Ends what its measurements have in common. */
  readonly tearDown?: () => Promise<void>;
}

const GiB = 1024 ** 3;

/** What was measured of a load that counts bytes. */
export function ofBytes(measured: Measured): Sample {
  return { ...shares(measured), value: measured.rate / 1e6, cost: measured.serverCpu * GiB };
}

/** What was measured of a load that counts operations or entries. */
export function ofOperations(measured: Measured): Sample {
  return { ...shares(measured), value: measured.rate, cost: measured.serverCpu * 1000 };
}

function shares({ serverShare, clientShare, idleShare, foreignShare, latency }: Measured) {
  return { serverShare, clientShare, idleShare, foreignShare, p50: latency.quantile(0.5), p99: latency.quantile(0.99) };
}
