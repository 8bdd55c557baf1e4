// SPDX-License-Identifier: Apache-2.0

import { type PosixContext, pathBeneath } from "./context.ts";
import { DirectoryReader, EntryType } from "./native/directory.ts";
import { close, OpenFlag, openBeneath } from "./native/files.ts";
import { handleOf, isHandleAlive } from "./native/handles.ts";
import { decodeStored, encodeStored } from "./native/path.ts";
import { statOpen } from "./native/stat.ts";
import { isPrivateName } from "./private-folder.ts";
import { join } from "./resolve.ts";

/** Names looked at for all files of a volume together: about two seconds. */
const MAXIMUM_ENTRIES = 1_000_000;
/** Names looked at before the event loop has its turn. */
const ENTRIES_AT_ONCE = 10_000;

const FOLDER = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

/**
 * What finds a file again (`VolumeFile.reference`): the length of its handle as 16 bits, the handle, its path beneath the root.
 * `undefined` where the file system has no handles, where another one is mounted, or where the file has no name any more.
 */
export function referenceOf({ root, ids }: PosixContext, fd: number): Buffer | undefined {
  const stat = statOpen(fd);
  if (typeof stat === "number" || stat.links === 0 || !ids.isRootDevice(stat)) return undefined;
  const handle = handleOf(fd);
  const path = pathBeneath(root, fd);
  if (typeof handle === "number" || path === undefined) return undefined;
  const head = Buffer.alloc(2);
  head.writeUInt16LE(handle.length);
  return Buffer.concat([head, handle, encodeStored(path)]);
}

/**
 * Finds files that others have renamed while nobody watched. The kernel tells no name for a handle, so that folders are searched for
 * the inode: the one that the file was in, then all of them.
 */
export class FileSearch {
  readonly #context: PosixContext;
  #left: number;

  constructor(context: PosixContext, maximumEntries = MAXIMUM_ENTRIES) {
    this.#context = context;
    this.#left = maximumEntries;
  }

  /** @returns the stored path beneath the root, "" for the root itself */
  async find(inode: bigint, reference: Buffer): Promise<string | undefined> {
    const end = reference.length < 2 ? 0 : 2 + reference.readUInt16LE();
    if (end < 2 || end > reference.length) return undefined;
    const handle = reference.subarray(2, end);
    const path = decodeStored(reference, end);
    if (this.#is(path, handle)) return path;
    if (isHandleAlive(this.#context.root, handle) === false) return undefined;
    const folder = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
    const near = this.#look(folder === "" ? "." : folder, inode, handle).found;
    return near ?? (await this.#walk(inode, handle));
  }

  async #walk(inode: bigint, handle: Buffer): Promise<string | undefined> {
    let turn = this.#left;
    const waiting = ["."];
    for (let folder = waiting.shift(); folder !== undefined && this.#left > 0; folder = waiting.shift()) {
      const { found, folders } = this.#look(folder, inode, handle);
      if (found !== undefined) return found;
      waiting.push(...folders);
      if (turn - this.#left < ENTRIES_AT_ONCE) continue;
      turn = this.#left;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#left <= 0) {
      const { logger } = this.#context;
      logger.warn(
        { inode: inode.toString() },
        "a file was renamed, and is looked for no further: the folders hold too much",
      );
    }
    return undefined;
  }

  /** Looks through one folder, and names the folders in it. */
  #look(folder: string, inode: bigint, handle: Buffer): { found: string | undefined; folders: string[] } {
    const folders: string[] = [];
    const fd = openBeneath(this.#context.root, folder, FOLDER);
    if (fd < 0) return { found: undefined, folders };
    try {
      const reader = new DirectoryReader(fd);
      for (let name = reader.next(); typeof name === "string" && this.#left > 0; name = reader.next()) {
        this.#left--;
        const path = join(folder, name);
        if (reader.inode === inode && this.#is(path, handle)) return { found: path, folders };
        const mayBeFolder = reader.type === EntryType.DIRECTORY || reader.type === EntryType.UNKNOWN;
        if (mayBeFolder && !isPrivateName(name)) folders.push(path);
      }
    } finally {
      close(fd);
    }
    return { found: undefined, folders };
  }

  /** Whether a path leads to the file of a handle. */
  #is(path: string, handle: Buffer): boolean {
    const fd = openBeneath(this.#context.root, path === "" ? "." : path, OpenFlag.PATH | OpenFlag.NOFOLLOW);
    if (fd < 0) return false;
    const own = handleOf(fd);
    close(fd);
    return typeof own !== "number" && own.equals(handle);
  }
}
