// SPDX-License-Identifier: Apache-2.0

/** Whether the kernel lets who writes files go on at once, or makes him wait for the disks. */

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** Milliseconds for which what was seen holds. */
const HOLDS = 100;
/** The part of the room that was seen that is used before the next look: others write, too. */
const USED = 1 / 4;
/** Bytes of the smallest page there is; larger ones mean more room. */
const PAGE = 4096;

/** What a look sees, in pages. */
export interface DirtyPagesSeen {
  /** Written by programs and not yet by disks. */
  readonly dirty: number;
  /** So many, and disks are put to work. */
  readonly background: number;
  /** So many, and whoever writes has to wait. */
  readonly threshold: number;
}

/**
 * Watches how much memory waits to be written to disks. The kernel lets writers run freely up to the middle between its two thresholds
 * (Documentation/admin-guide/sysctl/vm.rst, `dirty_background_ratio` and `dirty_ratio`); from there on a write may sleep, for
 * a fifth of a second at a time.
 */
export class DirtyPages {
  readonly #look: () => DirtyPagesSeen | undefined;
  readonly #now: () => number;
  #room = 0;
  /** The last look has seen too little room. */
  #full = false;
  #until = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds, monotonic */
  constructor(look: () => DirtyPagesSeen | undefined, now: () => number) {
    this.#look = look;
    this.#now = now;
  }

  /** Whether so many bytes can be written without waiting, as far as this can be known. They count as written then. */
  take(bytes: number): boolean {
    const now = this.#now();
    if (now >= this.#until || (this.#room < bytes && !this.#full)) {
      this.#room = roomIn(this.#look());
      this.#full = this.#room < bytes;
      this.#until = now + HOLDS;
    }
    if (this.#full || this.#room < bytes) return false;
    this.#room -= bytes;
    return true;
  }
}

/** Bytes. */
function roomIn(seen: DirtyPagesSeen | undefined): number {
  if (seen === undefined) return 0;
  return Math.max(0, (seen.background + seen.threshold) / 2 - seen.dirty) * PAGE * USED;
}

/** Reads /proc/vmstat. `undefined` where there is none to tell. */
export function lookAtDirtyPages(): DirtyPagesSeen | undefined {
  try {
    const text = readFileSync("/proc/vmstat", "latin1");
    const pages = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);
    const seen = {
      dirty: pages("nr_dirty") + pages("nr_writeback"),
      background: pages("nr_dirty_background_threshold"),
      threshold: pages("nr_dirty_threshold"),
    };
    return Object.values(seen).every(Number.isFinite) ? seen : undefined;
  } catch {
    return undefined;
  }
}

/** Of this machine. */
export const dirtyPages = new DirtyPages(lookAtDirtyPages, () => performance.now());
