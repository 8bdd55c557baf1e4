// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { askServer } from "../../src/server/control-client.ts";
import { statsSchema } from "../../src/server/control-messages.ts";
import { StartupError } from "../../src/server/startup-error.ts";

describe("asking a server", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-ask-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function listen(server: {
    listen(path: string, done: () => void): unknown;
    close(): unknown;
  }): Promise<string> {
    const socket = path.join(folder, "socket");
    await new Promise<void>((resolve) => void server.listen(socket, resolve));
    onTestFinished(() => void server.close());
    return socket;
  }

  async function refusal(socket: string): Promise<StartupError> {
    const error: unknown = await askServer(socket, "/stats", statsSchema).catch((reason: unknown) => reason);
    if (error instanceof StartupError) return error;
    throw new Error("no StartupError", { cause: error });
  }

  it("says where none is", async () => {
    expect((await refusal(path.join(folder, "socket"))).message).toBe(
      `No server is running that keeps its state in ${folder}.`,
    );
  });

  it.each(['{"version":2}', "<html>"])("says when the answer is %s", async (text) => {
    const error = await refusal(await listen(createServer((_, response) => void response.end(text))));
    expect(error.message).toContain("in a form that this program does not know");
    expect(error.hint).toContain("another version");
  });

  it("says when the answer is a failure, or none", async () => {
    const failing = createServer((_, response) => void response.writeHead(500).end("{}"));
    expect((await refusal(await listen(failing))).message).toContain("in a form that this program does not know");
    failing.close();
    const hangsUp = createSocketServer((socket) => void socket.destroy());
    expect((await refusal(await listen(hangsUp))).message).toContain("The server cannot be asked");
  });
});
