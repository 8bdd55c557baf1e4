// SPDX-License-Identifier: Apache-2.0

import type { PosixContext } from "./context.ts";
import { DirectoryReader, EntryType } from "./native/directory.ts";
import { close, OpenFlag, openBeneath } from "./native/files.ts";
import { FileType, type Statx, statName, statOpen } from "./native/stat.ts";
import { isPrivateName } from "./private-folder.ts";
import { SpillFolder } from "./spill.ts";

/** Directories read between two turns of the event loop. */
const DIRECTORIES_PER_TURN = 16;

/**
 * Removes large streams whose file was removed behind the server's back. A file counts as gone when it is found neither
 * in one walk of the share nor in a second one, and nothing was renamed through the server meanwhile.
 *
 * @returns how many files' streams were removed
 */
export async function sweepStreams(context: PosixContext, signal?: AbortSignal): Promise<number> {
  const { moves, spill } = context;
  const before = moves.count;
  let missing = new Set(spill.folders());
  for (let walk = 0; walk < 2 && missing.size > 0; walk++) {
    const left = await unseen(context, missing, signal);
    if (left === undefined || moves.count !== before) return 0;
    missing = left;
  }
  for (const folder of missing) spill.discard(folder);
  return missing.size;
}

/** Which sub-folders no file of the share owns; `undefined` when a part of the share could not be read. */
async function unseen(
  context: PosixContext,
  folders: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Set<string> | undefined> {
  const left = new Set(folders);
  const see = (stat: Statx): void => {
    const folder = SpillFolder.folderOf(context.ids.keyOf(stat), stat);
    if (folder !== undefined) left.delete(folder);
  };
  const rootStat = statOpen(context.root);
  if (typeof rootStat === "number") return undefined;
  see(rootStat);
  const queue = [""];
  let read = 0;
  for (let path = queue.pop(); path !== undefined && left.size > 0; path = queue.pop()) {
    if (++read % DIRECTORIES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted === true) return undefined;
    const flags = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
    const fd = openBeneath(context.root, path === "" ? "." : path, flags);
    // A directory that cannot be read may hold the owner of any of them.
    if (fd < 0) return undefined;
    try {
      const reader = new DirectoryReader(fd);
      for (let name = reader.next(); name !== undefined; name = reader.next()) {
        if (typeof name === "number") return undefined;
        if (isPrivateName(name)) continue;
        const { type } = reader;
        if (type !== EntryType.REGULAR && type !== EntryType.DIRECTORY && type !== EntryType.UNKNOWN) continue;
        const stat = statName(fd, name);
        if (typeof stat === "number") continue;
        see(stat);
        if (stat.type === FileType.DIRECTORY) queue.push(path === "" ? name : `${path}/${name}`);
      }
    } finally {
      close(fd);
    }
  }
  return left;
}
