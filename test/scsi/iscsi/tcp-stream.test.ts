// SPDX-License-Identifier: Apache-2.0

import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TransportError } from "../../../src/scsi/errors.ts";
import { dialTcp } from "../../../src/scsi/iscsi/tcp-stream.ts";

let server: Server;
let port: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  // Says what it hears.
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = address !== null && typeof address === "object" ? address.port : 0;
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

const dial = () => dialTcp({ host: "127.0.0.1", port }, new AbortController().signal);

describe("dialTcp", () => {
  it("sends buffers as they are, tells when they are free, and hands on what comes", async () => {
    const stream = await dial();
    expect(stream.localAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    const data = Buffer.alloc(3_000_000, "0123456789");
    const heard: Buffer[] = [];
    let length = 0;
    let free = 0;
    await new Promise<void>((resolve) => {
      stream.begin({
        received: (chunk) => {
          heard.push(Buffer.from(chunk));
          length += chunk.length;
          if (length === data.length) resolve();
        },
        closed: () => undefined,
      });
      stream.send([data.subarray(0, 10), data.subarray(10, 2_000_000)], () => free++);
      stream.send([data.subarray(2_000_000)], () => free++);
    });
    expect(Buffer.concat(heard).equals(data)).toBe(true);
    expect(free).toBe(2);
    stream.destroy();
  });

  it("tells once that it is over, whoever ended it, also to who asks late", async () => {
    const first = await dial();
    const ended = new Promise<Error | undefined>((resolve) => {
      first.begin({ received: () => undefined, closed: resolve });
    });
    first.destroy(new Error("enough"));
    expect((await ended)?.message).toBe("enough");

    const second = await dial();
    const cut = new Promise<Error | undefined>((resolve) => {
      second.begin({ received: () => undefined, closed: resolve });
    });
    for (const socket of sockets) socket.destroy();
    await cut;
    const late = await new Promise<string>((resolve) => {
      second.begin({ received: () => undefined, closed: () => resolve("closed") });
    });
    expect(late).toBe("closed");
    // To nobody.
    second.send([Buffer.alloc(10)], () => expect.unreachable());
  });

  it("fails with the reason where nobody listens, and when it is given up", async () => {
    const nobody = dialTcp({ host: "127.0.0.1", port: 1 }, new AbortController().signal);
    await expect(nobody).rejects.toThrow(TransportError);
    await expect(nobody).rejects.toThrow(/127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/);
    await expect(dialTcp({ host: "127.0.0.1", port }, AbortSignal.abort())).rejects.toThrow("no connection in time");
  });
});
