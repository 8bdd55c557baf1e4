// SPDX-License-Identifier: Apache-2.0
/** A process that generates load, as its parent tells it by messages. */
import { Histogram } from "./histogram.ts";
import { LoadConnection } from "./load-connection.ts";
import type { ConnectSpec, LoadMessage, LoadReply, LoadResult, LoadSpec } from "./load-spec.ts";
import { type RunningLoad, startLoad } from "./operations.ts";

/** Log-ons under way at a time. */
const LOG_ONS = 8;

interface Client {
  readonly connection: LoadConnection;
  readonly number: number;
  /** Steps so far. */
  sequence: number;
  load: RunningLoad | undefined;
}

/** What is counted between two moments. */
class Window {
  readonly #started = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #latency = new Histogram();
  #work = 0;
  #operations = 0;

  record(milliseconds: number, work: number): void {
    this.#latency.record(milliseconds);
    this.#work += work;
    this.#operations += 1;
  }

  result(): LoadResult {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      seconds: (performance.now() - this.#started) / 1000,
      work: this.#work,
      operations: this.#operations,
      cpu: (user + system) / 1e6,
      latency: this.#latency.toJSON(),
    };
  }
}

const clients: Client[] = [];
let depth = 1;
let window = new Window();
/** Set while a load runs until it is told to end. */
let running: Promise<unknown> | undefined;
let ending = false;

async function connect({ connections, first, userName, password, ...options }: ConnectSpec): Promise<void> {
  const numbers = Array.from({ length: connections }, (_, index) => first + index);
  const next = async (): Promise<void> => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
      const connection = await LoadConnection.open({ ...options, account: { userName, password } });
      clients.push({ connection, number, sequence: 0, load: undefined });
    }
  };
  await Promise.all(Array.from({ length: LOG_ONS }, next));
}

async function prepare(spec: LoadSpec): Promise<void> {
  await Promise.all(
    clients.map(async (client) => {
      await client.load?.stop?.();
      client.load = undefined;
      client.sequence = 0;
      client.load = await startLoad(client.connection, spec, client.number);
    }),
  );
}

/** Steps of one client, one after the other, for as long as it is asked for. */
async function repeat(client: Client, goesOn: () => boolean): Promise<void> {
  const { load } = client;
  if (load === undefined) throw new Error("nothing is prepared");
  while (goesOn()) {
    const started = performance.now();
    const sequence = client.sequence;
    client.sequence += 1;
    const work = await load.step(sequence);
    window.record(performance.now() - started, work);
  }
}

const onEach = (goesOn: (client: Client) => boolean) =>
  Promise.all(
    clients.flatMap((client) => Array.from({ length: depth }, () => repeat(client, () => !ending && goesOn(client)))),
  );

async function handle(message: LoadMessage): Promise<LoadReply | undefined> {
  switch (message.kind) {
    case "connect":
      await connect(message);
      return {};
    case "disconnect":
      for (const { connection } of clients.splice(0)) connection.close();
      return {};
    case "prepare":
      depth = message.depth;
      await prepare(message.load);
      return {};
    case "count": {
      window = new Window();
      await onEach(({ sequence }) => sequence < message.steps);
      return { result: window.result() };
    }
    case "begin":
      ending = false;
      running = onEach(() => true);
      // Whoever asks for the end is told of the failure.
      running.catch(() => {
        ending = true;
      });
      return undefined;
    case "mark":
      window = new Window();
      return undefined;
    case "end": {
      const result = window.result();
      ending = true;
      await running;
      ending = false;
      return { result };
    }
  }
}

process.on("message", (message: LoadMessage) => {
  handle(message).then(
    (reply) => {
      if (reply !== undefined) process.send?.(reply);
    },
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => process.exit());
