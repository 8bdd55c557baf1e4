// SPDX-License-Identifier: Apache-2.0

import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Registry } from "prom-client";
import { statusName } from "../nt/status.ts";
import type { OffloadUsage } from "../offload/engine.ts";
import type { CopyOperation, CopyWay } from "../offload/operations.ts";
import type { Metrics } from "../smb2/server-context.ts";
import { Command } from "../smb2/wire/constants.ts";
import { CountTable } from "./count-table.ts";

const NANOSECONDS = 1e9;

/** Milliseconds between two looks at the event loop. */
const DELAY_RESOLUTION = 20;

const COMMAND_NAMES = new Map<number, string>(Object.entries(Command).map(([name, code]) => [code, name]));

/** Stands for every command code that does not exist: clients may send any, and shall not make the table grow. */
const UNKNOWN_COMMAND = -1;

const NO_TOKENS: OffloadUsage = { tokens: 0, bytes: 0, pins: 0, pinnedBytes: 0, preservedBytes: 0 };

/** What `monitorEventLoopDelay` gives. */
export interface DelayHistogram {
  readonly max: number;
  percentile(percentile: number): number;
  reset(): void;
  enable(): boolean;
  disable(): boolean;
}

/** Seconds. */
export interface EventLoopDelay {
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
}

/** Numbers of what is live, and sums since the start; data that crossed the network in bytes. */
export interface Totals {
  readonly connections: number;
  readonly sessions: number;
  readonly opens: number;
  readonly requests: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/**
 * Counts what the protocol does. The hot path only adds to plain numbers; the metrics are put together when somebody
 * asks for them.
 */
export class ServerMetrics implements Metrics {
  readonly registry = new Registry();
  /** Requests by command, then by NTSTATUS. */
  readonly #requests = new Map<number, Map<number, number>>();
  #read = 0;
  #written = 0;
  /** Bytes copied on the server, by operation and way. */
  readonly copies = new CountTable();
  /** Requests for a copy that failed, by operation and reason. */
  readonly refusals = new CountTable();
  #tokens: () => OffloadUsage | undefined = () => undefined;
  #messageBytes: () => number = () => 0;
  #connections = 0;
  #sessions = 0;
  #opens = 0;
  readonly #delay: DelayHistogram;

