// SPDX-License-Identifier: Apache-2.0

import { truncate } from "./native/data.ts";
import { close, OpenFlag, openOwn } from "./native/files.ts";
import { type Statx, statOpen } from "./native/stat.ts";

/** Changes that are looked at one by one. */
const ROUNDS = 8;
/** Nanoseconds; no clock of the kernel ticks that often. */
const BELOW_ANY_TICK = 500_000;

/**
 * Whether the file system gives a file whose times have been looked at other ones with its next change, however soon that
 * comes: multigrain timestamps, of XFS, ext4, btrfs and tmpfs since Linux 6.13. Elsewhere changes within one tick of the clock
 * look alike. Tried on a file that never has a name; false where there can be none.
 */
export function hasFineTimes(root: number): boolean {
  const fd = openOwn(root, ".", OpenFlag.TMPFILE | OpenFlag.RDWR, 0o600);
  if (fd < 0) return false;
  try {
    let smallest = Number.POSITIVE_INFINITY;
    let before: Statx | number = statOpen(fd);
    for (let round = 1; round <= ROUNDS; round++) {
      if (truncate(fd, round) < 0) return false;
      const after = statOpen(fd);
      if (typeof before === "number" || typeof after === "number") return false;
      const step =
        (after.changeSeconds - before.changeSeconds) * 1e9 + after.changeNanoseconds - before.changeNanoseconds;
      if (step <= 0) return false;
      smallest = Math.min(smallest, step);
      before = after;
    }
    return smallest < BELOW_ANY_TICK;
  } finally {
    close(fd);
  }
}
