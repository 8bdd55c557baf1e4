// SPDX-License-Identifier: Apache-2.0

import type { MessageBudget } from "./message-budget.ts";
import type { Clock, Logger, Timer } from "./server-context.ts";

/** Milliseconds between two looks, while memory is short. */
const LOOK_INTERVAL = 1000;
/** Milliseconds that a client may stall while memory is short, and while more is in use than there should be. */
const PATIENCE = 30_000;
const LITTLE_PATIENCE = 5_000;
/** Bytes; who keeps less than that waiting is not worth ending. */
const WORTH_ENDING = 16 * 1024;
/** Bytes that have to move within the time of patience, and the part of what waits. Else a byte now and then would keep everything. */
const LEAST_MOVED = 16 * 1024;
const LEAST_PART = 1 / 64;
/** Milliseconds between two log lines about memory that is short. */
const LOG_INTERVAL = 60_000;

/** A connection, as far as it matters here. */
export interface Client {
  /** Bytes that it holds and that its client alone can move: answers to be taken, a request to be finished. */
  readonly awaitedBytes: number;
  /** Bytes that its client has taken or sent from the beginning. */
  readonly movedBytes: number;
  /** Ends it. */
  giveUp(reason: string): void;
}

export interface StalledClientsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly budget: MessageBudget;
  readonly clients: () => Iterable<Client>;
}

/** How far a client had come when it last moved enough, in milliseconds since 1970. */
interface Progress {
  readonly moved: number;
  readonly since: number;
}

/**
 * Ends connections of clients who neither take their answers nor finish their requests, while others need the memory: those first that
 * have stalled the longest, until there is enough again. Looks only while memory is short.
 */
export class StalledClients {
  readonly #options: StalledClientsOptions;
  #progress = new Map<Client, Progress>();
  #timer: Timer | undefined;
  #nextLog = 0;
  #closed = false;

  constructor(options: StalledClientsOptions) {
    this.#options = options;
    options.budget.onShort = () => this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#progress.clear();
  }

  #begin(): void {
    if (this.#timer !== undefined || this.#closed) return;
    const { clock, log, budget } = this.#options;
    if (clock.now() >= this.#nextLog) {
      this.#nextLog = clock.now() + LOG_INTERVAL;
      log.warn({ bytes: budget.used, maximum: budget.maximum }, "memory for requests and answers is short");
    }
    this.#timer = clock.after(0, this.#look);
  }

  readonly #look = (): void => {
    const { clock, budget } = this.#options;
    this.#timer = undefined;
    if (!budget.isShort) {
      this.#progress.clear();
      return;
    }
    this.#timer = clock.after(LOOK_INTERVAL, this.#look);
    const now = clock.now();
    this.#follow(now);
    const longest = [...this.#progress].sort(([, one], [, other]) => one.since - other.since);
    for (const [client, { since }] of longest) {
      const patience = budget.left < 0 ? LITTLE_PATIENCE : PATIENCE;
      if (!budget.isShort || now - since < patience) return;
      this.#progress.delete(client);
      client.giveUp("others need the memory of what its client does not take or finish");
    }
  };

  /** Sees how far each client has come. */
  #follow(now: number): void {
    const before = this.#progress;
    this.#progress = new Map();
    for (const client of this.#options.clients()) {
      const { awaitedBytes, movedBytes } = client;
      if (awaitedBytes < WORTH_ENDING) continue;
      const last = before.get(client);
      const enough = Math.max(LEAST_MOVED, awaitedBytes * LEAST_PART);
      const stalls = last !== undefined && movedBytes - last.moved < enough;
      this.#progress.set(client, stalls ? last : { moved: movedBytes, since: now });
    }
  }
}
