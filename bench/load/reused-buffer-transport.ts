// SPDX-License-Identifier: Apache-2.0

import { connect, type Socket } from "node:net";
import type { ClientTransport } from "../../test/support/smb-transport.ts";

/** Small enough to stay in the processor's cache. All connections of a process read into it, one after the other. */
const shared = Buffer.allocUnsafeSlow(256 * 1024);

/** A TCP connection whose input costs no memory. */
export class ReusedBufferTransport implements ClientTransport {
  onData: (chunk: Buffer) => void = () => {};
  onClose: () => void = () => {};
  /** Chunks are views that are good for the time of the call; otherwise copies. */
  lends = false;
  readonly #socket: Socket;
  #corked = false;

  private constructor(connected: (error?: Error) => void, port: number) {
    const socket = connect(
      {
        port,
        host: "127.0.0.1",
        noDelay: true,
        onread: {
          buffer: shared,
          callback: (length, buffer) => {
            const chunk = Buffer.from(buffer.buffer, buffer.byteOffset, length);
            this.onData(this.lends ? chunk : Buffer.from(chunk));
            return true;
          },
        },
      },
      () => connected(),
    );
    socket.on("error", connected);
    socket.on("close", () => this.onClose());
    this.#socket = socket;
  }

  static connect(port: number): Promise<ReusedBufferTransport> {
    return new Promise((resolve, reject) => {
      const transport = new ReusedBufferTransport((error) => {
        if (error === undefined) resolve(transport);
        else reject(error);
      }, port);
    });
  }

  send(bytes: Buffer): void {
    this.write([bytes]);
  }

  /** What is sent in one turn of the event loop leaves as one `writev`. @param done the buffers are free again */
  write(buffers: readonly Buffer[], done?: () => void): void {
    const socket = this.#socket;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    buffers.forEach((buffer, index) => {
      socket.write(buffer, index === buffers.length - 1 ? done : undefined);
    });
  }

  /** Takes no more bytes, or takes them again. */
  hold(holding: boolean): void {
    if (holding) this.#socket.pause();
    else this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
