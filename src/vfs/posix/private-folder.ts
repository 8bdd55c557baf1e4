// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { check, Errno } from "./errno.ts";
import { DirectoryReader } from "./native/directory.ts";
import { close, makeDirectory, OpenFlag, openBeneath } from "./native/files.ts";
import { statOpen } from "./native/stat.ts";

/** Folders beneath the root of a share that hold what is not for clients. */
export const STREAM_FOLDER = ".tessera-streams";
export const PIN_FOLDER = ".tessera-pins";

const folded = new Set([STREAM_FOLDER, PIN_FOLDER].map(foldName));
const lengths = new Set([STREAM_FOLDER.length, PIN_FOLDER.length]);

/** Whether a name is one that no client may use, in any directory: the share of one folder may lie within another's. */
export function isPrivateName(name: string): boolean {
  return lengths.has(name.length) && folded.has(foldName(name));
}

const FOLDER_FLAGS = OpenFlag.PATH | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

/**
 * Runs a call with a private folder open; `absent` is its result when the folder is not there and need not be.
 * @throws SmbError ACCESS_DENIED the folder is somebody else's
 */
export function insidePrivateFolder<T>(
  root: number,
  folder: string,
  create: boolean,
  absent: T,
  call: (base: number) => T,
): T {
  let base = openBeneath(root, folder, FOLDER_FLAGS);
  if (base === -Errno.ENOENT) {
    if (!create) return absent;
    const made = makeDirectory(root, folder, 0o700);
    if (made !== -Errno.EEXIST) check(made, "mkdirat");
    base = openBeneath(root, folder, FOLDER_FLAGS);
  }
  check(base, `open ${folder}`);
  try {
    const stat = statOpen(base);
    // Somebody else's folder of this name could hold links to anywhere: nothing is read from it, nothing put there.
    if (typeof stat === "number" || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0) {
      if (create) throw new SmbError(NtStatus.ACCESS_DENIED, `${folder} is not the server's own`);
      return absent;
    }
    return call(base);
  } finally {
    close(base);
  }
}

/** The names in a directory beneath an open one; none where there is no such directory. */
export function entriesOf(base: number, path: string): string[] {
  const fd = openBeneath(base, path, OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW);
  if (fd === -Errno.ENOENT) return [];
  check(fd, "open private folder");
  const entries: string[] = [];
  try {
    const reader = new DirectoryReader(fd);
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      if (typeof entry === "number") check(entry, "getdents64");
      else entries.push(entry);
    }
  } finally {
    close(fd);
  }
  return entries;
}
