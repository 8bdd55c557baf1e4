// SPDX-License-Identifier: Apache-2.0

import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Registry } from "prom-client";
import { statusName } from "../nt/status.ts";
import type { CopyOperation, CopyWay } from "../offload/operations.ts";
import type { Metrics } from "../smb2/server-context.ts";
import { Command } from "../smb2/wire/constants.ts";
import { CountTable } from "./count-table.ts";

const NANOSECONDS = 1e9;

const COMMAND_NAMES = new Map<number, string>(Object.entries(Command).map(([name, code]) => [code, name]));

/** Stands for every command code that does not exist: clients may send any, and shall not make the table grow. */
const UNKNOWN_COMMAND = -1;

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
  /** Bytes by operation and way, and refusals by operation and reason. */
  readonly #copied = new CountTable();
  readonly #copiesRefused = new CountTable();
  #connections = 0;
  #sessions = 0;
  #opens = 0;
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  constructor() {
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
      this.#copied,
    );
    this.#table(
      "tessera_copies_refused_total",
      "Requests for a copy on the server that failed, by NTSTATUS, or by what is wrong with a token",
      ["operation", "reason"],
      this.#copiesRefused,
    );
    this.#gauge("tessera_connections", "Live connections", () => this.#connections);
    this.#gauge("tessera_sessions", "Live sessions", () => this.#sessions);
    this.#gauge("tessera_opens", "Open files, directories and pipes", () => this.#opens);
    this.#gauge("process_resident_memory_bytes", "Resident memory", () => process.memoryUsage.rss());
    const delay = new Gauge({
      name: "tessera_event_loop_delay_seconds",
      help: "Delay of the event loop since the last collection",
      labelNames: ["quantile"],
      registers: [registry],
      collect: () => {
        delay.set({ quantile: "0.5" }, this.#delay.percentile(50) / NANOSECONDS);
        delay.set({ quantile: "0.99" }, this.#delay.percentile(99) / NANOSECONDS);
        delay.set({ quantile: "1" }, this.#delay.max / NANOSECONDS);
        this.#delay.reset();
      },
    });
    this.#delay.enable();
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
    this.#copied.add(operation, way, bytes);
  }

  copyRefused(operation: CopyOperation, reason: string): void {
    this.#copiesRefused.add(operation, reason, 1);
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
