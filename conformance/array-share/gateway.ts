// SPDX-License-Identifier: Apache-2.0
/** Gateways: built servers whose shares are on arrays, each with its configuration, catalogues and state. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CopyOperation, CopyWay } from "../../src/offload/operations.ts";
import { statsSchema } from "../../src/server/control-messages.ts";
import { type MountedShare, mountTcp } from "../../test/support/tcp-client.ts";
import { arrayTarget, type RunningArray } from "../lib/array.ts";
import { type Daemon, must, start } from "../lib/process.ts";
import { alice, bob, type RunningServer } from "../lib/server.ts";
import { freePort, waitForPort } from "../lib/temp.ts";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** A share on LUNs of an array; it has the name of the array in the configuration. */
export interface ArrayShare {
  readonly name: string;
  /** Ports of the portals, in the order of preference. */
  readonly ports: readonly number[];
  readonly luns: readonly number[];
  /** Further shares on the same volume. */
  readonly aliases?: readonly string[];
  /** Each LUN is one file. */
  readonly files?: readonly string[];
  readonly foreignTokens?: "accept" | "refuse";
  readonly readOnly?: boolean;
}

export const shareOn = (name: string, array: RunningArray, ...luns: readonly number[]): ArrayShare => ({
  name,
  ports: array.ports,
  luns,
});

export interface GatewayOptions {
  /** A folder of its own. */
  readonly folder: string;
  readonly shares: readonly ArrayShare[];
  /** Names of shares on folders, for comparison. */
  readonly folders?: readonly string[];
}

/** A gateway that can be started, killed and started again. */
export class Gateway {
  readonly port: number;
  readonly logFile: string;
  readonly #config: string;
  readonly #shares: readonly ArrayShare[];
  #daemon: Daemon | undefined;

  private constructor({ folder, shares }: GatewayOptions, port: number) {
    this.port = port;
    this.#config = join(folder, "tessera.yaml");
    this.#shares = shares;
    this.logFile = join(folder, "tessera.log");
  }

  /** Writes the configuration, formats the volumes and starts the server. */
  static async launch(options: GatewayOptions): Promise<Gateway> {
    const gateway = await Gateway.prepare(options);
    for (const { name } of options.shares) await gateway.format(name);
    await gateway.start();
    return gateway;
  }

  /** Writes the configuration, and does nothing else. */
  static async prepare(options: GatewayOptions): Promise<Gateway> {
    const { folder, shares, folders = [] } = options;
    for (const name of ["state", ...folders]) mkdirSync(join(folder, name), { recursive: true, mode: 0o777 });
    const gateway = new Gateway(options, await freePort());
    // JSON is YAML.
    const config = {
      server: {
        listen: [`127.0.0.1:${gateway.port}`],
        stateDirectory: join(folder, "state"),
        signing: "enabled",
        logging: { level: "info", format: "json" },
      },
      arrays: shares.map(({ name, ports, luns, foreignTokens, readOnly }) => ({
        name,
        target: arrayTarget,
        portals: ports.map((port) => `127.0.0.1:${port}`),
        luns,
        catalogue: join(folder, `catalogue-${name}`),
        ...(foreignTokens === undefined ? {} : { foreignTokens }),
        ...(readOnly === undefined ? {} : { readOnly }),
      })),
      shares: [
        ...shares.flatMap(({ name, aliases = [] }) => [name, ...aliases].map((one) => ({ name: one, array: name }))),
        ...folders.map((name) => ({ name, path: join(folder, name) })),
      ],
    };
    writeFileSync(gateway.#config, JSON.stringify(config, undefined, 2));
    return gateway;
  }

  async format(name: string, ...options: readonly string[]): Promise<void> {
    const files = this.#shares.find((share) => share.name === name)?.files ?? [];
    await must(process.execPath, [
      cli,
      ...["array", "format", name, "--config", this.#config],
      ...files.flatMap((file) => ["--file", file]),
      ...options,
    ]);
  }

  /** Compares everything in a catalogue with everything else. @throws Error where something is wrong */
  async check(name: string): Promise<string> {
    const { stdout } = await must(process.execPath, [cli, "array", "check", name, "--config", this.#config]);
    if (!stdout.includes("No contradiction found.")) throw new Error(stdout);
    return stdout;
  }

  async start(): Promise<void> {
    const users = [alice, bob].flatMap(({ name, password }) => ["--user", `${name}:${password}`]);
    const daemon = start(process.execPath, [cli, "serve", "--config", this.#config, ...users], this.logFile);
    this.#daemon = daemon;
    try {
      await waitForPort(this.port, 40_000, daemon.alive);
    } catch (error) {
      await daemon.stop(0);
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`gateway: ${message}\n${this.log().slice(-3000)}`);
    }
  }

  /** Ends it as SIGTERM does. */
  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  /** SIGKILL: nothing is cleaned up. */
  async kill(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    process.kill(daemon.pid, "SIGKILL");
    await daemon.stop(0);
    this.#daemon = undefined;
  }

  get alive(): boolean {
    return this.#daemon?.alive() === true;
  }

  /** For those who want a server as the other suites know it. */
  get server(): RunningServer {
    const daemon = this.#daemon;
    if (daemon === undefined) throw new Error("the gateway does not run");
    return {
      kind: "tessera",
      port: this.port,
      pid: daemon.pid,
      account: alice,
      logFile: this.logFile,
      alive: daemon.alive,
      stop: () => daemon.stop(),
    };
  }

  log(): string {
    return readFileSync(this.logFile, "utf8");
  }

  /** Bytes that offloaded copies have brought to their targets in this way. */
  offloaded(way: CopyWay): Promise<number> {
    return this.copied("odx", way);
  }

  /** As `tessera stats` tells. */
  async copied(operation: CopyOperation, way: CopyWay): Promise<number> {
    const { stdout } = await must(process.execPath, [cli, "stats", "--json", "--config", this.#config]);
    const { copies } = statsSchema.parse(JSON.parse(stdout));
    return copies.find((one) => one.operation === operation && one.way === way)?.bytes ?? 0;
  }

  mount(share: string): Promise<MountedShare> {
    return mountTcp(this.port, { userName: alice.name, password: alice.password }, share);
  }
}
