// SPDX-License-Identifier: Apache-2.0
/** A network portal: one address and port, in a portal group. */
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import type { PortalConfig } from "./config.ts";
import { Connection } from "./iscsi/connection.ts";
import type { IscsiHost } from "./iscsi/host.ts";

const wildcards: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

function join(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Bytes over TCP since the portal was opened. */
class Traffic {
  readonly #sockets = new Set<Socket>();
  #received = 0;
  #sent = 0;

  watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#received += socket.bytesRead;
      this.#sent += socket.bytesWritten;
    });
  }

  get received(): number {
    return [...this.#sockets].reduce((sum, { bytesRead }) => sum + bytesRead, this.#received);
  }

  get sent(): number {
    return [...this.#sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, this.#sent);
  }
}

export class Portal {
  readonly host: string;
  readonly port: number;
  readonly portalGroup: number;
  readonly traffic: Pick<Traffic, "received" | "sent">;
  readonly #server: Server;
  readonly #connections: Set<Connection>;

  private constructor(
    { host, port, portalGroup, traffic }: Pick<Portal, "host" | "port" | "portalGroup" | "traffic">,
    server: Server,
    connections: Set<Connection>,
  ) {
    this.host = host;
    this.port = port;
    this.portalGroup = portalGroup;
    this.traffic = traffic;
    this.#server = server;
    this.#connections = connections;
  }

  static open(config: PortalConfig, host: IscsiHost): Promise<Portal> {
    const { host: address = "127.0.0.1", portalGroup = 1 } = config;
    const connections = new Set<Connection>();
    const traffic = new Traffic();
    const server = createServer((socket) => {
      traffic.watch(socket);
      connections.add(new Connection(socket, portalGroup, host));
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(config.port, address, () => {
        const bound = server.address();
        if (bound === null || typeof bound !== "object") reject(new Error(`${address} gave no port`));
        else resolve(new Portal({ host: address, port: bound.port, portalGroup, traffic }, server, connections));
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
