// SPDX-License-Identifier: Apache-2.0

import { get, type IncomingMessage } from "node:http";
import path from "node:path";
import type { z } from "zod";
import { StartupError, systemErrorCode } from "./startup-error.ts";

/** Milliseconds that a server has to answer. */
const TIMEOUT = 10_000;

/**
 * Asks the server that listens on a control socket.
 * @throws StartupError nobody listens there, or may not be asked, or answers something else
 */
export async function askServer<T>(socket: string, question: "/stats" | "/tokens", schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(parseJson(await request(socket, question)));
  if (parsed.success) return parsed.data;
  throw new StartupError(
    "The server answers in a form that this program does not know.",
    "Is it another version? After an upgrade the server has to be started anew.",
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function request(socket: string, question: string): Promise<string> {
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = get({ socketPath: socket, path: question, timeout: TIMEOUT, agent: false }, resolve);
      asked.on("timeout", () => asked.destroy(new StartupError("The server does not answer.")));
      asked.on("error", reject);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return response.statusCode === 200 ? Buffer.concat(chunks).toString() : "";
  } catch (error) {
    throw explain(error, socket);
  }
}

function explain(error: unknown, socket: string): unknown {
  switch (systemErrorCode(error)) {
    case "ENOENT":
    case "ECONNREFUSED":
      return new StartupError(
        `No server is running that keeps its state in ${path.dirname(socket)}.`,
        "Name the configuration of the server that you mean: --config FILE",
      );
    case "EACCES":
    case "EPERM":
      return new StartupError(
        `The control socket ${socket} can be used by the user of the server and by root only.`,
        "For a service: sudo tessera stats",
      );
    default:
      return error instanceof StartupError ? error : new StartupError(`The server cannot be asked: ${String(error)}.`);
  }
}
