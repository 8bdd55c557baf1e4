// SPDX-License-Identifier: Apache-2.0
/** Clients in processes of their own, and what is measured while they are at work. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onExit } from "../../conformance/lib/process.ts";
import { cpuSeconds, type RunningServer } from "../../conformance/lib/server.ts";
import { delay } from "../../conformance/lib/temp.ts";
import { Histogram } from "./histogram.ts";
import type { LoadMessage, LoadReply, LoadResult, LoadSpec } from "./load-spec.ts";
import { machineClock } from "./machine-clock.ts";
import type { Protection } from "./protection.ts";

const worker = fileURLToPath(new URL("./worker.ts", import.meta.url));

/** What was measured of one load. */
export interface Measured {
  /** What the load counts, in a second. */
  readonly rate: number;
  readonly operations: number;
  /** Seconds of the server's processor time for each of what the load counts. */
  readonly serverCpu: number;
  /** Processors that the server had on average. */
  readonly serverShare: number;
  /** The part of a processor that the busiest of the processes that generate the load had. */
  readonly clientShare: number;
  /** Processors that nobody used, and those that neither the server nor its clients did. */
  readonly idleShare: number;
  readonly foreignShare: number;
  readonly latency: Histogram;
}

export interface FleetOptions {
  readonly connections: number;
  readonly protection?: Protection;
  readonly share?: string;
  /** Default: one for one connection, two for more. */
  readonly processes?: number;
}

class Generator {
  readonly #child: ChildProcess;
  readonly #release: () => void;
  /** Replies come in the order of the questions. */
  readonly #asked: Array<{ resolve: (result: LoadResult | undefined) => void; reject: (error: Error) => void }> = [];

  constructor() {
    const child = fork(worker);
    this.#child = child;
    this.#release = onExit(() => child.kill("SIGKILL"));
    child.on("message", (reply: LoadReply) => {
      const asked = this.#asked.shift();
      if ("error" in reply) asked?.reject(new Error(reply.error));
      else asked?.resolve(reply.result);
    });
    child.once("exit", (code) => {
      for (const { reject } of this.#asked) reject(new Error(`a process that generates load ended with ${code}`));
    });
  }

  tell(message: LoadMessage): void {
    this.#child.send(message);
  }

  ask(message: LoadMessage): Promise<LoadResult | undefined> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.tell(message);
    });
  }

  end(): void {
    this.#release();
    this.#asked.length = 0;
    this.#child.kill("SIGKILL");
  }

  /** Whether a question is open. */
  get isBusy(): boolean {
    return this.#asked.length > 0;
  }
}

/** Processes without connections: a new one takes a second to start. */
const spare: Generator[] = [];

/** A server's and the machine's clocks at one moment. */
function clocks(server: RunningServer) {
  return { time: performance.now() / 1000, cpu: cpuSeconds(server.pid), machine: machineClock() };
}

/** Clients of one server that are logged on. */
export class Fleet {
  readonly #server: RunningServer;
  readonly #generators: readonly Generator[];

  private constructor(server: RunningServer, generators: readonly Generator[]) {
    this.#server = server;
    this.#generators = generators;
  }

  static async connect(server: RunningServer, options: FleetOptions): Promise<Fleet> {
    const { connections, protection = "off", share = "xfs" } = options;
    const processes = options.processes ?? Math.min(connections, 2);
    const generators = Array.from({ length: processes }, () => spare.pop() ?? new Generator());
    const fleet = new Fleet(server, generators);
    try {
      await Promise.all(
        generators.map((generator, index) => {
          const first = Math.floor((connections * index) / processes);
          const end = Math.floor((connections * (index + 1)) / processes);
          const { name: userName, password } = server.account;
          const account = { port: server.port, userName, password, share, protection };
          return generator.ask({ kind: "connect", ...account, connections: end - first, first });
        }),
      );
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  async prepare(load: LoadSpec, depth = 1): Promise<void> {
    await this.#askAll({ kind: "prepare", load, depth });
  }

  /** Runs the prepared load `steps` times on each connection. */
  async count(steps: number): Promise<Measured> {
    const before = clocks(this.#server);
    const results = await this.#askAll({ kind: "count", steps });
    return summary(results, before, clocks(this.#server));
  }

  /** Runs the prepared load; what happens in the first `warmUp` seconds does not count. */
  async run(seconds: number, warmUp: number): Promise<Measured> {
    this.begin();
    await delay(warmUp * 1000);
    for (const generator of this.#generators) generator.tell({ kind: "mark" });
    const before = clocks(this.#server);
    await delay(seconds * 1000);
    const results = this.end();
    const after = clocks(this.#server);
    return summary(await results, before, after);
  }

  /** Runs the prepared load until `end`. */
  begin(): void {
    for (const generator of this.#generators) generator.tell({ kind: "begin" });
  }

  end(): Promise<LoadResult[]> {
    return this.#askAll({ kind: "end" });
  }

  async #askAll(message: LoadMessage): Promise<LoadResult[]> {
    const results = await Promise.all(this.#generators.map((generator) => generator.ask(message)));
    return results.filter((result) => result !== undefined);
  }

  /** Ends all connections at once. */
  async close(): Promise<void> {
    for (const generator of this.#generators) {
      try {
        // One that is still at something has failed.
        if (generator.isBusy) throw new Error("busy");
        await generator.ask({ kind: "disconnect" });
        spare.push(generator);
      } catch {
        generator.end();
      }
    }
  }
}

type Clocks = ReturnType<typeof clocks>;

function summary(results: readonly LoadResult[], before: Clocks, after: Clocks): Measured {
  const seconds = after.time - before.time;
  const cpu = after.cpu - before.cpu;
  const clientCpu = results.reduce((sum, result) => sum + result.cpu, 0);
  const rate = results.reduce((sum, { work, seconds: own }) => sum + work / own, 0);
  const latency = new Histogram();
  for (const result of results) latency.add(new Histogram(result.latency));
  return {
    rate,
    operations: results.reduce((sum, { operations }) => sum + operations, 0),
    serverCpu: cpu / (rate * seconds),
    serverShare: cpu / seconds,
    clientShare: Math.max(...results.map((result) => result.cpu / result.seconds)),
    idleShare: (after.machine.idle - before.machine.idle) / seconds,
    foreignShare: (after.machine.busy - before.machine.busy - cpu - clientCpu) / seconds,
    latency,
  };
}
