// SPDX-License-Identifier: Apache-2.0

import type { Logger } from "../smb2/server-context.ts";
import { systemClock } from "./clock.ts";
import { controlSocketOf, type ServerStats } from "./control-messages.ts";
import { type ControlSocket, serveControl } from "./control-socket.ts";
import { CopyReport } from "./copy-report.ts";
import type { ServerMetrics } from "./metrics.ts";
import { packageVersion } from "./package-version.ts";
import type { Server } from "./server.ts";

export interface WatchOptions {
  readonly server: Server;
  readonly metrics: ServerMetrics;
  readonly log: Logger;
  /** The state directory, in which the control socket lies. */
  readonly state: string;
  /** Milliseconds between two lines about copies, 0 for none. */
  readonly logInterval: number;
}

/** What tells an administrator how a server is doing: lines in its log, answers on its control socket. */
export class Watch {
  readonly #metrics: ServerMetrics;
  readonly #report: CopyReport;
  readonly #control: ControlSocket | undefined;

  private constructor(metrics: ServerMetrics, report: CopyReport, control: ControlSocket | undefined) {
    this.#metrics = metrics;
    this.#report = report;
    this.#control = control;
  }

  static async start({ server, metrics, log, state, logInterval }: WatchOptions): Promise<Watch> {
    const started = systemClock.now();
    const version = packageVersion();
    const source = {
      stats: () => statsOf(metrics, started, version),
      tokens: () => ({ now: systemClock.now(), tokens: [...server.heldTokens()] }),
    };
    const control = await serveControl(controlSocketOf(state), source, log);
    const { copies, refusals } = metrics;
    const report = new CopyReport({
      log,
      clock: systemClock,
      interval: logInterval,
      copied: copies,
      refused: refusals,
      tokens: () => metrics.tokens,
    });
    return new Watch(metrics, report, control);
  }

  async close(): Promise<void> {
    this.#report.close();
    await this.#control?.close();
    this.#metrics.close();
  }
}

function statsOf(metrics: ServerMetrics, started: number, version: string): ServerStats {
  return {
    version,
    pid: process.pid,
    started,
    now: systemClock.now(),
    ...metrics.totals,
    copies: Array.from(metrics.copies.entries(), ({ row, column, count }) => ({
      operation: row,
      way: column,
      bytes: count,
    })),
    refusals: Array.from(metrics.refusals.entries(), ({ row, column, count }) => ({
      operation: row,
      reason: column,
      count,
    })),
    tokens: { ...metrics.tokens },
    eventLoopDelay: metrics.eventLoopDelay,
    residentBytes: process.memoryUsage.rss(),
  };
}
