// SPDX-License-Identifier: Apache-2.0

import type { Socket } from "node:net";
import { totalLength } from "../memory/total-length.ts";
import { MAXIMUM_BUFFERS, sendNow } from "../native/socket.ts";
import type { Clock, Transport } from "../smb2/server-context.ts";
import { descriptorOf, type Receiver, readInto } from "./socket-reader.ts";
import { bytesAcknowledged } from "./tcp-options.ts";

/** Bytes that may wait for a client that does not take its answers before nothing more is read from it. */
const HIGH_WATER_MARK = 16 * 1024 * 1024;

/** Milliseconds that a client has to take the last answers of a connection that ends. */
const LINGER = 10_000;

/** IPv4 addresses that a dual-stack socket shows as `::ffff:a.b.c.d`, in their own form. */
export function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, "");
}

/**
 * Connections with something to send, in the order in which they got it: who is told of a change on one connection, before it is
 * confirmed on another, is to hear of it first.
 */
const unsent = new Set<TcpTransport>();
/** Some connection is taking input, and all that is sent meanwhile leaves when it is done. */
let receiving = false;

function flushAll(): void {
  for (const transport of unsent) transport.flush();
}

/** Whom a connection serves. */
export interface Served extends Receiver {
  /** Everything has been sent that the socket had not taken at once. */
  drained(): void;
}

/**
 * A TCP connection as the protocol sees it. Answers that are sent while one chunk of input is worked on leave in one system call,
 * made at once: Node's streams only get what the socket does not take. A client that does not drain its answers is not read from until
 * it does.
 */
export class TcpTransport implements Transport {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #highWaterMark: number;
  #served: Served | undefined;
  /** What is sent with the next call, and who is told then. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #sent: (() => void)[] = [];
  #sentBytes = 0;
  #ended = false;
  /** The protocol asked for no more input. */
  #paused = false;
  /** The client owes us reading. */
  #blocked = false;

  /** @param socket accepted with `pauseOnConnect`; it belongs to the transport from now on */
  constructor(socket: Socket, clock: Clock, highWaterMark: number = HIGH_WATER_MARK) {
    this.#clock = clock;
    this.#highWaterMark = highWaterMark;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.localAddress = plainAddress(socket.localAddress);
    const served = () => this.#served;
    this.#socket = readInto(socket, {
      receive: (chunk) => this.#whileReceiving((receiver) => receiver.receive(chunk)),
      filled: (count) => this.#whileReceiving((receiver) => receiver.filled(count)),
      get space() {
        return served()?.space;
      },
    });
  }

  /** Says whom the connection serves, before the turn of the event loop in which it was accepted is over. */
  serve(served: Served): void {
    this.#served = served;
  }

  /** The socket, for who wants to hear of its end. */
  get socket(): Socket {
    return this.#socket;
  }

  get queuedBytes(): number {
    return this.#pendingBytes + this.#socket.writableLength;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  acknowledgedBytes(): number | undefined {
    return bytesAcknowledged(this.#socket);
  }

  send(buffers: readonly Buffer[], done?: () => void): void {
    if (!this.#socket.writable) {
      done?.();
      return;
    }
    for (const buffer of buffers) {
      if (buffer.length === 0) continue;
      this.#pending.push(buffer);
      this.#pendingBytes += buffer.length;
      this.#sentBytes += buffer.length;
    }
    if (done !== undefined) this.#sent.push(done);
    if (unsent.size === 0 && !receiving) process.nextTick(flushAll);
    unsent.add(this);
    if (!this.#blocked && this.queuedBytes > this.#highWaterMark) {
      this.#blocked = true;
      this.#socket.pause();
    }
  }

  #whileReceiving(receive: (receiver: Receiver) => void): void {
    if (this.#served === undefined) return;
    receiving = true;
    try {
      receive(this.#served);
    } finally {
      receiving = false;
      flushAll();
    }
  }

  /** Sends what waits for that. */
  flush(): void {
    if (!unsent.delete(this)) return;
    const buffers = this.#pending;
    const told = this.#sent;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#sent = [];
    const rest = this.#sendNow(buffers);
    if (rest.length > 0) {
      this.#queue(rest, told);
      return;
    }
    for (const done of told) done();
    if (this.#socket.writableLength === 0) this.#onDrain();
  }

  /** Gives the socket what it takes at once. @returns what it did not take, nothing where the connection is gone */
  #sendNow(buffers: Buffer[]): Buffer[] {
    const socket = this.#socket;
    if (!socket.writable) return [];
    // What waits already goes first.
    if (socket.writableLength > 0) return buffers;
    let rest = buffers;
    while (rest.length > 0) {
      const descriptor = descriptorOf(socket);
      if (descriptor === undefined) break;
      const length = totalLength(rest.length > MAXIMUM_BUFFERS ? rest.slice(0, MAXIMUM_BUFFERS) : rest);
      const count = sendNow(descriptor, rest);
      // An error is one that a stream will meet, too, and tell everybody of.
      if (count <= 0) break;
      rest = behind(rest, count);
      if (count < length) break;
    }
    return rest;
  }

  #queue(buffers: readonly Buffer[], told: readonly (() => void)[]): void {
    const socket = this.#socket;
    const last = buffers.length - 1;
    socket.cork();
    for (const [index, buffer] of buffers.entries()) {
      if (index < last) socket.write(buffer);
      else {
        // Called with an error too, when the connection ends before.
        socket.write(buffer, () => {
          for (const done of told) done();
          if (socket.writableLength === 0) this.#onDrain();
        });
      }
    }
    socket.uncork();
  }

  #onDrain(): void {
    this.#blocked = false;
    this.#resume();
    this.#served?.drained();
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
    if (!this.#paused && !this.#blocked && this.#socket.isPaused()) this.#socket.resume();
  }

  end(): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.flush();
    const timer = this.#clock.after(LINGER, () => this.#socket.destroy());
    this.#socket.once("close", () => timer.cancel());
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
    this.flush();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
    this.flush();
  }
}

/** What is left of buffers after their first bytes. */
function behind(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let skipped = bytes;
  for (const [index, buffer] of buffers.entries()) {
    if (skipped < buffer.length) {
      return skipped === 0 ? buffers.slice(index) : [buffer.subarray(skipped), ...buffers.slice(index + 1)];
    }
    skipped -= buffer.length;
  }
  return [];
}
