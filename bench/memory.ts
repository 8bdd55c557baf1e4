// SPDX-License-Identifier: Apache-2.0
/** Memory that idle, logged-on clients cost the server. */
import { memoryKiB } from "../conformance/lib/server.ts";
import { delay } from "../conformance/lib/temp.ts";
import { type MountedShare, mountTcp } from "../test/support/tcp-client.ts";
import type { Benchmark } from "./benchmark.ts";

const connections = 1000;

export const idleConnections: Benchmark = {
  name: `memory with ${connections} idle connections, in all`,
  unit: "MiB",
  better: "lower",
  once: true,
  measure: async ({ server }) => {
    const account = { userName: server.account.name, password: server.account.password };
    const open: MountedShare[] = [];
    try {
      while (open.length < connections) open.push(await mountTcp(server.port, account, "xfs"));
      // Garbage of the log-ons is given a moment to go.
      await delay(3000);
      return memoryKiB(server.pid) / 1024;
    } finally {
      for (const share of open) share.close();
    }
  },
};
