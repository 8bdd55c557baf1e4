// SPDX-License-Identifier: Apache-2.0

import type { Config } from "../config/schema.ts";
import type { ServerLog } from "../log.ts";
import { Service, type ServiceOptions } from "../service.ts";

/** Resolves with the first signal that asks the process to end. */
function terminationSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}

/** What is left of a bug: logged, and the process ends so that a service manager starts a sound one. */
function endOnBugs(log: ServerLog): void {
  const end = (err: unknown) => {
    log.error({ err }, "failure inside the server; it ends");
    log.flush();
    process.exit(1);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}

export interface RunOptions extends ServiceOptions {
  /** Reads the configuration again, on SIGHUP. */
  readonly load: () => Promise<Config>;
  readonly onReady?: (service: Service) => void;
}

/** Serves until SIGTERM or SIGINT; a second one ends the process at once. @throws StartupError */
export async function runService(options: RunOptions): Promise<void> {
  const { log } = options;
  // Signals are minded from here on, so that one during the start is not lost.
  const terminated = terminationSignal();
  const service = await Service.start(options);
  endOnBugs(log);
  process.on("SIGHUP", () => {
    log.reopen();
    void service.reload(options.load);
  });
  options.onReady?.(service);
  // Sockets that listen keep the process alive; a timer bridges the moment when the last of them closes.
  const alive = setInterval(() => {}, 3_600_000);
  const signal = await terminated;
  log.info({ signal }, "shutting down");
  for (const again of ["SIGTERM", "SIGINT"] as const) {
    process.once(again, () => process.exit(1));
  }
  await service.close();
  clearInterval(alive);
  log.info({}, "shut down");
  log.flush();
}
