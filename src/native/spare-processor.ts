// SPDX-License-Identifier: Apache-2.0

/** Whether long work is better left to another thread. */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";

/** Milliseconds from one look to the next, at least. */
const INTERVAL = 200;
/**
 * Processors that this process uses when it has more to do than one thread can. Not the share of the main thread alone, which falls as
 * soon as work is done elsewhere.
 */
const BUSY = 0.7;
/** Processors beyond those of others that we need: our own, and most of a second one. */
const NEEDED = 1.2;
/** Of /proc/stat: the system counts time in hundredths of a second. */
const TICK = 10;

/** What a look sees. Times in milliseconds since some beginning. */
export interface Look {
  readonly now: number;
  /** Time of all processors that somebody used. */
  readonly usedByAll: number;
  /** The same by this process, all of its threads. */
  readonly usedByUs: number;
}

/**
 * Watches whether there is a processor that nobody else uses while this process has more to do than one thread can. Only then is long work
 * done sooner on another thread: else it takes the processor of somebody else, such as a client on this machine, and moves data from
 * cache to cache.
 */
export class SpareProcessor {
  readonly #look: () => Look | undefined;
  readonly #processors: number;
  readonly #now: () => number;
  #last: Look | undefined;
  #next = 0;
  #isThere = false;

  constructor(look: () => Look | undefined, processors: number, now: () => number) {
    this.#look = look;
    this.#processors = processors;
    this.#now = now;
  }

  /** As of the last look, which is not long ago while this is asked often. */
  get isThere(): boolean {
    if (this.#processors > 1 && this.#now() >= this.#next) this.#lookAgain();
    return this.#isThere;
  }

  #lookAgain(): void {
    const last = this.#last;
    const look = this.#look();
    this.#last = look;
    this.#next = this.#now() + INTERVAL;
    if (last === undefined || look === undefined) {
      this.#isThere = false;
      return;
    }
    const time = look.now - last.now;
    const ours = look.usedByUs - last.usedByUs;
    const others = look.usedByAll - last.usedByAll - ours;
    this.#isThere = ours >= BUSY * time && this.#processors * time - others >= NEEDED * time;
  }
}

/** Reads the first line of /proc/stat: time that was used for anything but waiting (proc_stat(5)). */
function usedByAll(): number {
  const line = readFileSync("/proc/stat", "latin1").split("\n", 1)[0] ?? "";
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK;
}

/** Looks at this machine and process. `undefined` where there is no /proc to tell: then all stays on one thread. */
export function lookAround(): Look | undefined {
  try {
    const { user, system } = process.cpuUsage();
    return { now: performance.now(), usedByAll: usedByAll(), usedByUs: (user + system) / 1000 };
  } catch {
    return undefined;
  }
}

/** Of this machine and process. */
export const spareProcessor = new SpareProcessor(lookAround, availableParallelism(), () => performance.now());
