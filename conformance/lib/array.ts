// SPDX-License-Identifier: Apache-2.0
/** The simulated array as a process of its own, started as a user starts it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
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
  readonly controlPort: number;
  /** Bytes that its portals have received and sent, iSCSI with all that belongs to it. */
  readonly traffic: () => Promise<number>;
  /** Sends a request to the switches. */
  readonly control: (method: string, path: string, body?: object) => Promise<unknown>;
  readonly pid: number;
  readonly alive: () => boolean;
  readonly stop: () => Promise<void>;
}

const stateSchema = z.object({ portals: z.array(z.object({ received: z.number(), sent: z.number() })) });

/**
 * Starts the array with so many portals; `args` are those of `npm run array`.
 * @param again an array that was stopped, whose ports it takes
 */
export async function launchArray(
  workDir: string,
  portals: number,
  args: readonly string[],
  again?: Pick<RunningArray, "ports" | "controlPort">,
): Promise<RunningArray> {
  const ports: number[] = [...(again?.ports ?? [])];
  while (ports.length < portals) ports.push(await freePort());
  const controlPort = again?.controlPort ?? (await freePort());
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
  const control = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${controlPort}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  return {
    ports,
    controlPort,
    log,
    url: (lun, portal = 0) => `iscsi://127.0.0.1:${ports[portal]}/${arrayTarget}/${lun}`,
    control,
    traffic: async () => {
      const state = stateSchema.parse(await control("GET", "/"));
      return state.portals.reduce((sum, { received, sent }) => sum + received + sent, 0);
    },
    pid: daemon.pid,
    alive: daemon.alive,
    stop: async () => {
      await daemon.stop();
    },
  };
}
