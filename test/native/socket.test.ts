// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAXIMUM_BUFFERS, sendNow } from "../../src/native/socket.ts";
import { descriptorOf } from "../../src/server/socket-reader.ts";

const EPIPE = 32;
const EAGAIN = 11;
const EBADF = 9;

import { SocketPair } from "../support/socket-pair.ts";

describe("sendNow", () => {
  let pair: SocketPair;
  let client: Socket;
  let accepted: Socket;
  let descriptor: number;

  beforeEach(async () => {
    pair = await SocketPair.connect();
    ({ client, accepted } = pair);
    descriptor = descriptorOf(accepted) ?? -1;
  });

  afterEach(() => {
    pair.close();
  });

  async function received(length: number): Promise<string> {
    let text = "";
    while (text.length < length) text += ((await once(client, "data")) as [Buffer])[0].toString();
    return text;
  }

  it("sends one buffer, or many in their order", async () => {
    expect(sendNow(descriptor, [])).toBe(0);
    expect(sendNow(descriptor, [Buffer.from("one")])).toBe(3);
    expect(sendNow(descriptor, [Buffer.from(" two"), Buffer.from("x three").subarray(1)])).toBe(10);
    expect(await received(13)).toBe("one two three");
  });

  it("takes only so many buffers at a time", async () => {
    const buffers = Array.from({ length: MAXIMUM_BUFFERS + 1 }, () => Buffer.from("a"));
    expect(sendNow(descriptor, buffers)).toBe(MAXIMUM_BUFFERS);
  });

  it("sends what there is room for, then says that there is none", () => {
    const much = Buffer.alloc(64 * 1024 * 1024);
    const taken = sendNow(descriptor, [much]);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(much.length);
    let result = taken;
    while (result > 0) result = sendNow(descriptor, [much, much]);
    expect(result).toBe(-EAGAIN);
  });

  it("tells of a connection that is gone, without a signal", async () => {
    client.resetAndDestroy();
    await once(client, "close");
    let result = 0;
    while (result >= 0) result = sendNow(descriptor, [Buffer.from("x")]);
    expect([-EPIPE, -104]).toContain(result);
    expect(sendNow(-1, [Buffer.from("x")])).toBe(-EBADF);
  });
});
