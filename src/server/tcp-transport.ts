// SPDX-License-Identifier: Apache-2.0

import type { Socket } from "node:net";
import type { Clock, Transport } from "../smb2/server-context.ts";

/** Bytes that may wait for a client that does not take its answers before nothing more is read from it. */
const HIGH_WATER_MARK = 16 * 1024 * 1024;

/** Milliseconds that a client has to take the last answers of a connection that ends. */
const LINGER = 10_000;

const EMPTY = Buffer.alloc(0);

/** IPv4 addresses that a dual-stack socket shows as `::ffff:a.b.c.d`, in their own form. */
export function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, "");
}

/**
 * A TCP connection as the protocol sees it. Answers that are sent while one chunk of input is worked on leave as one
 * `writev`. A client that does not drain its answers is not read from until it does.
 */
export class TcpTransport implements Transport {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #highWaterMark: number;
  #ended = false;
  #corked = false;
  /** The protocol asked for no more input. */
  #paused = false;
  /** The client owes us reading. */
  #blocked = false;
  readonly #uncork = () => {
    this.#corked = false;
    this.#socket.uncork();
  };

  constructor(socket: Socket, clock: Clock, highWaterMark: number = HIGH_WATER_MARK) {
    this.#socket = socket;
    this.#clock = clock;
    this.#highWaterMark = highWaterMark;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.localAddress = plainAddress(socket.localAddress);
    socket.on("drain", () => {
      this.#blocked = false;
      this.#resume();
    });
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  send(buffers: readonly Buffer[], done?: () => void): void {
    const socket = this.#socket;
    if (!socket.writable) {
      done?.();
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(this.#uncork);
    }
    const last = buffers.length - 1;
    for (let index = 0; index < last; index++) {
      socket.write(buffers[index] ?? EMPTY);
    }
    // Called with an error too, when the connection ends before.
    socket.write(buffers[last] ?? EMPTY, done);
    if (!this.#blocked && socket.writableLength > this.#highWaterMark) {
      this.#blocked = true;
      socket.pause();
    }
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#resume();
  }

  #resume(): void {
    if (!this.#paused && !this.#blocked) {
      this.#socket.resume();
    }
  }

  end(): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    const timer = this.#clock.after(LINGER, () => this.#socket.destroy());
    this.#socket.once("close", () => timer.cancel());
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
