// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import type { NtPath } from "../../vfs/volume.ts";
import type { LeaseId } from "./lease.ts";
import type { Oplock } from "./oplock.ts";

/** Where a directory is; the same object as long as it is open, with another path after a rename. */
interface DirectoryName {
  readonly path: NtPath;
}

interface LeasedDirectory {
  readonly link: DirectoryName;
  readonly oplock: Oplock;
}

/** The directories of a volume that clients cache, found by their paths. */
export class DirectoryLeases {
  /** By folded path. */
  readonly #directories = new Map<string, LeasedDirectory>();

  get size(): number {
    return this.#directories.size;
  }

  /** A client has got a lease on a directory. */
  add(link: DirectoryName, oplock: Oplock): void {
    this.#directories.set(keyOf(link.path), { link, oplock });
  }

  /** A handle of a directory has closed. */
  closed(link: DirectoryName, oplock: Oplock): void {
    if (oplock.isEmpty && this.#directories.size > 0) this.#directories.delete(keyOf(link.path));
  }

  /** A directory has another path now, and so have those below it. */
  moved(): void {
    if (this.#directories.size === 0) return;
    const all = [...this.#directories.values()];
    this.#directories.clear();
    for (const { link, oplock } of all) if (!oplock.isEmpty) this.add(link, oplock);
  }

  /**
   * What a listing shows of this path has changed: whoever caches the directory that holds it hears of it (PARENT_OBJECT,
   * MS-FSA 2.1.4.12).
   * @param by the lease on the directory that who has changed it said is his own
   */
  changed(path: NtPath, by: LeaseId | undefined): void {
    if (this.#directories.size === 0 || path.length === 0) return;
    const key = keyOf(path.slice(0, -1));
    const directory = this.#directories.get(key);
    if (directory === undefined) return;
    directory.oplock.breakForChangeInDirectory(by);
    if (directory.oplock.isEmpty) this.#directories.delete(key);
  }
}

function keyOf(path: NtPath): string {
  return foldName(path.join("\\"));
}