  /** @param delay nanoseconds from one look at the event loop to the next */
  constructor(delay: DelayHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION })) {
    this.#delay = delay;
    const { registry } = this;
    const requests = new Counter({
      name: "tessera_requests_total",
      help: "Requests answered, by SMB2 command and NTSTATUS",
      labelNames: ["command", "status"],
      registers: [registry],
      collect: () => {
        requests.reset();
        for (const [command, statuses] of this.#requests) {
          for (const [status, count] of statuses) {
            requests.inc({ command: COMMAND_NAMES.get(command) ?? "UNKNOWN", status: statusName(status) }, count);
          }
        }
      },
    });
    this.#counter("tessera_read_bytes_total", "Bytes that clients read", () => this.#read);
    this.#counter("tessera_written_bytes_total", "Bytes that clients wrote", () => this.#written);
    this.#table(
      "tessera_copied_bytes_total",
      "Bytes copied on the server, which never crossed the network, by what was asked for and by the way taken",
      ["operation", "way"],
      this.copies,
    );
    this.#table(
      "tessera_copies_refused_total",
      "Requests for a copy on the server that failed, by NTSTATUS, or by what is wrong with a token",
      ["operation", "reason"],
      this.refusals,
    );
    this.#gauge("tessera_connections", "Live connections", () => this.#connections);
    this.#gauge("tessera_sessions", "Live sessions", () => this.#sessions);
    this.#gauge("tessera_opens", "Open files, directories and pipes", () => this.#opens);
    this.#gauge(
      "tessera_message_bytes",
      "Memory of requests that have arrived and of answers that have not been sent",
      () => this.#messageBytes(),
    );
    this.#gauge("tessera_offload_tokens", "Tokens of offloaded copies that are honoured", () => this.tokens.tokens);
    this.#gauge("tessera_offload_token_bytes", "Bytes that these tokens stand for", () => this.tokens.bytes);
    this.#gauge("tessera_offload_pins", "Files that keep data for tokens", () => this.tokens.pins);
    this.#gauge(
      "tessera_offload_pinned_bytes",
      "Bytes that these files keep; blocks that are shared take no space",
      () => this.tokens.pinnedBytes,
    );
    this.#gauge(
      "tessera_offload_preserved_bytes",
      "Old data that are kept for tokens since they were overwritten, where blocks are not shared",
      () => this.tokens.preservedBytes,
    );
    this.#gauge("process_resident_memory_bytes", "Resident memory", () => process.memoryUsage.rss());
    const delaySeconds = new Gauge({
      name: "tessera_event_loop_delay_seconds",
      help: "Delay of the event loop since the last collection",
      labelNames: ["quantile"],
      registers: [registry],
      collect: () => {
        const { median, p99, longest } = this.eventLoopDelay;
        delaySeconds.set({ quantile: "0.5" }, median);
        delaySeconds.set({ quantile: "0.99" }, p99);
        delaySeconds.set({ quantile: "1" }, longest);
        this.#delay.reset();
      },
    });
    this.#delay.enable();
  }

  /** Says where to ask for what the tokens of the server hold. */
  watchTokens(usage: () => OffloadUsage | undefined): void {
    this.#tokens = usage;
  }

  /** Says where to ask for the bytes of requests and answers that the server holds. */
  watchMessages(bytes: () => number): void {
    this.#messageBytes = bytes;
  }

  get tokens(): OffloadUsage {
    return this.#tokens() ?? NO_TOKENS;
  }

  /** How long the event loop was held up, in seconds, since the start or since the metrics were collected last. */
  get eventLoopDelay(): EventLoopDelay {
    // The histogram is of the time from one look to the next.
    const seconds = (nanoseconds: number) => Math.max(0, nanoseconds - DELAY_RESOLUTION * 1e6) / NANOSECONDS;
    const { max } = this.#delay;
    return {
      median: seconds(this.#delay.percentile(50)),
      p99: seconds(this.#delay.percentile(99)),
      longest: seconds(max),
    };
  }

  /** What is live, and sums since the start. */
  get totals(): Totals {
    let requests = 0;
    for (const statuses of this.#requests.values()) for (const count of statuses.values()) requests += count;
    return {
      connections: this.#connections,
      sessions: this.#sessions,
      opens: this.#opens,
      requests,
      readBytes: this.#read,
      writtenBytes: this.#written,
    };
  }

  #counter(name: string, help: string, value: () => number): void {
    const counter = new Counter({
      name,
      help,
      registers: [this.registry],
      collect: () => {
        counter.reset();
        counter.inc(value());
      },
    });
  }

  #table(name: string, help: string, labels: readonly [string, string], table: CountTable): void {
    const [first, second] = labels;
    const counter = new Counter({
      name,
      help,
      labelNames: [first, second],
      registers: [this.registry],
      collect: () => {
        counter.reset();
        for (const { row, column, count } of table.entries()) counter.inc({ [first]: row, [second]: column }, count);
      },
    });
  }

  #gauge(name: string, help: string, value: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(value()) });
  }

  request(command: number, status: number): void {
    const known = COMMAND_NAMES.has(command) ? command : UNKNOWN_COMMAND;
    let statuses = this.#requests.get(known);
    if (statuses === undefined) {
      statuses = new Map();
      this.#requests.set(known, statuses);
    }
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }

  bytesRead(count: number): void {
    this.#read += count;
  }

  bytesWritten(count: number): void {
    this.#written += count;
  }

  copied(operation: CopyOperation, way: CopyWay, bytes: number): void {
    this.copies.add(operation, way, bytes);
  }

  copyRefused(operation: CopyOperation, reason: string): void {
    this.refusals.add(operation, reason, 1);
  }

  connections(change: 1 | -1): void {
    this.#connections += change;
  }

  sessions(change: 1 | -1): void {
    this.#sessions += change;
  }

  opens(change: 1 | -1): void {
    this.#opens += change;
  }

  close(): void {
    this.#delay.disable();
    this.registry.clear();
  }
}

/** For servers that nobody asks for metrics. */
export const noMetrics: Metrics = {
  request() {},
  bytesRead() {},
  bytesWritten() {},
  copied() {},
  copyRefused() {},
  connections() {},
  sessions() {},
  opens() {},
};
