// SPDX-License-Identifier: Apache-2.0

import { createServer, type Server, type Socket } from "node:net";
import type { Logger, Transport } from "../smb2/server-context.ts";
import type { HostPort } from "./config/units.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import { type WatchOptions, watchDelivery, watchLogOn } from "./connection-watch.ts";
import { listenOn } from "./listen.ts";
import { keepAlive } from "./tcp-options.ts";
import { plainAddress, type Served, TcpTransport } from "./tcp-transport.ts";

/** The protocol's side of a connection, as far as the listener needs it. */
export interface ServedConnection extends Served {
  /** 0 until NEGOTIATE has been answered. */
  readonly dialect: number;
  /** A user is logged on. */
  readonly isAuthenticated: boolean;
  /** Requests are being worked on. */
  readonly isBusy: boolean;
  readonly transport: Transport;
  /** The transport is gone. */
  closed(): void;
  /** Ends the connection at once. */
  disconnect(): void;
  /** Ends a connection that gets nothing through. */
  giveUp(): void;
}

export interface ListenerOptions extends WatchOptions {
  readonly log: Logger;
  /** Connections at most, over all and from one address. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  serve(transport: Transport): ServedConnection;
}

/** Milliseconds between two looks at whether requests are still being worked on. */
const DRAIN_INTERVAL = 20;

/** Milliseconds between two log lines about refused connections. */
const REFUSAL_LOG_INTERVAL = 10_000;

/** Accepts TCP connections on any number of addresses and hands them to the protocol. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #limits: ConnectionLimits;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<ServedConnection>();
  readonly #addresses: HostPort[] = [];
  #onEmpty: (() => void) | undefined;
  #refused = 0;
  #nextRefusalLog = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#limits = new ConnectionLimits(options.maxConnections, options.maxConnectionsPerAddress);
  }

  /** Where it listens, with the ports that the system chose for port 0. */
  get addresses(): readonly HostPort[] {
    return this.#addresses;
  }

  get connections(): ReadonlySet<ServedConnection> {
    return this.#connections;
  }

  /** @throws StartupError when the address cannot be listened on; nothing is listening then */
  async listen(addresses: readonly HostPort[]): Promise<void> {
    try {
      for (const address of addresses) {
        const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
        this.#servers.push(server);
        this.#addresses.push(await listenOn(server, address));
        server.on("error", (error) => this.#options.log.error({ err: error }, "accepting connections failed"));
      }
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Stops accepting connections; those that exist go on. */
  stop(): void {
    this.#addresses.length = 0;
    for (const server of this.#servers.splice(0)) {
      if (server.listening) {
        // The callback of close() waits for every connection; to stop listening takes effect at once.
        server.close();
      }
    }
  }

  /**
   * Takes no further requests, and waits until those that are being worked on have been answered.
   * @param timeout milliseconds to wait at most
   */
  async drain(timeout: number): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.now() + timeout;
    for (const connection of this.#connections) {
      connection.transport.pause();
    }
    while (clock.now() < deadline && [...this.#connections].some((connection) => connection.isBusy)) {
      await new Promise<void>((resolve) => void clock.after(DRAIN_INTERVAL, resolve));
    }
  }

  /** Waits until every connection is gone, and cuts those that are not after `timeout` milliseconds. */
  async closed(timeout: number): Promise<void> {
    const { clock } = this.#options;
    if (this.#connections.size === 0) {
      return;
    }
    const cut = clock.after(timeout, () => {
      for (const connection of this.#connections) {
        connection.transport.destroy();
      }
    });
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    cut.cancel();
  }

  #accept(accepted: Socket): void {
    const { log, clock } = this.#options;
    const address = plainAddress(accepted.remoteAddress);
    const bound = this.#limits.take(address);
    if (bound !== undefined) {
      accepted.destroy();
      this.#logRefusal(address, bound);
      return;
    }
    keepAlive(accepted, this.#options.unreachableTimeout);
    const transport = new TcpTransport(accepted, clock);
    const connection = this.#options.serve(transport);
    transport.serve(connection);
    this.#connections.add(connection);
    log.debug({ client: address }, "connection accepted");
    const stops = [
      watchLogOn(connection, this.#options, (reason) => {
        log.info({ client: address, reason }, "connection ended");
        connection.disconnect();
      }),
      watchDelivery(connection, this.#options, () => connection.giveUp()),
    ];
    const { socket } = transport;
    // Resets and timeouts of the network: "close" follows.
    socket.on("error", (error) => log.debug({ client: address, reason: error.message }, "connection broke"));
    socket.on("close", () => {
      for (const stop of stops) stop();
      this.#connections.delete(connection);
      if (this.#connections.size === 0) {
        this.#onEmpty?.();
      }
      this.#limits.release(address);
      connection.closed();
      log.debug({ client: address }, "connection closed");
    });
  }

  /** A flood of connections shall not become a flood of log lines. */
  #logRefusal(client: string, bound: string): void {
    this.#refused++;
    const now = this.#options.clock.now();
    if (now >= this.#nextRefusalLog) {
      this.#nextRefusalLog = now + REFUSAL_LOG_INTERVAL;
      this.#options.log.warn({ client, bound, refused: this.#refused }, "connections refused: too many");
      this.#refused = 0;
    }
  }
}
