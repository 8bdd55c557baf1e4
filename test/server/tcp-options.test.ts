// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, it } from "vitest";
import { bind, scratch } from "../../src/native/ffi.ts";
import { keepAlive } from "../../src/server/tcp-options.ts";

const getsockopt = bind<[number, number, number, number, number]>("getsockopt", "int", [
  ...(["int", "int", "int", "address", "address"] as const),
]);
const value = scratch(4);
const length = scratch(4);

it("keepAlive asks within a quarter of the time, and six times in what is left", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const option = (level: number, name: number) => {
    length.buffer.writeUInt32LE(4);
    expect(getsockopt(fd, level, name, value.address, length.address)).toBe(0);
    return value.buffer.readInt32LE();
  };
  keepAlive(socket, 120_000);
  // SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT
  expect([option(1, 9), option(6, 4), option(6, 5), option(6, 6)]).toEqual([1, 30, 15, 6]);
  keepAlive(socket, 8_000);
  expect([option(6, 4), option(6, 5), option(6, 6)]).toEqual([2, 1, 6]);
  socket.destroy();
  keepAlive(socket, 120_000);
  server.close();
});
