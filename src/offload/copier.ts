// SPDX-License-Identifier: Apache-2.0

import type { VolumeStream } from "../vfs/volume.ts";
import type { CopyWay } from "./operations.ts";

/** Bytes in memory while data go from one volume to another. */
const BUFFER_SIZE = 1024 * 1024;

export interface Copied {
  /** Bytes; short only at the source's end of file. */
  readonly bytes: number;
  readonly way: CopyWay;
}

/**
 * Copies between two streams, on whatever volumes they are: by the target's storage where it can, else through memory of
 * bounded size. The ranges may overlap within one stream only where the storage copies.
 * @throws SmbError what reading or writing throws
 */
export async function copyRange(
  source: VolumeStream,
  sourceOffset: number,
  target: VolumeStream,
  targetOffset: number,
  length: number,
): Promise<Copied> {
  const byStorage = target.copyFrom(source, sourceOffset, targetOffset, length);
  if (byStorage !== undefined) return { bytes: await byStorage, way: "kernel" };
  let done = 0;
  const buffer = Buffer.allocUnsafeSlow(Math.min(BUFFER_SIZE, length));
  while (done < length) {
    const piece = buffer.subarray(0, Math.min(buffer.length, length - done));
    const count = await source.read(sourceOffset + done, piece);
    if (count === 0) break;
    await target.write(targetOffset + done, piece.subarray(0, count));
    done += count;
  }
  return { bytes: done, way: "process" };
}
