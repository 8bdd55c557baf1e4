// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { check } from "./errno.ts";
import type { FileKey } from "./file-id.ts";
import { clientName } from "./names.ts";
import { DirectoryReader } from "./native/directory.ts";
import { close, OpenFlag, openOwn } from "./native/files.ts";
import type { Statx } from "./native/stat.ts";

/** Milliseconds within which two changes of a directory may carry the same time stamp. */
const TICK = 20;
/** Milliseconds for which names are believed after changes of our own, and at least so many scans' worth of time. */
const OWN_CHANGE_TRUST = 1000;
const SCAN_SHARE = 50;

interface Names {
  /** Folded client name to stored name. */
  readonly stored: Map<string, string>;
  /** More than one stored name folds to the same one. */
  ambiguous: boolean;
  changeSeconds: number;
  changeNanoseconds: number;
  writeSeconds: number;
  writeNanoseconds: number;
  size: number;
  /** Milliseconds since 1970. */
  scannedAt: number;
  scanCost: number;
  /** The directory had changed so shortly before the scan that a later change may show the same times. */
  racy: boolean;
  /** Changes of our own were entered since the scan; one from outside may have slipped in between. */
  ownChanges: boolean;
}

/**
 * The names in directories by their folded form, so that a name in another case is found without reading the directory
 * each time. Believed for as long as the directory's times stay the same, with the care about changes within one tick of
 * the clock that git takes with its index. Bounded by the number of names.
 */
export class DirectoryNames {
  readonly #directories = new Map<FileKey, Names>();
  readonly #maximum: number;
  readonly #now: () => number;
  readonly #hasFineTimes: (stat: Statx) => boolean;
  #total = 0;
  /** How often a directory was read from end to end. */
  scans = 0;

  /**
   * @param maximum names kept in total
   * @param now milliseconds since 1970
   * @param hasFineTimes whether the next change of a directory, which has just been looked at, is sure to show
   */
  constructor(maximum: number, now: () => number, hasFineTimes: (stat: Statx) => boolean = () => false) {
    this.#hasFineTimes = hasFineTimes;
    this.#maximum = maximum;
    this.#now = now;
  }

  /**
   * The stored name that equals `name` without regard to case.
   * @param directory a descriptor of the directory, O_PATH is enough
   * @param stat what statx just said about it
   */
  find(directory: number, key: FileKey, stat: Statx, name: string): string | undefined {
    return this.#names(directory, key, stat).stored.get(foldName(name));
  }

  /** The first stored name that passes; for alternative (8.3) names. */
  search(directory: number, key: FileKey, stat: Statx, wanted: (stored: string) => boolean): string | undefined {
    for (const stored of this.#names(directory, key, stat).stored.values()) if (wanted(stored)) return stored;
    return undefined;
  }

  /** Enters changes of our own; `stat` is the directory's after them. Only for names that were valid before. */
  changed(key: FileKey, stat: Statx, removed: string | undefined, added: string | undefined): void {
    const names = this.#directories.get(key);
    if (names === undefined) return;
    if (names.ambiguous) {
      this.forget(key);
      return;
    }
    this.#total -= names.stored.size;
    if (removed !== undefined) names.stored.delete(foldName(clientName(removed)));
    if (added !== undefined) names.stored.set(foldName(clientName(added)), added);
    this.#total += names.stored.size;
    stamp(names, stat);
    names.racy = false;
    names.ownChanges = true;
    this.#trim(key);
  }

  forget(key: FileKey): void {
    const names = this.#directories.get(key);
    if (names === undefined) return;
    this.#total -= names.stored.size;
    this.#directories.delete(key);
  }

  /** True when what is known of the directory is current: its own changes may be entered with {@link changed}. */
  isCurrent(key: FileKey, stat: Statx): boolean {
    const names = this.#directories.get(key);
    return names !== undefined && sameStamp(names, stat);
  }

  #names(directory: number, key: FileKey, stat: Statx): Names {
    const known = this.#directories.get(key);
    if (known !== undefined && this.#isBelieved(known, stat)) {
      this.#directories.delete(key);
      this.#directories.set(key, known);
      return known;
    }
    const names = this.#scan(directory, stat);
    this.forget(key);
    if (names.stored.size <= this.#maximum) {
      this.#directories.set(key, names);
      this.#total += names.stored.size;
      this.#trim(key);
    }
    return names;
  }

  #isBelieved(names: Names, stat: Statx): boolean {
    if (!sameStamp(names, stat) || names.racy) return false;
    if (!names.ownChanges) return true;
    return this.#now() - names.scannedAt < Math.max(OWN_CHANGE_TRUST, SCAN_SHARE * names.scanCost);
  }

  #scan(directory: number, stat: Statx): Names {
    this.scans++;
    const begin = this.#now();
    const stored = new Map<string, string>();
    let ambiguous = false;
    const fd = check(openOwn(directory, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY), "open directory");
    try {
      const reader = new DirectoryReader(fd);
      for (;;) {
        const name = reader.next();
        if (name === undefined) break;
        if (typeof name === "number") {
          check(name, "getdents64");
          break;
        }
        const folded = foldName(clientName(name));
        if (stored.has(folded)) ambiguous = true;
        else stored.set(folded, name);
      }
    } finally {
      close(fd);
    }
    const end = this.#now();
    const names: Names = {
      stored,
      ambiguous,
      changeSeconds: 0,
      changeNanoseconds: 0,
      writeSeconds: 0,
      writeNanoseconds: 0,
      size: 0,
      scannedAt: begin,
      scanCost: end - begin,
      // A clock of the storage that runs ahead of ours never proves anything.
      racy: begin - milliseconds(stat) < TICK && !this.#hasFineTimes(stat),
      ownChanges: false,
    };
    stamp(names, stat);
    return names;
  }

  #trim(keep: FileKey): void {
    for (const key of this.#directories.keys()) {
      if (this.#total <= this.#maximum) return;
      if (key !== keep) this.forget(key);
    }
    if (this.#total > this.#maximum) this.forget(keep);
  }
}

function milliseconds(stat: Statx): number {
  return stat.changeSeconds * 1000 + stat.changeNanoseconds / 1e6;
}

function stamp(names: Names, stat: Statx): void {
  names.changeSeconds = stat.changeSeconds;
  names.changeNanoseconds = stat.changeNanoseconds;
  names.writeSeconds = stat.writeSeconds;
  names.writeNanoseconds = stat.writeNanoseconds;
  names.size = stat.size;
}

function sameStamp(names: Names, stat: Statx): boolean {
  return (
    names.changeSeconds === stat.changeSeconds &&
    names.changeNanoseconds === stat.changeNanoseconds &&
    names.writeSeconds === stat.writeSeconds &&
    names.writeNanoseconds === stat.writeNanoseconds &&
    names.size === stat.size
  );
}
