// SPDX-License-Identifier: Apache-2.0

import { connect } from "node:net";
import type { Connection } from "../../src/smb2/connection.ts";
import type { Smb2Server } from "../../src/smb2/server.ts";
import type { Transport } from "../../src/smb2/server-context.ts";

/** The byte stream of a client. */
export interface ClientTransport {
  /** Both are set once, before anything is sent. */
  onData: (chunk: Buffer) => void;
  onClose: () => void;
  send(bytes: Buffer): void;
  /** Closes at once. */
  destroy(): void;
}

/** A TCP connection to a running server. */
export interface TcpTransport extends ClientTransport {
  /** Bytes that have gone over it, in both directions. */
  readonly traffic: number;
  /** Stops taking bytes, or takes them again. */
  hold(holding: boolean): void;
}

export function connectTcp(port: number, host = "127.0.0.1", localAddress?: string): Promise<TcpTransport> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) });
    const transport: TcpTransport = {
      onData: () => {},
      onClose: () => {},
      get traffic() {
        return socket.bytesRead + socket.bytesWritten;
      },
      send: (bytes) => void socket.write(bytes),
      hold: (holding) => void (holding ? socket.pause() : socket.resume()),
      destroy: () => void socket.destroy(),
    };
    socket.on("data", (chunk) => transport.onData(chunk));
    socket.on("error", reject);
    socket.on("close", () => transport.onClose());
    socket.once("connect", () => resolve(transport));
  });
}

/** The server's end of a connection inside of this process; `queuedBytes` is what the client has not taken yet. */
class ServerEnd implements Transport {
  readonly localAddress = "192.0.2.1";
  readonly remoteAddress: string;
  queuedBytes = 0;
  sentBytes = 0;
  readonly #client: InProcessTransport;

  constructor(client: InProcessTransport, remoteAddress: string) {
    this.#client = client;
    this.remoteAddress = remoteAddress;
  }

  acknowledgedBytes(): number | undefined {
    return this.#client.acknowledges ? this.sentBytes - this.queuedBytes : undefined;
  }

  send(buffers: readonly Buffer[], done?: () => void): void {
    for (const { length } of buffers) this.sentBytes += length;
    this.#client.deliver(buffers, done);
  }

  pause(): void {
    this.#client.pause();
  }

  resume(): void {
    this.#client.resume();
  }

  end(): void {
    this.#client.close("server");
  }

  destroy(): void {
    this.#client.close("server");
  }

  reset(): void {
    this.#client.close("server");
  }
}

/**
 * A client's end of a connection to a server in this process. Bytes arrive in a later microtask, in order, and are not
 * copied: a sender that changes its buffers afterwards is found out.
 */
export class InProcessTransport implements ClientTransport {
  onData: (chunk: Buffer) => void = () => {};
  onClose: () => void = () => {};
  /** The server's view of the connection. */
  readonly connection: Connection;
  /** Who has ended the connection. */
  endedBy: "client" | "server" | undefined;
  /** The server takes no bytes for now. */
  paused = false;
  /** Whether the server's system tells what has arrived. */
  acknowledges = true;
  /** While set, the client takes no bytes: they queue up in the server. */
  #holding = false;
  readonly #serverEnd: ServerEnd;
  #towardsServer: Buffer[] = [];
  #towardsClient: Array<{ readonly chunk: Buffer; readonly done: (() => void) | undefined }> = [];

  constructor(server: Smb2Server, remoteAddress = "192.0.2.100") {
    this.#serverEnd = new ServerEnd(this, remoteAddress);
    this.connection = server.accept(this.#serverEnd);
  }

  send(bytes: Buffer): void {
    if (this.endedBy !== undefined) return;
    this.#towardsServer.push(bytes);
    if (!this.paused) queueMicrotask(() => this.#pumpServer());
  }

  #pumpServer(): void {
    while (!this.paused && this.endedBy === undefined) {
      const chunk = this.#towardsServer.shift();
      if (chunk === undefined) return;
      this.connection.receive(chunk);
    }
  }

  deliver(buffers: readonly Buffer[], done?: () => void): void {
    if (this.endedBy !== undefined) {
      done?.();
      return;
    }
    buffers.forEach((chunk, index) => {
      this.#towardsClient.push({ chunk, done: index === buffers.length - 1 ? done : undefined });
      this.#serverEnd.queuedBytes += chunk.length;
    });
    if (!this.#holding) queueMicrotask(() => this.#pumpClient());
  }

  #pumpClient(): void {
    while (!this.#holding) {
      const next = this.#towardsClient.shift();
      if (next === undefined) return;
      this.#serverEnd.queuedBytes -= next.chunk.length;
      this.onData(next.chunk);
      next.done?.();
      this.connection.drained();
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    queueMicrotask(() => this.#pumpServer());
  }

  /** Stops taking bytes, or takes them again. */
  hold(holding: boolean): void {
    this.#holding = holding;
    if (!holding) this.#pumpClient();
  }

  get queuedBytes(): number {
    return this.#serverEnd.queuedBytes;
  }

  destroy(): void {
    this.close("client");
  }

  /** What the server has sent before it ends the connection still arrives. */
  close(by: "client" | "server"): void {
    if (this.endedBy !== undefined) return;
    this.endedBy = by;
    this.#towardsServer = [];
    if (by === "client") this.#towardsClient = [];
    queueMicrotask(() => {
      this.#pumpClient();
      this.connection.closed();
      this.onClose();
    });
  }
}
