// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { plainAddress, TcpTransport } from "../../src/server/tcp-transport.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { SocketPair } from "../support/socket-pair.ts";

describe("plainAddress", () => {
  it.each([
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["10.1.2.3", "10.1.2.3"],
    ["::1", "::1"],
    ["::ffff:0:1", "::ffff:0:1"],
    [undefined, ""],
  ])("shows %s as %s", (address, expected) => {
    expect(plainAddress(address)).toBe(expected);
  });
});

describe("TcpTransport", () => {
  let pair: SocketPair;
  let client: Socket;
  let accepted: Socket;
  let clock: FakeClock;
  let transport: TcpTransport | undefined;

  beforeEach(async () => {
    clock = new FakeClock();
    pair = await SocketPair.connect();
    ({ client, accepted } = pair);
  });

  afterEach(() => {
    transport?.destroy();
    transport = undefined;
    pair.close();
  });

  function make(highWaterMark?: number): TcpTransport {
    transport = new TcpTransport(accepted, clock, highWaterMark);
    return transport;
  }

  async function receive(length: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of client) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size >= length) {
        break;
      }
    }
    return Buffer.concat(chunks);
  }

  it("sends buffers in the order of the calls, over turns of the event loop", async () => {
    const transport = make();
    transport.send([Buffer.from("a"), Buffer.from("b")]);
    transport.send([Buffer.from("c")]);
    expect(transport.queuedBytes).toBe(3);
    await new Promise((resolve) => setImmediate(resolve));
    transport.send([Buffer.from("d")]);
    expect((await receive(4)).toString()).toBe("abcd");
  });

  it("names both ends", () => {
    const transport = make();
    expect([transport.remoteAddress, transport.localAddress]).toEqual(["127.0.0.1", "127.0.0.1"]);
  });

  it("does not read from a client that does not take its answers, until it has", async () => {
    const transport = make(1024 * 1024);
    transport.send([Buffer.alloc(64 * 1024)]);
    expect(transport.socket.isPaused()).toBe(false);
    transport.send([Buffer.alloc(32 * 1024 * 1024)]);
    expect(transport.socket.isPaused()).toBe(true);
    const resumed = once(transport.socket, "drain");
    client.resume();
    await resumed;
    expect(transport.socket.isPaused()).toBe(false);
  });

  it("stays paused for the protocol when a slow client catches up", async () => {
    const transport = make(1024 * 1024);
    transport.pause();
    transport.send([Buffer.alloc(32 * 1024 * 1024)]);
    const drained = once(transport.socket, "drain");
    client.resume();
    await drained;
    expect(transport.socket.isPaused()).toBe(true);
    transport.resume();
    expect(transport.socket.isPaused()).toBe(false);
  });

  it("does not let the protocol resume while a slow client still owes reading", () => {
    const transport = make(1024 * 1024);
    transport.send([Buffer.alloc(32 * 1024 * 1024)]);
    transport.resume();
    expect(transport.socket.isPaused()).toBe(true);
  });

  it("sends what is queued before it ends", async () => {
    const transport = make();
    transport.send([Buffer.from("last words")]);
    transport.end();
    transport.end();
    const chunks: Buffer[] = [];
    for await (const chunk of client) {
      chunks.push(chunk as Buffer);
    }
    expect(Buffer.concat(chunks).toString()).toBe("last words");
    expect(clock.pendingTimers).toBe(0);
  });

  it("gives a client only so long to take the last answers", async () => {
    const transport = make();
    transport.send([Buffer.alloc(32 * 1024 * 1024)]);
    transport.end();
    clock.advance(9999);
    expect(transport.socket.destroyed).toBe(false);
    clock.advance(1);
    expect(transport.socket.destroyed).toBe(true);
  });

  it("says when buffers have been sent", async () => {
    const transport = make();
    const sent: string[] = [];
    transport.send([Buffer.from("a"), Buffer.from("b")], () => sent.push("ab"));
    expect(sent).toEqual([]);
    await new Promise<void>((resolve) => transport.send([Buffer.from("c")], resolve));
    expect(sent).toEqual(["ab"]);
  });

  it("sends on other connections first what was sent there first, before the input that caused it is answered", async () => {
    const order: string[] = [];
    const other = make();
    const second = await SocketPair.connect();
    const asking = new TcpTransport(second.accepted, clock);
    const answered = new Promise<void>((resolve) => {
      asking.serve({
        space: undefined,
        filled() {},
        drained() {},
        receive() {
          other.send([Buffer.from("told")], () => order.push("told"));
          asking.send([Buffer.from("answered")], () => {
            order.push("answered");
            resolve();
          });
          expect(order).toEqual([]);
        },
      });
    });
    second.client.write("request");
    await answered;
    expect(order).toEqual(["told", "answered"]);
    asking.destroy();
    second.close();
  });

  it("says when buffers will never be sent", async () => {
    const transport = make();
    const waiting = new Promise<void>((resolve) => transport.send([Buffer.alloc(32 * 1024 * 1024)], resolve));
    const behind = new Promise<void>((resolve) => transport.send([Buffer.from("x")], resolve));
    await new Promise((resolve) => setImmediate(resolve));
    transport.destroy();
    await Promise.all([waiting, behind]);
    await new Promise<void>((resolve) => transport.send([Buffer.from("y")], resolve));
    expect(transport.socket.destroyed).toBe(true);
  });

  it("drops what is sent after the connection is gone", () => {
    const transport = make();
    transport.destroy();
    transport.send([Buffer.from("x")]);
    expect(transport.queuedBytes).toBe(0);
  });

  it("knows what the client's system has acknowledged", async () => {
    const transport = make();
    expect([transport.sentBytes, transport.acknowledgedBytes()]).toEqual([0, 0]);
    transport.send([Buffer.alloc(1000), Buffer.alloc(500)]);
    await vi.waitFor(() => expect(transport.acknowledgedBytes()).toBe(1500));
    expect(transport.sentBytes).toBe(1500);
    transport.send([Buffer.alloc(32 * 1024 * 1024)]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(transport.acknowledgedBytes()).toBeLessThan(transport.sentBytes);
    transport.destroy();
    expect(transport.acknowledgedBytes()).toBeUndefined();
  });

  it("ends a connection that takes nothing so that the client hears of it", async () => {
    const transport = make();
    const ended = once(client, "error");
    client.resume();
    transport.reset();
    expect(await ended).toMatchObject([{ code: "ECONNRESET" }]);
  });
});
