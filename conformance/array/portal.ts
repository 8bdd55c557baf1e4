// SPDX-License-Identifier: Apache-2.0
/** A network portal: one address and port, in a portal group. */
import { createServer, isIPv6, type Server } from "node:net";
import type { PortalConfig } from "./config.ts";
import { Connection } from "./iscsi/connection.ts";
import type { IscsiHost } from "./iscsi/host.ts";

const wildcards: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

function join(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

export class Portal {
  readonly host: string;
  readonly port: number;
  readonly portalGroup: number;
  readonly #server: Server;
  readonly #connections: Set<Connection>;

  private constructor(host: string, port: number, portalGroup: number, server: Server, connections: Set<Connection>) {
    this.host = host;
    this.port = port;
    this.portalGroup = portalGroup;
    this.#server = server;
    this.#connections = connections;
  }

  static open(config: PortalConfig, host: IscsiHost): Promise<Portal> {
    const { host: address = "127.0.0.1", portalGroup = 1 } = config;
    const connections = new Set<Connection>();
    const server = createServer((socket) => connections.add(new Connection(socket, portalGroup, host)));
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(config.port, address, () => {
        const bound = server.address();
        if (bound === null || typeof bound !== "object") reject(new Error(`${address} gave no port`));
        else resolve(new Portal(address, bound.port, portalGroup, server, connections));
      });
    });
  }

  get address(): string {
    return join(this.host, this.port);
  }

  /** As an initiator can reach it: a portal on all addresses names the one that the question came in through. */
  addressFor(connection: Connection): string {
    if (!wildcards.has(this.host)) return this.address;
    const end = connection.localAddress.lastIndexOf(":");
    return `${connection.localAddress.slice(0, end)}:${this.port}`;
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Cuts off all connections and stops listening. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.drop();
    return closed;
  }
}
