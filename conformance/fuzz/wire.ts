// SPDX-License-Identifier: Apache-2.0
/** One TCP connection of the fuzzer. */
import { connect, type Socket } from "node:net";
import { HEADER_SIZE, peekMessageId, peekStatus } from "../../src/smb2/wire/header.ts";
import { frame } from "./mutate.ts";

const STATUS_PENDING = 0x00000103;

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** What became of a request. */
export type Answer =
  | { readonly kind: "answer"; readonly message: Buffer }
  | { readonly kind: "closed" }
  | { readonly kind: "silence" };

export class Wire {
  /** What becomes of each message that comes in; `undefined` for one to be passed over. */
  unseal: (received: Buffer) => Buffer | undefined = (received) => received;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#wake?.();
    });
    // An error is always followed by "close".
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  /** @param localAddress address of the client, for servers that count failures by address */
  static open(target: Target, localAddress: string | undefined, timeout = 5000): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...target, ...(localAddress === undefined ? {} : { localAddress }), noDelay: true });
      const timer = setTimeout(() => socket.destroy(new Error(`no connection after ${timeout} ms`)), timeout);
      socket.once("error", reject);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", reject);
        resolve(new Wire(socket));
      });
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends bytes as they are. */
  send(bytes: Buffer): void {
    if (!this.#closed) this.#socket.write(bytes);
  }

  /** The next whole message, `undefined` while there is none. */
  #take(): Buffer | undefined {
    if (this.#received.length < 4) return undefined;
    const length = this.#received.readUIntBE(1, 3);
    if (this.#received.length < 4 + length) return undefined;
    const message = this.#received.subarray(4, 4 + length);
    this.#received = this.#received.subarray(4 + length);
    return message;
  }

  /** Sends a message and waits for its last answer; answers to other messages are passed over. */
  async exchange(message: Buffer, messageId: bigint, timeout = 5000): Promise<Answer> {
    this.send(frame(undefined, message));
    const deadline = performance.now() + timeout;
    for (;;) {
      for (let received = this.#take(); received !== undefined; received = this.#take()) {
        const answer = this.unseal(received);
        if (answer === undefined || answer.length < HEADER_SIZE || peekMessageId(answer) !== messageId) continue;
        if (peekStatus(answer) !== STATUS_PENDING) return { kind: "answer", message: answer };
      }
      if (this.#closed) return { kind: "closed" };
      if (!(await this.#wait(deadline))) return { kind: "silence" };
    }
  }

  /** Ends our side and waits until the server has ended its own. False when it has not after `timeout`. */
  async finish(timeout = 5000): Promise<boolean> {
    this.#socket.end();
    const deadline = performance.now() + timeout;
    while (!this.#closed) {
      this.#received = Buffer.alloc(0);
      if (!(await this.#wait(deadline))) {
        this.destroy();
        return false;
      }
    }
    return true;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Waits for something to happen. False when the deadline came first. */
  #wait(deadline: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(false), Math.max(0, deadline - performance.now()));
      const done = (result: boolean) => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(result);
      };
      this.#wake = () => done(true);
    });
  }
}
