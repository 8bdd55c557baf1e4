// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { foldName } from "../../nt/names.ts";
import { check, Errno } from "./errno.ts";
import type { FileKey } from "./file-id.ts";
import { close, makeDirectory, OpenFlag, openBeneath, removeName, rename } from "./native/files.ts";
import type { Statx } from "./native/stat.ts";
import { getXattr, setXattr, xattrValue } from "./native/xattr.ts";
import { entriesOf, insidePrivateFolder, STREAM_FOLDER } from "./private-folder.ts";

const NAME_ATTRIBUTE = "user.tessera.stream";
const PENDING = ".pending";
const STREAM_FLAGS = OpenFlag.RDWR | OpenFlag.NOFOLLOW;

export interface SpilledStream {
  readonly name: string;
  readonly fd: number;
}

/**
 * Streams too large for an extended attribute: files in a folder beneath the share's root that clients never see, one
 * sub-folder for each file that has such streams. It is named by file id and time of birth, so that a later file with the
 * same inode number does not inherit them. The streams' own names are in an attribute of each file.
 */
export class SpillFolder {
  readonly #root: number;

  constructor(root: number) {
    this.#root = root;
  }

  /** The sub-folder of a file, `undefined` when the file system cannot tell files apart over time. */
  static folderOf(key: FileKey, stat: Statx): string | undefined {
    if (!stat.hasBirth) return undefined;
    return `${key.toString(16)}-${stat.birthSeconds.toString(16)}-${stat.birthNanoseconds.toString(16)}`;
  }

  /** Opens a stream for reading and writing; -ENOENT when there is none. */
  open(folder: string, name: string): number {
    return this.#inside(false, -Errno.ENOENT, (base) => openBeneath(base, `${folder}/${fileName(name)}`, STREAM_FLAGS));
  }

  /** The stored name of a stream that is open. */
  nameOf(fd: number): string | undefined {
    const length = getXattr(fd, "", NAME_ATTRIBUTE);
    return length < 0 ? undefined : xattrValue.toString("utf8", 0, length);
  }

  /**
   * Makes a stream with content; it is there as a whole or not at all.
   * @param fill writes the content; its exception leaves nothing behind
   */
  create(folder: string, name: string, fill: (fd: number) => void): number {
    return this.#inside(true, -Errno.ENOENT, (base) => {
      const made = makeDirectory(base, folder, 0o700);
      if (made !== -Errno.EEXIST) check(made, "mkdirat");
      const path = `${folder}/${fileName(name)}`;
      const pending = path + PENDING;
      removeName(base, pending, false);
      const fd = openBeneath(base, pending, STREAM_FLAGS | OpenFlag.CREAT | OpenFlag.EXCL, 0o600);
      try {
        check(fd, "create stream");
        check(setXattr(fd, NAME_ATTRIBUTE, Buffer.from(name, "utf8")), "setxattr");
        fill(fd);
        check(rename(base, pending, base, path, true), "renameat2");
        return fd;
      } catch (error) {
        if (fd >= 0) close(fd);
        removeName(base, pending, false);
        removeName(base, folder, true);
        throw error;
      }
    });
  }

  /** @returns false when there was none */
  remove(folder: string, name: string): boolean {
    return this.#inside(false, false, (base) => {
      const result = removeName(base, `${folder}/${fileName(name)}`, false);
      if (result === -Errno.ENOENT) return false;
      check(result, "unlinkat");
      // Fails while other streams are in it, which is as well.
      removeName(base, folder, true);
      return true;
    });
  }

  /** Gives a stream another name, over a stream that has it already. */
  rename(folder: string, from: string, to: string): void {
    this.#inside(false, undefined, (base) => {
      const old = `${folder}/${fileName(from)}`;
      const next = `${folder}/${fileName(to)}`;
      const fd = check(openBeneath(base, old, STREAM_FLAGS), "open stream");
      try {
        check(setXattr(fd, NAME_ATTRIBUTE, Buffer.from(to, "utf8")), "setxattr");
      } finally {
        close(fd);
      }
      if (old !== next) check(rename(base, old, base, next, true), "renameat2");
    });
  }

  /** Opens all streams of a file, for the moment of a call each. */
  forEach(folder: string, visit: (stream: SpilledStream) => void): void {
    this.#inside(false, undefined, (base) => {
      for (const entry of entriesOf(base, folder)) {
        if (entry.endsWith(PENDING)) continue;
        const fd = openBeneath(base, `${folder}/${entry}`, STREAM_FLAGS);
        if (fd < 0) continue;
        try {
          const name = this.nameOf(fd);
          if (name !== undefined) visit({ name, fd });
        } finally {
          close(fd);
        }
      }
    });
  }

  /** Removes all streams of a file that is no more. Those that are open keep their data until they are closed. */
  discard(folder: string): void {
    this.#inside(false, undefined, (base) => {
      for (const entry of entriesOf(base, folder)) removeName(base, `${folder}/${entry}`, false);
      removeName(base, folder, true);
    });
  }

  /** Sub-folders that are there. */
  folders(): string[] {
    return this.#inside(false, [], (base) => entriesOf(base, "."));
  }

  #inside<T>(create: boolean, absent: T, call: (base: number) => T): T {
    return insidePrivateFolder(this.#root, STREAM_FOLDER, create, absent, call);
  }
}

/** Stream names may be longer and hold more than file names may; case does not count. */
function fileName(name: string): string {
  return createHash("sha256").update(foldName(name), "utf16le").digest("hex");
}
