// SPDX-License-Identifier: Apache-2.0

import { connect, type Socket } from "node:net";
import { TransportError } from "../errors.ts";
import { type ByteStream, type Dial, formatPortal, type Portal, type StreamEvents } from "./transport.ts";

/**
 * Bytes that one read from the operating system can take where they belong nowhere in particular: headers, and no more data behind them
 * than is cheap to copy.
 */
const READ_SIZE = 8 * 1024;

/** A TCP connection to a portal. Data are read to where they belong, and what is queued in a turn is sent as one `writev`. */
class TcpStream implements ByteStream {
  readonly #socket: Socket;
  #events: StreamEvents | undefined;
  #corked = false;
  #error: Error | undefined;
  readonly #uncork = () => {
    this.#corked = false;
    this.#socket.uncork();
  };

  constructor({ host, port }: Portal) {
    const buffer = Buffer.allocUnsafeSlow(READ_SIZE);
    let room: Buffer | undefined;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: () => {
          room = this.#events?.room();
          return room ?? buffer;
        },
        callback: (size) => {
          if (room === undefined) this.#events?.received(buffer.subarray(0, size));
          else this.#events?.filled(size);
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => {
      this.#error ??= error;
    });
  }

  get localAddress(): string {
    return formatPortal({ host: this.#socket.localAddress ?? "", port: this.#socket.localPort ?? 0 });
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Resolves when the connection stands. */
  established(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      const abort = () => socket.destroy(new TransportError("no connection in time"));
      const failed = () => reject(this.#error ?? new TransportError("the connection was refused"));
      signal.addEventListener("abort", abort, { once: true });
      socket.once("close", failed);
      socket.once("connect", () => {
        signal.removeEventListener("abort", abort);
        socket.removeListener("close", failed);
        resolve();
      });
      if (signal.aborted) abort();
    });
  }

  begin(events: StreamEvents): void {
    this.#events = events;
    if (this.#socket.closed) events.closed(this.#error);
    else this.#socket.once("close", () => events.closed(this.#error));
  }

  send(buffers: readonly Buffer[], done?: () => void): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(this.#uncork);
    }
    const last = buffers.length - 1;
    buffers.forEach((buffer, index) => {
      if (index === last && done !== undefined) socket.write(buffer, (error) => (error ? undefined : done()));
      else socket.write(buffer);
    });
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }
}

/** Connects by TCP. */
export const dialTcp: Dial = async (portal, signal) => {
  const stream = new TcpStream(portal);
  try {
    await stream.established(signal);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TransportError(`${formatPortal(portal)} cannot be reached: ${reason}`, { cause: error });
  }
  return stream;
};
