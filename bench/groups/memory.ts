// SPDX-License-Identifier: Apache-2.0
/** Memory of a fresh server: with idle clients, after many operations, and with clients that do not take their answers. */
import { join } from "node:path";
import { cpuSeconds, memoryKiB, type RunningServer } from "../../conformance/lib/server.ts";
import { delay, writeRandomFile } from "../../conformance/lib/temp.ts";
import { requests } from "../../test/support/smb-requests.ts";
import type { Benchmark, Group, Sample, Target } from "../benchmark.ts";
import { Fleet } from "../load/fleet.ts";
import { LoadConnection } from "../load/load-connection.ts";
import type { LoadSpec } from "../load/load-spec.ts";
import { openFile } from "../load/operations.ts";
import { median } from "../report.ts";
import type { Scale } from "../scale.ts";
import { openToAll, smallFile } from "../share-files.ts";

const MiB = 1024 * 1024;
/** Milliseconds until garbage of what went before has gone. */
const SETTLING = 3000;

const memoryMiB = ({ pid }: RunningServer) => memoryKiB(pid) / 1024;

/** Measures on a server that has done nothing before. */
function fresh(
  about: Omit<Benchmark, "setUp" | "once">,
  measure: (server: RunningServer) => Promise<Sample>,
): Benchmark {
  return {
    ...about,
    once: true,
    setUp: async (target: Target) => {
      smallFile(target.xfs, "small.txt");
      const file = join(target.xfs, "stream-0");
      await writeRandomFile(file, 16 * MiB);
      openToAll(file);
      const server = await target.startFresh();
      return {
        measure: () => measure(server),
        tearDown: () => server.stop().then(() => undefined),
      };
    },
  };
}

const about = { unit: "MiB", better: "lower" } as const;

function idle(connections: number, servers: Benchmark["servers"]): Benchmark {
  const name = `memory with ${connections.toLocaleString("en-US")} idle connections, in all`;
  return fresh({ ...about, name, ...(servers === undefined ? {} : { servers }) }, async (server) => {
    const before = memoryMiB(server);
    const [started, cpu] = [performance.now(), cpuSeconds(server.pid)];
    const fleet = await Fleet.connect(server, { connections });
    try {
      const seconds = (performance.now() - started) / 1000;
      const perLogOn = ((cpuSeconds(server.pid) - cpu) / connections) * 1000;
      await delay(SETTLING);
      const value = memoryMiB(server);
      const each = ((value - before) * 1024) / connections;
      return {
        value,
        details: { before, kibibytesEach: each, logOnsPerSecond: connections / seconds, cpuMsPerLogOn: perLogOn },
      };
    } finally {
      await fleet.close();
    }
  });
}

const PARTS = 10;

/** What the server has grown by from the first three tenths of the operations to the last three. */
function growth(operations: number): Benchmark {
  const name = `growth over ${operations.toLocaleString("en-US")} operations`;
  return fresh({ ...about, name, servers: ["tessera"] }, async (server) => {
    const loads: readonly LoadSpec[] = [
      { operation: "echo" },
      { operation: "open", path: "small.txt" },
      { operation: "stat", path: "small.txt" },
      { operation: "read", file: "stream", bytes: 4096, span: 16 * MiB },
    ];
    const connections = 1;
    const fleet = await Fleet.connect(server, { connections });
    const memory: number[] = [];
    try {
      for (let part = 0; part < PARTS; part += 1) {
        for (const load of loads) {
          await fleet.prepare(load, 8);
          await fleet.count(operations / PARTS / loads.length / connections);
        }
        memory.push(memoryMiB(server));
      }
    } finally {
      await fleet.close();
    }
    const details = Object.fromEntries(memory.map((value, part) => [`after${((part + 1) * 100) / PARTS}%`, value]));
    return { value: median(memory.slice(-3)) - median(memory.slice(0, 3)), details };
  });
}

const DEAF_CLIENTS = 8;
const GATHERING = 64;

/** Clients that ask for all that their credits allow and take none of it. */
function deaf(requestBytes: number): Benchmark {
  const name = `memory for each of ${DEAF_CLIENTS} clients that take no answers to reads of ${requestBytes / 1024} KiB`;
  return fresh({ ...about, name }, async (server) => {
    const { name: userName, password } = server.account;
    const options = { port: server.port, account: { userName, password }, share: "xfs", protection: "off" } as const;
    const before = memoryMiB(server);
    const connections: LoadConnection[] = [];
    let asked = 0;
    try {
      for (let client = 0; client < DEAF_CLIENTS; client += 1) {
        const connection = await LoadConnection.open(options);
        connections.push(connection);
        // Every response brings credits, until the server gives no more.
        const echo = [connection.prepare(requests.echo())];
        for (let round = 0; round < GATHERING; round += 1) await connection.exchange(echo);
        const fileId = await openFile(connection, "stream-0");
        connection.transport.hold(true);
        const read = connection.prepare(requests.read(fileId, 0, requestBytes));
        while (connection.credits >= read.creditCharge) {
          connection.exchange([read]).catch(() => {});
          asked += requestBytes;
        }
      }
      let most = 0;
      for (let look = 0; look < 10; look += 1) {
        await delay(SETTLING / 10);
        most = Math.max(most, memoryMiB(server));
      }
      const details = { before, askedMiBEach: asked / MiB / DEAF_CLIENTS };
      return { value: (most - before) / DEAF_CLIENTS, details };
    } finally {
      for (const connection of connections) connection.close();
    }
  });
}

export const memory: Group = {
  name: "memory",
  about: "idle connections, growth over many operations, clients that do not take their answers",
  benchmarks: (scale: Scale) => [
    idle(scale.idle, undefined),
    idle(scale.idleMany, ["tessera"]),
    growth(scale.operations),
    deaf(64 * 1024),
    deaf(MiB),
  ],
};
