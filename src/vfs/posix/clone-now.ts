// SPDX-License-Identifier: Apache-2.0

import { Errno } from "./errno.ts";
import { cloneRangeNow, countExtents, Seek, seek, type Transfer, unwrittenPages } from "./native/data.ts";
import type { Storage } from "./storage.ts";

/** Bytes: looking for pages that are not on the disk takes the longer, the more there may be. */
const MOST_BYTES = 16 * 1024 * 1024;
/** Each one takes some 10 µs. */
const MOST_EXTENTS = 16;

/**
 * FICLONERANGE on the calling thread, where it is known to be a matter of microseconds, less than a turn through a worker: the data of
 * the source are on the disk, in a few extents, and the target has none that would have to go.
 * @returns 0 or a negated error number; `undefined`: it may take longer, and has not been tried
 */
export function cloneNow(transfer: Transfer, storage: Storage): number | undefined {
  const { source, sourceOffset, target, offset, length } = transfer;
  if (length > MOST_BYTES || !storage.mayCloneNow()) return undefined;
  if (sourceOffset % storage.blockSize !== 0 || offset % storage.blockSize !== 0) return undefined;
  const data = seek(target, offset, Seek.DATA);
  if (data !== -Errno.ENXIO && data < offset + length) return undefined;
  // Linux before 6.5 cannot tell, and shares on a worker.
  if (unwrittenPages(source, sourceOffset, length) !== 0) return undefined;
  const extents = countExtents(source, sourceOffset, length);
  if (extents < 0 || extents > MOST_EXTENTS) return undefined;
  return storage.timed(() => cloneRangeNow(transfer));
}
