// SPDX-License-Identifier: Apache-2.0

import { shortNameOf } from "../../nt/short-name.ts";
import type { DirectoryCursor, DirectoryEntry } from "../volume.ts";
import { followLink, type PosixContext } from "./context.ts";
import { check, Errno } from "./errno.ts";
import { fileStat } from "./metadata.ts";
import { clientName } from "./names.ts";
import { DirectoryReader, EntryType } from "./native/directory.ts";
import { close } from "./native/files.ts";
import { FileType, type Statx, statName, statOpen } from "./native/stat.ts";
import { isPrivateName } from "./private-folder.ts";

/** Walks a directory through a descriptor of its own, a buffer of names at a time. */
export class PosixDirectoryCursor implements DirectoryCursor {
  readonly #context: PosixContext;
  readonly #reader: DirectoryReader;
  #fd: number;

  /** @param fd open for reading, at its start; closed with the cursor */
  constructor(context: PosixContext, fd: number) {
    this.#context = context;
    this.#fd = fd;
    this.#reader = new DirectoryReader(fd);
  }

  next(maximum: number, wanted: (name: string) => boolean): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    while (entries.length < maximum && this.#fd >= 0) {
      const stored = this.#reader.next();
      if (stored === undefined) break;
      if (typeof stored === "number") {
        check(stored, "getdents64");
        break;
      }
      if (isPrivateName(stored)) continue;
      const name = clientName(stored);
      if (!wanted(name)) continue;
      const entry = this.#entry(stored, name, this.#reader.type);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  close(): void {
    if (this.#fd < 0) return;
    close(this.#fd);
    this.#fd = -1;
  }

  /** `undefined` for what vanished meanwhile and for what clients could not open. */
  #entry(stored: string, name: string, type: number): DirectoryEntry | undefined {
    if (type === EntryType.LINK) return this.#linked(stored, name);
    if (type !== EntryType.REGULAR && type !== EntryType.DIRECTORY && type !== EntryType.UNKNOWN) return undefined;
    const stat = statName(this.#fd, stored);
    if (typeof stat === "number") return gone(stat);
    if (stat.type === FileType.LINK) return this.#linked(stored, name);
    if (!isServed(stat)) return undefined;
    return this.#describe(this.#fd, stored, name, stat);
  }

  #linked(stored: string, name: string): DirectoryEntry | undefined {
    const fd = followLink(this.#context.root, this.#fd, stored);
    if (fd === undefined) return undefined;
    try {
      const stat = statOpen(fd);
      if (typeof stat === "number" || !isServed(stat)) return undefined;
      return this.#describe(fd, "", name, stat);
    } finally {
      close(fd);
    }
  }

  #describe(fd: number, child: string, name: string, stat: Statx): DirectoryEntry | undefined {
    const { ids, metadata } = this.#context;
    const key = ids.keyOf(stat);
    const known = metadata.tryGet(fd, child, key, stat);
    if (known === undefined) return undefined;
    return { name, shortName: shortNameOf(name), stat: fileStat(stat, key, known, metadata.changeTime(key, stat)) };
  }
}

function isServed(stat: Statx): boolean {
  return stat.type === FileType.REGULAR || stat.type === FileType.DIRECTORY;
}

function gone(result: number): undefined {
  if (result !== -Errno.ENOENT && result !== -Errno.ESTALE && result !== -Errno.EACCES) check(result, "statx");
  return undefined;
}
