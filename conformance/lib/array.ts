// SPDX-License-Identifier: Apache-2.0
/** The simulated array as a process of its own, started as a user starts it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "./process.ts";
import { freePort, waitForPort } from "./temp.ts";

const main = fileURLToPath(new URL("../array/main.ts", import.meta.url));

export const arrayTarget = "iqn.2026-01.com.example:array";

export interface RunningArray {
  /** One for each portal; they are in portal groups 1, 2 and so on. */
  readonly ports: readonly number[];
  readonly log: string;
  /** The URL of a LUN through the portal of that index. */
  readonly url: (lun: number, portal?: number) => string;
  /** Sends a request to the switches. */
  readonly control: (method: string, path: string, body?: object) => Promise<unknown>;
  readonly alive: () => boolean;
  readonly stop: () => Promise<void>;
}

/** Starts the array with so many portals; `args` are those of `npm run array`. */
export async function launchArray(workDir: string, portals: number, args: readonly string[]): Promise<RunningArray> {
  const ports: number[] = [];
  while (ports.length < portals) ports.push(await freePort());
  const controlPort = await freePort();
  const log = join(workDir, `array-${controlPort}.log`);
  const daemon = start(
    process.execPath,
    [
      ...process.execArgv,
      main,
      ...ports.flatMap((port, index) => ["--listen", `127.0.0.1:${port},${index + 1}`]),
      ...["--control", `127.0.0.1:${controlPort}`, "--identity", "conformance", ...args],
    ],
    log,
  );
  try {
    await waitForPort(controlPort, 30_000, daemon.alive);
  } catch (error) {
    await daemon.stop();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${readFileSync(log, "utf8")}`);
  }
  return {
    ports,
    log,
    url: (lun, portal = 0) => `iscsi://127.0.0.1:${ports[portal]}/${arrayTarget}/${lun}`,
    control: async (method, path, body) => {
      const response = await fetch(`http://127.0.0.1:${controlPort}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer: unknown = await response.json();
      if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
      return answer;
    },
    alive: daemon.alive,
    stop: async () => {
      await daemon.stop();
    },
  };
}
