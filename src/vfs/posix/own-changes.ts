// SPDX-License-Identifier: Apache-2.0

import type { ChangeWatch } from "../outside-changes.ts";
import { StampWatch } from "../stamp-watch.ts";
import type { Descriptor } from "./descriptor.ts";
import type { FileKey } from "./file-id.ts";
import { type Statx, statOpen } from "./native/stat.ts";

/**
 * Size, time of writing and time of change. The last one cannot be set to what it was; it moves with each change of data and
 * metadata, from Linux 6.13 on also within one tick of the clock when it was looked at in between.
 */
export function stampOf(stat: Statx): string {
  const { size, writeSeconds, writeNanoseconds, changeSeconds, changeNanoseconds } = stat;
  return `${size} ${writeSeconds}.${writeNanoseconds} ${changeSeconds}.${changeNanoseconds}`;
}

let failures = 0;

class FileWatch extends StampWatch<string> {
  readonly #descriptor: Descriptor;
  readonly #ended: (watch: FileWatch) => void;
  #open = true;

  constructor(descriptor: Descriptor, stamp: string, ended: (watch: FileWatch) => void) {
    super(stamp, () => {
      const stat = statOpen(descriptor.handle);
      // A file that cannot be looked at any more is never the same again.
      return typeof stat === "number" ? `failure ${++failures}` : stampOf(stat);
    });
    descriptor.hold();
    this.#descriptor = descriptor;
    this.#ended = ended;
  }

  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ended(this);
    this.#descriptor.release();
  }
}

/**
 * The files of a volume whose data somebody relies on. Changes of their metadata that the volume makes itself are not taken
 * for those of others; changes of their data are bracketed by whoever relies on them.
 */
export class OwnChanges {
  readonly #files = new Map<FileKey, Set<FileWatch>>();
  /** Files changed since {@link forgetTouched}, with the number of changes under way. */
  #touched: Map<FileKey, number> | undefined;

  /** Whether to remember which files are changed. */
  keepTouched(keep: boolean): void {
    if (!keep) this.#touched = undefined;
    else this.#touched ??= new Map();
  }

  get anyTouched(): boolean {
    return this.#touched !== undefined && this.#touched.size > 0;
  }

  isTouched(key: FileKey): boolean {
    return this.#touched?.has(key) ?? false;
  }

  /** What has been heard of by now is dealt with: changes that have ended are forgotten. */
  forgetTouched(): void {
    for (const [key, active] of this.#touched ?? []) if (active === 0) this.#touched?.delete(key);
  }

  /** A file is being changed in this turn of the event loop. */
  touch(key: FileKey): void {
    const touched = this.#touched;
    if (touched !== undefined && !touched.has(key)) touched.set(key, 0);
  }

  /** A file is being changed until this promise settles. */
  touchWhile<T>(key: FileKey, change: Promise<T>): Promise<T> {
    const touched = this.#touched;
    if (touched === undefined) return change;
    touched.set(key, (touched.get(key) ?? 0) + 1);
    return change.finally(() => touched.set(key, (touched.get(key) ?? 1) - 1));
  }

  /** @param descriptor of the file, or of one that holds a stream of the file `key` */
  watch(key: FileKey, descriptor: Descriptor, stamp: string): ChangeWatch {
    const watches = this.#files.get(key) ?? new Set();
    const watch = new FileWatch(descriptor, stamp, () => {
      watches.delete(watch);
      if (watches.size === 0 && this.#files.get(key) === watches) this.#files.delete(key);
    });
    watches.add(watch);
    this.#files.set(key, watches);
    return watch;
  }

  /** Runs a change of the metadata of a file. */
  run<T>(key: FileKey, change: () => T): T {
    this.touch(key);
    if (this.#files.size === 0) return change();
    const watches = this.#files.get(key);
    if (watches === undefined) return change();
    for (const watch of watches) watch.begin();
    try {
      return change();
    } finally {
      for (const watch of watches) watch.finish();
    }
  }
}
