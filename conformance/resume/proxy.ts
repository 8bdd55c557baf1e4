// SPDX-License-Identifier: Apache-2.0
/** A TCP relay in front of a server, whose connections can be cut, or fall silent, in the middle of whatever they carry. */
import { connect, createServer, type Server, type Socket } from "node:net";

interface Relayed {
  readonly client: Socket;
  readonly server: Socket;
  /** Neither end hears of the other any more. */
  silent: boolean;
}

export class CuttingProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #connections = new Set<Relayed>();
  /** What becomes of new connections. */
  #state: "open" | "refusing" | "silent" = "open";

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static start(target: () => number): Promise<CuttingProxy> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true });
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        if (address === null || typeof address === "string") return reject(new Error("no port"));
        const proxy = new CuttingProxy(server, address.port);
        server.on("connection", (client) => proxy.#take(client, target()));
        resolve(proxy);
      });
    });
  }

  #take(client: Socket, port: number): void {
    if (this.#state === "refusing") {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port, host: "127.0.0.1", noDelay: true });
    const connection: Relayed = { client, server, silent: false };
    this.#connections.add(connection);
    const end = () => {
      if (connection.silent) return;
      this.#connections.delete(connection);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.pipe(server);
    server.pipe(client);
    if (this.#state === "silent") silence(connection);
  }

  /** Connections that stand. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Ends every connection without a word; what is in the sockets is lost. @returns how many there were */
  cut(): number {
    const connections = [...this.#connections];
    this.#connections.clear();
    for (const { client, server } of connections) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    return connections.length;
  }

  /** Cuts every connection, and refuses new ones. */
  refuse(): void {
    this.#state = "refusing";
    this.cut();
  }

  /** Carries nothing any more and tells nobody, as a path on which packets are lost: connections stand, new ones as well. */
  fallSilent(): void {
    this.#state = "silent";
    for (const connection of this.#connections) silence(connection);
  }

  /** Takes connections as before; those that fell silent end. */
  reopen(): void {
    this.cut();
    this.#state = "open";
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

function silence(connection: Relayed): void {
  const { client, server } = connection;
  connection.silent = true;
  client.unpipe(server).pause();
  server.unpipe(client).pause();
}
