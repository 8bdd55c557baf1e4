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

const nothing = { received: () => undefined, room: () => undefined, filled: () => undefined };
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
        room: () => undefined,
        filled: () => expect.unreachable(),
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

  it("reads to where bytes belong", async () => {
    const stream = await dial();
    const data = Buffer.alloc(1_000_000, "0123456789");
    const heard = Buffer.alloc(data.length);
    let length = 0;
    let direct = 0;
    await new Promise<void>((resolve) => {
      const more = (count: number) => {
        length += count;
        if (length === data.length) resolve();
      };
      stream.begin({
        // Every other one.
        room: () => (length % 2 === 0 && length > 0 ? heard.subarray(length, length + 7777) : undefined),
        filled: (count) => {
          expect(count).toBeLessThanOrEqual(7777);
          direct += count;
          more(count);
        },
        received: (chunk) => {
          chunk.copy(heard, length);
          more(chunk.length);
        },
        closed: () => undefined,
      });
      stream.send([data]);
    });
    expect(heard.equals(data)).toBe(true);
    expect(direct).toBeGreaterThan(0);
    expect(direct).toBeLessThan(data.length);
    stream.destroy();
  });

  it("tells once that it is over, whoever ended it, also to who asks late", async () => {
    const first = await dial();
    const ended = new Promise<Error | undefined>((resolve) => {
      first.begin({ ...nothing, closed: resolve });
    });
    first.destroy(new Error("enough"));
    expect((await ended)?.message).toBe("enough");

    const second = await dial();
    const cut = new Promise<Error | undefined>((resolve) => {
      second.begin({ ...nothing, closed: resolve });
    });
    for (const socket of sockets) socket.destroy();
    await cut;
    const late = await new Promise<string>((resolve) => {
      second.begin({ ...nothing, closed: () => resolve("closed") });
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
