// SPDX-License-Identifier: Apache-2.0

import type { Request } from "./request.ts";
import type { Clock, Timer } from "./server-context.ts";

/** Milliseconds between two looks: a client hears after one to two of them that its request takes longer. */
const INTERVAL = 100;

/**
 * Requests that the storage has not answered yet. Of those that take long the client is told STATUS_PENDING (MS-SMB2 3.3.4.2),
 * so that it waits for as long as it takes instead of giving the connection up, and its CANCEL and the end of the session find
 * them. One timer looks at all of them, and only while there are any: a request pays for its place in a set, and one that is
 * answered at once for nothing. What a slow disk takes in the ordinary way is not announced, since each announcement is a
 * message of its own.
 */
export class SlowRequests {
  readonly #clock: Clock;
  /** Begun since the last look. */
  #recent = new Set<Request>();
  /** Under way since before the last look. */
  #overdue = new Set<Request>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A request has not been answered at once. */
  begin(request: Request): void {
    this.#recent.add(request);
    this.#timer ??= this.#clock.after(INTERVAL, this.#look);
  }

  end(request: Request): void {
    if (!this.#recent.delete(request)) this.#overdue.delete(request);
  }

  /** Nothing is announced any more. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#recent.clear();
    this.#overdue.clear();
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const announced = this.#overdue;
    this.#overdue = this.#recent;
    this.#recent = announced;
    for (const request of announced) request.announce();
    announced.clear();
    if (this.#overdue.size > 0) this.#timer = this.#clock.after(INTERVAL, this.#look);
  };
}
