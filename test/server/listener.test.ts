// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Listener, type ListenerOptions, type ServedConnection } from "../../src/server/listener.ts";
import { silentLog } from "../../src/server/log.ts";
import { StartupError } from "../../src/server/startup-error.ts";
import type { Transport } from "../../src/smb2/server-context.ts";
import { FakeClock } from "../support/fake-clock.ts";

const LOCALHOST = { host: "127.0.0.1", port: 0 };

class FakeConnection implements ServedConnection {
  dialect = 0;
  isAuthenticated = false;
  isBusy = false;
  received = "";
  closedCount = 0;
  readonly transport: Transport;
  readonly space = undefined;
  #onReceive: (() => void) | undefined;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  receive(chunk: Buffer): void {
    this.received += chunk.toString();
    this.#onReceive?.();
  }

  filled(): void {}

  drained(): void {}

  closed(): void {
    this.closedCount++;
  }

  disconnect(): void {
    this.transport.destroy();
  }

  giveUp(): void {
    this.transport.reset();
  }

  nextChunk(): Promise<void> {
    return new Promise((resolve) => {
      this.#onReceive = resolve;
    });
  }
}

describe("Listener", () => {
  const listeners: Listener[] = [];
  const clients: Socket[] = [];

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
    for (const listener of listeners.splice(0)) listener.stop();
  });

  async function start(overrides: Partial<ListenerOptions> = {}) {
    const clock = new FakeClock();
    const served: FakeConnection[] = [];
    let announce: ((connection: FakeConnection) => void) | undefined;
    const listener = new Listener({
      log: silentLog,
      clock,
      maxConnections: 100,
      maxConnectionsPerAddress: 100,
      negotiateTimeout: 10_000,
      authenticateTimeout: 60_000,
      unreachableTimeout: 120_000,
      serve(transport) {
        const connection = new FakeConnection(transport);
        served.push(connection);
        announce?.(connection);
        return connection;
      },
      ...overrides,
    });
    listeners.push(listener);
    await listener.listen([LOCALHOST]);
    const dial = () => {
      const client = connect(listener.addresses[0]?.port ?? 0, "127.0.0.1");
      client.on("error", () => {});
      clients.push(client);
      return client;
    };
    const connection = () =>
      new Promise<FakeConnection>((resolve) => {
        announce = resolve;
        dial().resume();
      });
    return { listener, clock, served, dial, connection };
  }

  it("hands bytes on, and tells the protocol once that the client is gone", async () => {
    const { served, dial, listener } = await start();
    const client = dial();
    client.write("hello");
    await once(client, "connect");
    while (served[0] === undefined || served[0].received === "") {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(served[0].received).toBe("hello");
    client.end();
    await once(client, "close");
    while (listener.connections.size > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(served[0].closedCount).toBe(1);
  });

  it("ends a connection that does not negotiate in time", async () => {
    const { clock, connection } = await start();
    const silent = await connection();
    const busy = await connection();
    busy.dialect = 0x0311;
    clock.advance(9999);
    expect(silent.transport.queuedBytes).toBe(0);
    let ended = 0;
    silent.disconnect = () => void ended++;
    busy.disconnect = () => void ended++;
    clock.advance(1);
    expect(ended).toBe(1);
  });

  it("ends a connection on which nobody logs on, and leaves one with a user alone", async () => {
    const { clock, connection } = await start();
    const ended: string[] = [];
    const stranger = await connection();
    stranger.dialect = 0x0311;
    stranger.disconnect = () => void ended.push("stranger");
    const user = await connection();
    user.dialect = 0x0311;
    user.isAuthenticated = true;
    user.disconnect = () => void ended.push("user");
    clock.advance(59_999);
    expect(ended).toEqual([]);
    clock.advance(1);
    expect(ended).toEqual(["stranger"]);
    clock.advance(600_000);
    expect(ended).toEqual(["stranger"]);
  });

  it("ends a connection some time after its user logged off", async () => {
    const { clock, connection } = await start();
    const user = await connection();
    let ended = 0;
    user.dialect = 0x0311;
    user.isAuthenticated = true;
    user.disconnect = () => void ended++;
    clock.advance(60_000);
    user.isAuthenticated = false;
    clock.advance(60_000);
    expect(ended).toBe(0);
    clock.advance(60_000);
    expect(ended).toBe(1);
  });

  it("refuses connections past its bounds, and takes new ones when others leave", async () => {
    const warnings: object[] = [];
    const { dial, served, listener } = await start({
      maxConnectionsPerAddress: 1,
      log: { ...silentLog, warn: (fields) => void warnings.push(fields) },
    });
    const first = dial();
    await once(first, "connect");
    const second = dial().resume();
    await once(second, "close");
    const third = dial().resume();
    await once(third, "close");
    expect(served).toHaveLength(1);
    expect(warnings).toEqual([{ client: "127.0.0.1", bound: "connectionsPerAddress", refused: 1 }]);
    first.destroy();
    while (listener.connections.size > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await once(dial(), "connect");
    while (served.length < 2) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it("says that a port is taken, and lets go of what it listened on before", async () => {
    const { listener } = await start();
    const taken = listener.addresses[0] ?? LOCALHOST;
    const { clock } = await start();
    const other = new Listener({
      log: silentLog,
      clock,
      maxConnections: 1,
      maxConnectionsPerAddress: 1,
      negotiateTimeout: 1,
      authenticateTimeout: 1,
      unreachableTimeout: 120_000,
      serve: (transport) => new FakeConnection(transport),
    });
    await expect(other.listen([LOCALHOST, taken])).rejects.toThrow(StartupError);
    await expect(other.listen([taken])).rejects.toThrow(`Cannot listen on 127.0.0.1:${taken.port}: the port is taken.`);
    expect(other.addresses).toEqual([]);
  });

  it("says that a host name or an address is not there", async () => {
    const { listener } = await start();
    await expect(listener.listen([{ host: "192.0.2.1", port: 0 }])).rejects.toThrow("this machine has no such address");
  });

  it("drains: takes no further requests, and waits for those in work", async () => {
    const { listener, clock, connection } = await start();
    const busy = await connection();
    busy.isBusy = true;
    let paused = false;
    busy.transport.pause = () => {
      paused = true;
    };
    let drained = false;
    const done = listener.drain(10_000).then(() => {
      drained = true;
    });
    expect(paused).toBe(true);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    clock.advance(5000);
    await turn();
    expect(drained).toBe(false);
    busy.isBusy = false;
    clock.advance(1000);
    await done;
    expect(clock.now() - Date.UTC(2025, 0, 1)).toBe(6000);
  });

  it("does not wait for requests longer than it was told to", async () => {
    const { listener, clock, connection } = await start();
    (await connection()).isBusy = true;
    const done = listener.drain(50);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 5; i++) {
      clock.advance(20);
      await turn();
    }
    await done;
  });

  it("waits for connections to close, and cuts those that do not", async () => {
    const { listener, clock, connection } = await start();
    const stubborn = await connection();
    listener.stop();
    const done = listener.closed(10_000);
    clock.advance(9999);
    expect(stubborn.closedCount).toBe(0);
    clock.advance(1);
    await done;
    expect(listener.connections.size).toBe(0);
    await listener.closed(10_000);
  });

  it("leaves existing connections alone when it stops", async () => {
    const { listener, connection } = await start();
    const existing = await connection();
    const port = listener.addresses[0]?.port ?? 0;
    listener.stop();
    const late = connect(port, "127.0.0.1");
    const [error] = (await once(late, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
    expect(existing.closedCount).toBe(0);
    clients[0]?.write("still here");
    await existing.nextChunk();
    expect(existing.received).toBe("still here");
  });
});
