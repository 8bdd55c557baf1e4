// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { isShortNameShape, shortNameOf } from "../../nt/short-name.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NtPath } from "../volume.ts";
import type { DirectoryNames } from "./directory-names.ts";
import { Errno, errnoError } from "./errno.ts";
import type { FileIds, FileKey } from "./file-id.ts";
import { clientName, storedName } from "./names.ts";
import { close, OpenFlag, openBeneath } from "./native/files.ts";
import { FileType, type Statx, statName, statOpen } from "./native/stat.ts";
import { isPrivateName } from "./private-folder.ts";

/** Bytes of a path beneath one descriptor, well below PATH_MAX; deeper directories are opened step by step. */
const LONG_PATH = 1024;

/** An open descriptor with what statx said of it. The owner closes it. */
export interface Found {
  readonly fd: number;
  readonly stat: Statx;
  /** Client names as stored. */
  readonly path: NtPath;
  /** The same as a path beneath the root, "." for the root. */
  readonly stored: string;
}

/** An open parent directory and the last component of a path. */
export interface Parent {
  readonly fd: number;
  readonly key: FileKey;
  readonly stat: Statx;
  /** Client names of the parent as stored, and its path beneath the root. */
  readonly path: NtPath;
  readonly stored: string;
  /** Last component as asked for. */
  readonly name: string;
}

/** Opens what NT paths name: beneath the root, exactly first, then without regard to case. */
export class Resolver {
  readonly #root: number;
  readonly #ids: FileIds;
  readonly names: DirectoryNames;

  constructor(root: number, ids: FileIds, names: DirectoryNames) {
    this.#root = root;
    this.#ids = ids;
    this.names = names;
  }

  /**
   * Opens a file or directory as an O_PATH descriptor, symbolic links followed.
   * @returns `undefined` when the last component does not exist
   */
  open(path: NtPath): Found | undefined {
    const hidden = path.findIndex(isPrivateName);
    if (hidden >= 0 && hidden === path.length - 1) return undefined;
    const located = this.locate(path, false);
    if (!("name" in located)) return located;
    close(located.fd);
    return undefined;
  }

  /**
   * The same, but answers with the open directory when the last component does not exist.
   * @param isNew look into the directory first, where what is known of its names may tell
   * @throws ACCESS_DENIED also where the last component belongs to the server
   */
  locate(path: NtPath, isNew: boolean): Found | Parent {
    const hidden = path.findIndex(isPrivateName);
    if (hidden >= 0 && hidden < path.length - 1) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    const exact = isNew || hidden >= 0 ? -Errno.ENOENT : this.#openExact(path, 0);
    if (typeof exact !== "number") return exact;
    if (path.length === 0 && !isNew) throw errnoError(-exact, "openat2");
    const parent = this.parent(path);
    let found: Found | undefined;
    try {
      found = this.#openLast(parent);
    } catch (error) {
      close(parent.fd);
      throw error;
    }
    if (found === undefined) return parent;
    close(parent.fd);
    return found;
  }

  /**
   * Opens the directory that holds the last component of a path.
   * @throws OBJECT_PATH_NOT_FOUND, OBJECT_NAME_INVALID for the root
   */
  parent(path: NtPath): Parent {
    const name = path.at(-1);
    if (name === undefined) throw new SmbError(NtStatus.OBJECT_NAME_INVALID, "the root has no parent");
    if (path.some(isPrivateName)) throw new SmbError(NtStatus.ACCESS_DENIED, "the name belongs to the server");
    const above = path.slice(0, -1);
    const exact = this.#openExact(above, OpenFlag.DIRECTORY);
    const found = typeof exact === "number" ? this.#walk(above) : exact;
    return {
      fd: found.fd,
      key: this.#ids.keyOf(found.stat),
      stat: found.stat,
      path: found.path,
      stored: found.stored,
      name,
    };
  }

  /** The stored name in an open parent that its last component means, without regard to case. */
  storedNameIn(parent: Parent): string | undefined {
    const stored = storedName(parent.name);
    if (stored !== undefined && typeof statName(parent.fd, stored) !== "number") return stored;
    return this.#search(parent.fd, parent.key, parent.stat, parent.name);
  }

  /** Enters a change of our own, made in a directory that looked like `parent.stat`. @returns what it looks like now, if known */
  changed(parent: Parent, removed: string | undefined, added: string | undefined): Statx | undefined {
    const after = this.names.isCurrent(parent.key, parent.stat) ? statOpen(parent.fd) : undefined;
    if (typeof after === "object") {
      this.names.changed(parent.key, after, removed, added);
      return after;
    }
    this.names.forget(parent.key);
    return undefined;
  }

