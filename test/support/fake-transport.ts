// SPDX-License-Identifier: Apache-2.0

import type { Transport } from "../../src/smb2/server-context.ts";

/** The transport of a client that takes as many bytes as a test says; what is sent is counted, and not kept. */
export class FakeTransport implements Transport {
  readonly localAddress = "192.0.2.1";
  readonly remoteAddress = "192.0.2.100";
  paused = false;
  queuedBytes = 0;
  sentBytes = 0;
  endedBy: "end" | "destroy" | "reset" | undefined;
  #sent: { length: number; readonly done: (() => void) | undefined }[] = [];

  acknowledgedBytes(): number | undefined {
    return this.endedBy === undefined ? this.sentBytes - this.queuedBytes : undefined;
  }

  send(buffers: readonly Buffer[], done?: () => void): void {
    let length = 0;
    for (const buffer of buffers) length += buffer.length;
    this.queuedBytes += length;
    this.sentBytes += length;
    this.#sent.push({ length, done });
  }

  /** The client takes so many bytes at most. @returns whether nothing is left */
  take(count = Number.POSITIVE_INFINITY): boolean {
    let rest = count;
    for (let first = this.#sent[0]; first !== undefined && rest > 0; first = this.#sent[0]) {
      const taken = Math.min(rest, first.length);
      rest -= taken;
      this.queuedBytes -= taken;
      first.length -= taken;
      if (first.length > 0) break;
      this.#sent.shift();
      first.done?.();
    }
    return this.queuedBytes === 0;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.#over("end");
  }

  destroy(): void {
    this.#over("destroy");
  }

  reset(): void {
    this.#over("reset");
  }

  #over(by: "end" | "destroy" | "reset"): void {
    this.endedBy ??= by;
    this.take();
  }
}
