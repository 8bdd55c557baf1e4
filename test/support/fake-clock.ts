// SPDX-License-Identifier: Apache-2.0

import type { Clock, Timer } from "../../src/smb2/server-context.ts";

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  /** Milliseconds by which the timers that are set from now on come late, as they do on a busy machine. */
  lateness = 0;
  #now: number;
  readonly #timers = new Set<{ readonly at: number; readonly action: () => void }>();

  constructor(now = Date.UTC(2025, 0, 1)) {
    this.#now = now;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, action: () => void): Timer {
    const timer = { at: this.#now + milliseconds + this.lateness, action };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Moves on, and runs what is due in the order of its time. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) {
        break;
      }
      this.#timers.delete(due);
      this.#now = due.at;
      due.action();
    }
    this.#now = end;
  }
}
