// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LoadConnection } from "../../../bench/load/load-connection.ts";
import type { LoadSpec } from "../../../bench/load/load-spec.ts";
import { startLoad } from "../../../bench/load/operations.ts";
import type { Protection } from "../../../bench/load/protection.ts";
import { MemoryVolume, Server } from "../../../src/index.ts";
import { mountTcp } from "../../support/tcp-client.ts";

const account = { userName: "alice", password: "secret1" };
const CLIENT = 3;
const MiB = 1024 * 1024;

describe("loads", () => {
  let server: Server;
  const connections: LoadConnection[] = [];

  beforeEach(async () => {
    server = new Server({
      listen: "127.0.0.1:0",
      users: [{ name: account.userName, password: account.password }],
      shares: [{ name: "data", volume: new MemoryVolume() }],
    });
    await server.listen();
    const share = await mountTcp(port(), account, "data");
    await share.tree.mkdir("folder");
    await share.tree.put("small.txt", "a few bytes");
    await share.tree.put(`stream-${CLIENT}`, Buffer.alloc(4 * MiB, "0123456789"));
    share.close();
  });

  afterEach(async () => {
    for (const connection of connections.splice(0)) connection.close();
    await server.close(100);
  });

  const port = () => server.addresses[0]?.port ?? 0;

  async function connect(protection: Protection): Promise<LoadConnection> {
    const connection = await LoadConnection.open({ port: port(), account, share: "data", protection });
    connections.push(connection);
    return connection;
  }

  /** Runs a load so many times, some at once, and adds up what it counts. */
  async function run(connection: LoadConnection, spec: LoadSpec, steps: number): Promise<number> {
    const { step, stop } = await startLoad(connection, spec, CLIENT);
    const work = await Promise.all(Array.from({ length: steps }, (_, sequence) => step(sequence)));
    await stop?.();
    return work.reduce((sum, one) => sum + one, 0);
  }

  describe.each(["off", "gmac", "cmac", "gcm-128", "gcm-256"] as const)("with protection %s", (protection) => {
    it("reads and writes more than there are credits for at once, and counts bytes", async () => {
      const connection = await connect(protection);
      const file = { file: "stream", bytes: MiB, span: 4 * MiB };
      expect(await run(connection, { operation: "read", ...file }, 40)).toBe(40 * MiB);
      expect(await run(connection, { operation: "write", ...file }, 40)).toBe(40 * MiB);
      expect(await run(connection, { operation: "mixed", ...file }, 10)).toBe(10 * MiB);
    });

    it("makes, lists, renames and removes files", async () => {
      const connection = await connect(protection);
      const folder = "folder";
      const entries = () => run(connection, { operation: "list", folder, bytes: 65_536 }, 1);
      expect(await run(connection, { operation: "create", folder, bytes: 4096 }, 300)).toBe(300);
      // With "." and "..".
      expect(await entries()).toBe(302);
      expect(await run(connection, { operation: "rename", folder }, 200)).toBe(200);
      expect(await run(connection, { operation: "remove", folder, renamed: true }, 200)).toBe(200);
      await expect(run(connection, { operation: "remove", folder, renamed: false }, 1)).rejects.toThrow(
        "STATUS_OBJECT_NAME_NOT_FOUND",
      );
      expect(await entries()).toBe(102);
    });

    it("opens files, asks for attributes, and sends echoes", async () => {
      const connection = await connect(protection);
      expect(await run(connection, { operation: "echo" }, 50)).toBe(50);
      expect(await run(connection, { operation: "open", path: "small.txt" }, 50)).toBe(50);
      expect(await run(connection, { operation: "stat", path: "small.txt" }, 50)).toBe(50);
    });
  });

  it("copies on the server", async () => {
    const connection = await connect("off");
    const span = 32 * MiB;
    await run(connection, { operation: "write", file: "source", bytes: MiB, span }, 0);
    const source = `source-${CLIENT}`;
    expect(await run(connection, { operation: "copychunk", source, target: "copy", span }, 2)).toBe(span);
    const share = await mountTcp(port(), account, "data");
    const copy = await share.tree.create(`copy-${CLIENT}`);
    expect(copy.response.endOfFile).toBe(BigInt(span));
    share.close();
  });

  it("fails with the first error of a compound, and with the end of the connection", async () => {
    const connection = await connect("off");
    await expect(run(connection, { operation: "stat", path: "nothing" }, 1)).rejects.toThrow(
      "STATUS_OBJECT_NAME_NOT_FOUND for command 5",
    );
    expect(await run(connection, { operation: "echo" }, 1)).toBe(1);
    connection.close();
    await expect(run(connection, { operation: "echo" }, 1)).rejects.toThrow("the connection was closed");
  });
});
