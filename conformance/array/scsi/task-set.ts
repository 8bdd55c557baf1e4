// SPDX-License-Identifier: Apache-2.0
/** The order in which the tasks of one logical unit begin (SAM-5 8). */
import { TaskAttribute } from "../iscsi/task.ts";

interface Entry {
  readonly ordered: boolean;
  readonly start: (() => void) | undefined;
}

/**
 * Simple tasks run side by side. An ordered one waits for all before it, and all after it wait for that. Head of queue
 * runs at once.
 */
export class TaskSet {
  #running = 0;
  #orderedRunning = false;
  readonly #waiting: Entry[] = [];

  /** Tasks that wait or run. */
  get size(): number {
    return this.#running + this.#waiting.length;
  }

  /** Undefined where the task may begin at once, else a promise for its turn. Each `enter` needs a `leave`. */
  enter(attribute: number): Promise<void> | undefined {
    const ordered = attribute === TaskAttribute.ORDERED;
    const free = this.#waiting.length === 0 && !this.#orderedRunning && (!ordered || this.#running === 0);
    if (free || attribute === TaskAttribute.HEAD_OF_QUEUE) {
      this.#running += 1;
      if (free && ordered) this.#orderedRunning = true;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push({ ordered, start: resolve }));
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#orderedRunning = false;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#orderedRunning || (next.ordered && this.#running > 0)) return;
      this.#waiting.shift();
      this.#running += 1;
      if (next.ordered) this.#orderedRunning = true;
      next.start?.();
    }
  }
}
