// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../nt/filetime.ts";
import { foldName } from "../../nt/names.ts";
import { shortNameOf } from "../../nt/short-name.ts";
import type { NtPath } from "../../vfs/volume.ts";
import type { Clock } from "../server-context.ts";

/** Milliseconds for which a name is remembered (MS-FSA 2.1.1.2). */
const LIFETIME = 15_000;
/** Names remembered for one volume; the oldest one gives way. */
const MAXIMUM = 256;

/** What a file takes over from the one that had its name shortly before (TunnelCacheEntry, MS-FSA 2.1.1.2). */
export interface Tunnelled {
  /** The last component: the long name, where the file was known and is asked for by its 8.3 name. */
  readonly name: string;
  readonly creationTime: FileTime;
}

interface Entry {
  readonly tunnelled: Tunnelled;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/**
 * Names that files have lost by deletion or renaming. Programs that save by writing a new file and giving it the name of
 * the old one keep the creation time in this way, and those that know only the 8.3 name the long one.
 *
 * MS-FSA 2.1.5.1.1 gives back the stored name in any case; here a name that is asked for by its long form is stored as it
 * is asked for, so that a client can change its case by deleting and creating.
 */
export class TunnelCache {
  readonly #clock: Clock;
  /** By folded path, the oldest first. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * A file has lost a name.
   * @param openedAs the name under which the handle was opened: by its 8.3 name the file is looked for again (KeyByShortName)
   */
  add(path: NtPath, openedAs: string, creationTime: FileTime): void {
    const name = path.at(-1);
    if (name === undefined) return;
    this.#expire();
    const directory = path.slice(0, -1);
    const shortName = shortNameOf(name);
    const opened = openedAs.slice(openedAs.lastIndexOf("\\") + 1);
    const key = keyOf(directory, shortName !== "" && foldName(opened) === shortName ? shortName : name);
    this.#entries.delete(key);
    this.#entries.set(key, { tunnelled: { name, creationTime }, expires: this.#clock.now() + LIFETIME });
    if (this.#entries.size <= MAXIMUM) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  /** What a file that is about to get this name takes over. An entry serves once. */
  take(path: NtPath): Tunnelled | undefined {
    if (this.#entries.size === 0) return undefined;
    this.#expire();
    const name = path.at(-1);
    if (name === undefined) return undefined;
    const key = keyOf(path.slice(0, -1), name);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    const { tunnelled } = entry;
    return foldName(tunnelled.name) === foldName(name) ? { ...tunnelled, name } : tunnelled;
  }

  /** A directory is gone, or goes by another name. */
  forget(directory: NtPath): void {
    const below = keyOf(directory, "");
    for (const key of this.#entries.keys()) if (key.startsWith(below)) this.#entries.delete(key);
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const [key, { expires }] of this.#entries) {
      if (expires > now) return;
      this.#entries.delete(key);
    }
  }
}

/** Components hold no backslash. */
function keyOf(directory: NtPath, name: string): string {
  return foldName(`${directory.join("\\")}\\${name}`);
}
