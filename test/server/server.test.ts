// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it, vi } from "vitest";
import { Access, MemoryVolume, Server, type ServerOptions, StartupError } from "../../src/index.ts";
import { sidFromBuffer } from "../../src/nt/sid.ts";
import { NtStatus } from "../../src/nt/status.ts";
import { InfoType } from "../../src/smb2/wire/constants.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type LogLine, recordingLogger, statusOf } from "../support/server-harness.ts";
import { logOn, type SmbSession, type SmbTree } from "../support/smb-client.ts";
import { SmbConnection } from "../support/smb-connection.ts";
import { requests } from "../support/smb-requests.ts";
import { connectTcp } from "../support/smb-transport.ts";
import { mountTcp } from "../support/tcp-client.ts";

const USERS = [
  { name: "alice", password: "secret1" },
  { name: "bob", password: "Пароль-2" },
];

/** The owner of a new file: the caller. */
async function ownerOf(tree: SmbTree): Promise<string> {
  const file = await tree.createFile("owned");
  const descriptor = await file.queryInfo(0, { infoType: InfoType.SECURITY, additionalInformation: 1 });
  await file.close();
  return sidFromBuffer(descriptor, descriptor.readUInt32LE(4));
}

describe("Server", () => {
  const servers: Server[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close(100);
  });

  async function start(options: Partial<ServerOptions> = {}) {
    const volume = new MemoryVolume();
    const server = new Server({
      listen: "127.0.0.1:0",
      users: USERS,
      shares: [{ name: "data", volume }],
      name: "NAS",
      ...options,
    });
    servers.push(server);
    await server.listen();
    return { server, volume };
  }

  async function connection(server: Server): Promise<SmbConnection> {
    const client = new SmbConnection(await connectTcp(server.addresses[0]?.port ?? 0));
    await client.negotiate();
    return client;
  }

  async function session(server: Server, userName = "alice", password = "secret1"): Promise<SmbSession> {
    return logOn(await connection(server), { userName, password });
  }

  it("bounds what all clients together do not take, serves the others, and ends those that do not move", async () => {
    const MIB = 1024 * 1024;
    const clock = new FakeClock();
    const log: LogLine[] = [];
    const { server } = await start({ clock, logger: recordingLogger(log), protocol: { maxMessageBytes: 16 * MIB } });
    const mount = async () => {
      const account = { userName: "alice", password: "secret1" };
      const mounted = await mountTcp(server.addresses[0]?.port ?? 0, account, "data");
      mounted.tree.session.connection.creditsAsked = 1024;
      await mounted.tree.exchange(requests.echo());
      return mounted;
    };
    const good = await mount();
    const content = Buffer.alloc(MIB, "0123456789");
    await good.tree.put("big", content);
    const idle = await Promise.all(Array.from({ length: 10 }, mount));
    for (const { tree, transport } of idle) {
      const file = await tree.create("big");
      transport.hold(true);
      for (let count = 0; count < 24; count++) tree.submit(requests.read(file.fileId, 0, MIB));
    }
    // What the kernel takes off the server for each of them comes to less than half of what they have asked for.
    await vi.waitFor(() => expect(server.messageBytes).toBeGreaterThan(12 * MIB), 10_000);
    for (let round = 0; round < 20; round++) {
      const read = await Promise.all([good.tree.get("big"), good.tree.get("big")]);
      expect(read.map((data) => data.equals(content))).toEqual([true, true]);
      expect(server.messageBytes).toBeLessThan((16 + 11) * MIB);
    }
    expect(log).toContainEqual(expect.objectContaining({ message: "memory for requests and answers is short" }));
    const ended = () => log.filter(({ message }) => message === "connection ended").length;
    expect(ended()).toBe(0);
    clock.advance(31_000);
    expect(ended()).toBeGreaterThan(0);
    expect(server.messageBytes).toBeLessThan(12 * MIB);
    expect((await good.tree.get("big")).equals(content)).toBe(true);
    for (const { close } of [good, ...idle]) close();
    await vi.waitFor(() => expect(server.messageBytes).toBe(0));
  });

  it("serves a volume over TCP to its users", async () => {
    const { server } = await start();
    const tree = await (await session(server)).treeConnect("data");
    const content = Buffer.alloc(3 * 1024 * 1024, "0123456789");
    await tree.put("big.bin", content);
    expect((await tree.get("BIG.BIN")).equals(content)).toBe(true);
    const other = await (await session(server, "bob", "Пароль-2")).treeConnect("data");
    expect(await other.tryCreate("big.bin")).toBe(NtStatus.SUCCESS);
  });

  it("refuses wrong passwords, unknown users and unknown shares", async () => {
    const { server } = await start();
    expect(await statusOf(session(server, "alice", "wrong"))).toBe("STATUS_LOGON_FAILURE");
    expect(await statusOf(session(server, "mallory", "secret1"))).toBe("STATUS_LOGON_FAILURE");
    expect(await statusOf((await session(server)).treeConnect("nothing"))).toBe("STATUS_BAD_NETWORK_NAME");
  });

  it("holds users to what a share allows them", async () => {
    const { server, volume } = await start({ shares: [] });
    await server.setShares([
      { name: "data", volume, users: { readWrite: ["alice"], readOnly: ["*"] } },
      { name: "private", volume, users: { readWrite: ["alice"] } },
    ]);
    const alice = await (await session(server)).treeConnect("DATA");
    await alice.put("file", "content");
    const bob = await session(server, "bob", "Пароль-2");
    const tree = await bob.treeConnect("data");
    const file = await tree.create("file", { desiredAccess: Access.FILE_GENERIC_READ });
    expect((await file.read(0, 100)).toString()).toBe("content");
    expect(await statusOf(tree.put("file", "changed"))).toBe("STATUS_ACCESS_DENIED");
    expect(await statusOf(bob.treeConnect("private"))).toBe("STATUS_ACCESS_DENIED");
  });

  it("exchanges shares without dropping clients", async () => {
    const { server, volume } = await start();
    const other = new MemoryVolume();
    const client = await session(server);
    const data = await client.treeConnect("data");
    await data.put("kept", "1");
    await server.setShares([
      { name: "data", volume, comment: "another comment" },
      { name: "more", volume: other },
    ]);
    expect((await data.get("kept")).toString()).toBe("1");
    const more = await client.treeConnect("more");
    await server.setShares([{ name: "more", volume: other }]);
    expect(await data.tryCreate("kept")).toBe(NtStatus.NETWORK_NAME_DELETED);
    expect(await more.tryCreate("nothing")).toBe(NtStatus.OBJECT_NAME_NOT_FOUND);
    expect(await statusOf(client.treeConnect("data"))).toBe("STATUS_BAD_NETWORK_NAME");
  });

  it("closes: files are closed, clients disconnected, the port is free", async () => {
    const { server } = await start();
    const client = await session(server);
    const tree = await client.treeConnect("data");
    await tree.createFile("open");
    const [address] = server.addresses;
    await server.close();
    await client.connection.closed;
    expect(server.addresses).toEqual([]);
    await server.close();
    const next = new Server({ listen: `127.0.0.1:${address?.port}`, shares: [] });
    servers.push(next);
    await next.listen();
  });

  it("gives users SIDs that do not depend on who else is there", async () => {
    const volume = new MemoryVolume();
    const sids: string[] = [];
    for (const users of [USERS, [...USERS].reverse()]) {
      const shares = [{ name: "data", volume }];
      const { server } = await start({ users, shares });
      const tree = await (await session(server)).treeConnect("data");
      sids.push(await ownerOf(tree));
      await server.close(100);
    }
    expect(sids[0]).toMatch(/^S-1-5-21-/);
    expect(sids[1]).toBe(sids[0]);
  });

  it.each<[Partial<ServerOptions>, string]>([
    [{ listen: "nowhere:x" }, "is not an address to listen on"],
    [{ name: "a-name-of-16-char" }, "must not be longer than 15"],
    [{ shares: [{ name: "a/b", volume: new MemoryVolume() }] }, "must not contain"],
    [
      {
        shares: [
          { name: "a", volume: new MemoryVolume() },
          { name: "A", volume: new MemoryVolume() },
        ],
      },
      "two shares with the name",
    ],
  ])("refuses options that cannot work, case %#", (options, message) => {
    expect(() => new Server({ shares: [], ...options })).toThrow(StartupError);
    expect(() => new Server({ shares: [], ...options })).toThrow(message);
  });

  it("refuses users that cannot exist, and a port that is taken", async () => {
    const { server } = await start();
    const taken = { listen: server.addresses, shares: [] };
    await expect(new Server(taken).listen()).rejects.toThrow("the port is taken");
    const users = [{ name: "a:b", password: "x" }];
    await expect(new Server({ listen: "127.0.0.1:0", shares: [], users }).listen()).rejects.toThrow(StartupError);
    await expect(server.listen()).rejects.toThrow("listening already");
  });
});
