// SPDX-License-Identifier: Apache-2.0
/** Memory that idle, logged-on clients cost the server. */
import { memoryKiB } from "../conformance/lib/server.ts";
import { delay } from "../conformance/lib/temp.ts";
import { logOn } from "../test/support/smb-client.ts";
import { SmbConnection } from "../test/support/smb-connection.ts";
import { type ClientTransport, connectTcp } from "../test/support/smb-transport.ts";
import type { Benchmark } from "./benchmark.ts";

const connections = 1000;

export const idleConnections: Benchmark = {
  name: `memory with ${connections} idle connections, in all`,
  unit: "MiB",
  better: "lower",
  once: true,
  measure: async ({ server }) => {
    const account = { userName: server.account.name, password: server.account.password };
    const open: ClientTransport[] = [];
    try {
      while (open.length < connections) {
        const transport = await connectTcp(server.port);
        open.push(transport);
        const connection = new SmbConnection(transport);
        await connection.negotiate();
        const session = await logOn(connection, account);
        await session.treeConnect("xfs");
      }
      // Garbage of the log-ons is given a moment to go.
      await delay(3000);
      return memoryKiB(server.pid) / 1024;
    } finally {
      for (const transport of open) transport.destroy();
    }
  },
};
