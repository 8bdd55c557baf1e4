// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { descriptorOf, type Receiver, readInto } from "../../src/server/socket-reader.ts";
import { SocketPair } from "../support/socket-pair.ts";

/** Wants the first `begun` bytes in chunks, and what follows in a buffer of its own. */
class Collector implements Receiver {
  readonly own: Buffer;
  readonly #begun: number;
  chunks = Buffer.alloc(0);
  filledBytes = 0;
  #wake = () => {};

  constructor(begun: number, length: number) {
    this.#begun = begun;
    this.own = Buffer.alloc(length);
  }

  receive(chunk: Buffer): void {
    this.chunks = Buffer.concat([this.chunks, chunk]);
    chunk.fill(0);
    this.#wake();
  }

  get space(): Buffer | undefined {
    if (this.chunks.length < this.#begun || this.filledBytes === this.own.length) return undefined;
    return this.own.subarray(this.filledBytes);
  }

  filled(count: number): void {
    this.filledBytes += count;
    this.#wake();
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

describe("readInto", () => {
  let pair: SocketPair;
  let client: Socket;
  let accepted: Socket;

  beforeEach(async () => {
    pair = await SocketPair.connect();
    ({ client, accepted } = pair);
  });

  afterEach(() => {
    pair.close();
  });

  it("puts what comes where it is wanted", async () => {
    const collector = new Collector(5, 3_000_000);
    const socket = readInto(accepted, collector);
    client.write("begin");
    await collector.until(() => collector.chunks.length === 5);
    const data = Buffer.alloc(3_000_000, "tessera");
    client.write(data);
    await collector.until(() => collector.filledBytes === data.length);
    client.write("end");
    await collector.until(() => collector.chunks.length === 8);
    expect(collector.chunks.toString()).toBe("beginend");
    expect(collector.own.equals(data)).toBe(true);
    socket.destroy();
  });

  it("hears of the end of the connection", async () => {
    const socket = readInto(accepted, new Collector(1, 0));
    client.end();
    await once(socket, "close");
    expect(socket.destroyed).toBe(true);
    expect(descriptorOf(socket)).toBeUndefined();
  });

  it("can be paused and resumed", async () => {
    const collector = new Collector(100, 0);
    const socket = readInto(accepted, collector);
    socket.pause();
    client.write("later");
    await new Promise<void>((resolve) => client.write("", () => resolve()));
    expect(collector.chunks).toHaveLength(0);
    socket.resume();
    await collector.until(() => collector.chunks.length === 5);
    socket.destroy();
  });

  it("knows the descriptor of an open socket only", () => {
    expect(descriptorOf(accepted)).toBeGreaterThan(2);
    accepted.destroy();
    expect(descriptorOf(accepted)).toBeUndefined();
    expect(descriptorOf(new Socket())).toBeUndefined();
  });
});
