// SPDX-License-Identifier: Apache-2.0
/** A TCP relay in front of the server, whose connections can be cut in the middle of whatever they carry. */
import { connect, createServer, type Server, type Socket } from "node:net";

export class CuttingProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #connections = new Set<{ readonly client: Socket; readonly server: Socket }>();

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
        server.on("connection", (client) => proxy.#relay(client, target()));
        resolve(proxy);
      });
    });
  }

  #relay(client: Socket, port: number): void {
    const server = connect({ port, host: "127.0.0.1", noDelay: true });
    const connection = { client, server };
    this.#connections.add(connection);
    const end = () => {
      this.#connections.delete(connection);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.pipe(server);
    server.pipe(client);
  }

  /** Ends every connection without a word; what is in the sockets is lost. */
  cut(): void {
    for (const { client, server } of this.#connections) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