  /** Opens names just as given, or answers the negated error number of a search that may go on in other ways. */
  #openExact(path: NtPath, flags: number): Found | number {
    let joined = "";
    for (const name of path) {
      const stored = storedName(name);
      if (stored === undefined) return -Errno.ENOENT;
      joined = joined === "" ? stored : `${joined}/${stored}`;
    }
    const where = joined === "" ? "." : joined;
    return this.#openStored(this.#root, where, flags, path, where);
  }

  #openStored(directory: number, relative: string, flags: number, path: NtPath, stored: string): Found | number {
    const fd = openBeneath(directory, relative, OpenFlag.PATH | flags);
    if (fd < 0) {
      switch (-fd) {
        case Errno.ENOENT:
        case Errno.ENOTDIR:
        case Errno.ENAMETOOLONG:
          return fd;
        case Errno.EXDEV:
        case Errno.ELOOP:
          throw new SmbError(NtStatus.ACCESS_DENIED, "a symbolic link leads out of the share");
        default:
          throw errnoError(-fd, "openat2");
      }
    }
    const stat = statOpen(fd);
    if (typeof stat === "number") {
      close(fd);
      throw errnoError(-stat, "statx");
    }
    if (stat.type !== FileType.REGULAR && stat.type !== FileType.DIRECTORY) {
      close(fd);
      throw new SmbError(NtStatus.ACCESS_DENIED, "neither file nor directory");
    }
    return { fd, stat, path, stored };
  }

  #openLast(parent: Parent): Found | undefined {
    // A stale name in the cache costs one more round with a fresh one.
    for (let round = 0; round < 2; round++) {
      const stored = this.#search(parent.fd, parent.key, parent.stat, parent.name);
      if (stored === undefined) return undefined;
      const path = [...parent.path, clientName(stored)];
      const whole = join(parent.stored, stored);
      // From the root, because a symbolic link may lead upwards inside the share; unless the path is too long for that.
      let found = this.#openStored(this.#root, whole, 0, path, whole);
      if (found === -Errno.ENAMETOOLONG) found = this.#openStored(parent.fd, stored, 0, path, whole);
      if (typeof found !== "number") return found;
      const own = statName(parent.fd, stored);
      if (typeof own !== "number" && own.type === FileType.LINK) {
        throw new SmbError(NtStatus.ACCESS_DENIED, "a symbolic link leads nowhere");
      }
      this.names.forget(parent.key);
    }
    return undefined;
  }

  /** Opens a directory component by component, without regard to case. */
  #walk(path: NtPath): Found {
    let here = this.#openHere(this.#root, ".", [], ".");
    // Steps start at the root for the same reason as above, or at `base` where paths get long.
    let base = this.#root;
    let below = ".";
    try {
      for (const name of path) {
        const stored = this.#component(here, name);
        const relative = join(below, stored);
        const next = this.#openHere(base, relative, [...here.path, clientName(stored)], join(here.stored, stored));
        if (base !== here.fd) close(here.fd);
        here = next;
        below = relative;
        if (relative.length > LONG_PATH) {
          if (base !== this.#root) close(base);
          base = here.fd;
          below = ".";
        }
      }
    } catch (error) {
      if (base !== here.fd && base !== this.#root) close(base);
      close(here.fd);
      throw error;
    }
    if (base !== here.fd && base !== this.#root) close(base);
    return here;
  }

  #openHere(base: number, relative: string, names: NtPath, stored: string): Found {
    const found = this.#openStored(base, relative, OpenFlag.DIRECTORY, names, stored);
    if (typeof found === "number") throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    return found;
  }

  #component(directory: Found, name: string): string {
    const exact = storedName(name);
    if (exact !== undefined) {
      const stat = statName(directory.fd, exact);
      if (typeof stat !== "number") return exact;
    }
    const stored = this.#search(directory.fd, this.#ids.keyOf(directory.stat), directory.stat, name);
    if (stored === undefined) throw new SmbError(NtStatus.OBJECT_PATH_NOT_FOUND);
    return stored;
  }

  /** The stored name of an entry by its own name or its 8.3 name, without regard to case. */
  #search(directory: number, key: FileKey, stat: Statx, name: string): string | undefined {
    const stored = this.names.find(directory, key, stat, name);
    if (stored !== undefined || !isShortNameShape(name)) return stored;
    const wanted = foldName(name);
    return this.names.search(
      directory,
      key,
      stat,
      (candidate) => shortNameOf(clientName(candidate)) === wanted && !isPrivateName(candidate),
    );
  }
}

/** A path of stored names beneath the root. */
export function join(directory: string, name: string): string {
  return directory === "." ? name : `${directory}/${name}`;
}
