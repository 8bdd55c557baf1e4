// SPDX-License-Identifier: Apache-2.0

import { chain } from "../nt/awaitable.ts";
import type { TellCopied, VolumeStream } from "../vfs/volume.ts";
import type { CopyWay } from "./operations.ts";

/** Bytes; holes of a source are found in steps of this size. */
const HOLE_STEP = 64 * 1024;
/** Bytes of zeros written at once; no data move. */
export const ZERO_PIECE = 16 * 1024 ** 4;
/** Bytes in memory while data go from one volume to another. */
const BUFFER_SIZE = 1024 * 1024;

export interface Copied {
  /** Bytes; short only at the source's end of file. */
  readonly bytes: number;
  /** Bytes by who has brought them. */
  readonly ways: ReadonlyMap<CopyWay, number>;
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
  const ways = new Map<CopyWay, number>();
  const tell: TellCopied = (by, bytes) => ways.set(by, (ways.get(by) ?? 0) + bytes);
  const byStorage = target.copyFrom(source, sourceOffset, targetOffset, length, tell);
  if (byStorage !== undefined) return { bytes: await byStorage, ways };
  let done = 0;
  let buffer: Buffer | undefined;
  while (done < length) {
    const { bytes, zero } = await nextRun(source, sourceOffset + done, length - done);
    if (zero) {
      await writeZeros(target, targetOffset + done, bytes);
      tell("zero", bytes);
      done += bytes;
      continue;
    }
    buffer ??= Buffer.allocUnsafeSlow(Math.min(BUFFER_SIZE, length));
    const piece = buffer.subarray(0, bytes);
    const count = await source.read(sourceOffset + done, piece);
    if (count === 0) break;
    await target.write(targetOffset + done, piece.subarray(0, count));
    tell("process", count);
    done += count;
  }
  return { bytes: done, ways };
}

/** The bytes from an offset on that are zeros without being stored, or that have to be read: what fits the buffer at most. */
async function nextRun(
  source: VolumeStream,
  offset: number,
  length: number,
): Promise<{ readonly bytes: number; readonly zero: boolean }> {
  const most = Math.min(BUFFER_SIZE, length);
  if (source.isKnownZero === undefined) return { bytes: most, zero: false };
  const { endOfFile } = await source.size();
  // Behind its end a source is no zeros: it is over.
  const readable = Math.min(length, endOfFile - offset);
  if (readable <= 0) return { bytes: most, zero: false };
  if (await source.isKnownZero({ offset, length: readable })) return { bytes: readable, zero: true };
  let bytes = 0;
  let zero: boolean | undefined;
  while (bytes < Math.min(most, readable)) {
    const step = Math.min(HOLE_STEP - ((offset + bytes) % HOLE_STEP), readable - bytes, most - bytes);
    const isZero = await source.isKnownZero({ offset: offset + bytes, length: step });
    zero ??= isZero;
    if (zero !== isZero) break;
    bytes += step;
  }
  return { bytes, zero: zero === true };
}

/** Makes a range zero, and the file as long as that. @returns bytes done */
export async function writeZeros(target: VolumeStream, offset: number, length: number): Promise<number> {
  const count = Math.min(length, ZERO_PIECE);
  const { endOfFile } = await target.size();
  if (offset < endOfFile) await target.zero({ offset, length: Math.min(count, endOfFile - offset) });
  // Asked again, and acted upon at once: whoever has made the file longer meanwhile must not lose that.
  const extended = chain(target.size(), ({ endOfFile: end }) =>
    offset + count > end ? target.setEndOfFile(offset + count) : undefined,
  );
  await extended;
  return count;
}
