// SPDX-License-Identifier: Apache-2.0

import { rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import type { Logger } from "../smb2/server-context.ts";
import type { ServerStats, TokenList } from "./control-messages.ts";
import { systemErrorCode } from "./startup-error.ts";

/** Bytes of a path in `sockaddr_un`, without the NUL; what is longer would be cut off. */
const MAXIMUM_PATH = 107;

/** Who can answer the questions. */
export interface ControlSource {
  stats(): ServerStats;
  tokens(): TokenList;
}

export interface ControlSocket {
  /** Removes the socket too. */
  close(): Promise<void>;
}

/**
 * Answers `GET /stats` and `GET /tokens` as JSON over HTTP on a Unix socket that its owner and root alone can reach. A socket
 * that a process left behind is replaced; one that is alive is left alone. A server does its work without the socket: what is
 * wrong is logged.
 */
export async function serveControl(
  file: string,
  source: ControlSource,
  log: Logger,
): Promise<ControlSocket | undefined> {
  const unavailable = (reason: string) => {
    log.warn({ file, reason }, "no control socket: tessera stats and tessera tokens will not find this server");
    return undefined;
  };
  if (Buffer.byteLength(file) > MAXIMUM_PATH) return unavailable("the path is too long for a socket");
  const server = createControlServer(source);
  try {
    if (!(await listen(server, file))) {
      if (statSync(file, { throwIfNoEntry: false })?.isSocket() === false) return unavailable("it is no socket");
      if (await isAlive(file)) return unavailable("another server with the same state directory is running");
      rmSync(file, { force: true });
      if (!(await listen(server, file))) return unavailable("another server has taken it just now");
    }
  } catch (error) {
    return unavailable(systemErrorCode(error) ?? String(error));
  }
  // Nobody is told of a connection that could not be accepted; the next one may be.
  server.on("error", (err) => log.warn({ err, file }, "the control socket failed"));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createControlServer(source: ControlSource): Server {
  const answers = new Map<string | undefined, () => object>([
    ["/stats", () => source.stats()],
    ["/tokens", () => source.tokens()],
  ]);
  const server = createServer((request, response) => {
    const answer = answers.get(request.url);
    if (answer === undefined) response.writeHead(404).end();
    else if (request.method !== "GET") response.writeHead(405, { allow: "GET" }).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(`${JSON.stringify(answer())}\n`);
  });
  server.maxConnections = 16;
  return server;
}

/** @returns false where there is a socket already */
function listen(server: Server, file: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      if (systemErrorCode(error) === "EADDRINUSE") resolve(false);
      else reject(error);
    };
    server.once("error", failed);
    // The socket is made within the call, for its owner alone from the first moment on.
    const umask = process.umask(0o177);
    try {
      server.listen({ path: file }, () => {
        server.removeListener("error", failed);
        resolve(true);
      });
    } finally {
      process.umask(umask);
    }
  });
}

/** Whether a process listens on a socket. */
function isAlive(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(file);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(systemErrorCode(error) !== "ECONNREFUSED"));
  });
}
