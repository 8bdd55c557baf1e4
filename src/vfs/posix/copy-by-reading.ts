// SPDX-License-Identifier: Apache-2.0

import type { VolumeStream } from "../volume.ts";

/** Bytes copied at a time. */
const PIECE = 1024 * 1024;

/**
 * Copies between streams of which one at least is no file of its own. Overlapping ranges of one stream give the source as
 * it was.
 * @returns bytes copied; short only at the end of the source
 */
export async function copyByReading(
  source: VolumeStream,
  sourceOffset: number,
  target: VolumeStream,
  offset: number,
  length: number,
): Promise<number> {
  const { endOfFile } = await source.size();
  const total = Math.max(0, Math.min(length, endOfFile - sourceOffset));
  const backward = source.name === target.name && sourceOffset < offset;
  const buffer = Buffer.allocUnsafe(Math.min(PIECE, total));
  for (let done = 0; done < total; ) {
    const count = Math.min(buffer.length, total - done);
    const at = backward ? total - done - count : done;
    const piece = buffer.subarray(0, count);
    const got = await source.read(sourceOffset + at, piece);
    piece.fill(0, got);
    await target.write(offset + at, piece);
    done += count;
  }
  return total;
}
