// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";
import type { Volume, VolumeStream } from "../vfs/volume.ts";
import { copyRange } from "./copier.ts";
import type { CopyWay } from "./operations.ts";
import type { TokenSource } from "./token-source.ts";

export interface CopyTarget {
  readonly volume: Volume;
  readonly stream: VolumeStream;
}

/** How much one call may do. */
export interface CopyBudget {
  /** Bytes that may really move. */
  readonly bytes: number;
  /** False once the client has gone, or time has run out: what is done is then all that is done. */
  readonly goesOn: () => boolean;
}

export interface CopyProgress {
  /** Bytes, from the beginning of the range. */
  done: number;
  readonly ways: Map<CopyWay, number>;
}

/** Bytes shared by one call, so that a file in very many pieces does not hold a worker for long. */
const CLONE_PIECE = 1024 ** 3;
/** Bytes copied by one call. */
const COPY_PIECE = 8 * 1024 * 1024;
/** Bytes of zeros; no data move. */
const ZERO_PIECE = 16 * 1024 ** 4;

/**
 * Brings bytes of a source into a file by the cheapest way that works: zeros as zeros, shared blocks, a copy by the storage or
 * the kernel, a copy through memory. Stops early when the budget is used up, after one piece at least.
 * @throws SmbError what the storage throws, where nothing has been done before
 */
export async function copyFromSource(
  source: TokenSource,
  sourceOffset: number,
  target: CopyTarget,
  offset: number,
  length: number,
  budget: CopyBudget,
): Promise<CopyProgress> {
  const progress: CopyProgress = { done: 0, ways: new Map() };
  let moved = 0;
  let mayShare = target.volume.clone !== undefined;
  while (progress.done < length && moved < budget.bytes && (progress.done === 0 || budget.goesOn())) {
    const from = sourceOffset + progress.done;
    const to = offset + progress.done;
    const rest = length - progress.done;
    try {
      const shared = mayShare ? await shareSome(source, from, target, to, rest) : 0;
      if (shared > 0) {
        note(progress, "reflink", shared);
        continue;
      }
      // A piece that begins or ends inside a block is copied, up to where blocks can be shared again.
      const piece = mayShare ? untilShared(target.volume, from, to, rest) : Math.min(COPY_PIECE, rest);
      if (piece === undefined) {
        mayShare = false;
        continue;
      }
      if (shared < 0) mayShare = false;
      const way = await copySome(source, from, target.stream, to, Math.min(piece, COPY_PIECE));
      note(progress, way, Math.min(piece, COPY_PIECE));
      if (way !== "zero") moved += Math.min(piece, COPY_PIECE);
    } catch (error) {
      // The client learns of the failure when it goes on from where it stands.
      if (progress.done === 0) throw error;
      break;
    }
  }
  return progress;
}

function note(progress: CopyProgress, way: CopyWay, bytes: number): void {
  progress.done += bytes;
  progress.ways.set(way, (progress.ways.get(way) ?? 0) + bytes);
}

/** Bytes shared; 0 where the range does not begin with whole blocks, -1 where these two files share none. */
async function shareSome(
  source: TokenSource,
  from: number,
  target: CopyTarget,
  to: number,
  length: number,
): Promise<number> {
  const { clone, info } = target.volume;
  const unit = info.allocationUnit;
  if (clone === undefined || source.stream === target.stream) return -1;
  if (from % unit !== 0 || to % unit !== 0) return 0;
  const whole = Math.min(length, CLONE_PIECE) - (Math.min(length, CLONE_PIECE) % unit);
  if (length <= CLONE_PIECE && whole < length) {
    // The tail can be shared where it is the end of both files.
    const [{ endOfFile: sourceEnd }, { endOfFile: targetEnd }] = [
      await source.stream.size(),
      await target.stream.size(),
    ];
    const ends = from + length === sourceEnd && to + length >= targetEnd;
    if (ends && (await clone.clone(source.stream, from, target.stream, to, length))) return length;
  }
  if (whole === 0) return 0;
  return (await clone.clone(source.stream, from, target.stream, to, whole)) ? whole : -1;
}

/** Bytes to copy before whole blocks follow again; `undefined` where the two ranges are shifted against each other. */
function untilShared(volume: Volume, from: number, to: number, length: number): number | undefined {
  const unit = volume.info.allocationUnit;
  if (from % unit !== to % unit) return undefined;
  const rest = from % unit === 0 ? length : Math.min(length, unit - (from % unit));
  return rest;
}

async function copySome(
  source: TokenSource,
  from: number,
  target: VolumeStream,
  to: number,
  length: number,
): Promise<CopyWay> {
  if ((await source.stream.isKnownZero?.({ offset: from, length })) === true) {
    await writeZeros(target, to, length);
    return "zero";
  }
  const { bytes, way } = await copyRange(source.stream, from, target, to, length);
  if (bytes < length) throw new SmbError(NtStatus.INVALID_TOKEN, "the data of the token end early");
  return way;
}

/** Makes a range zero, and the file as long as that. @returns bytes done */
export async function writeZeros(target: VolumeStream, offset: number, length: number): Promise<number> {
  const count = Math.min(length, ZERO_PIECE);
  const { endOfFile } = await target.size();
  if (offset < endOfFile) await target.zero({ offset, length: Math.min(count, endOfFile - offset) });
  if (offset + count > endOfFile) await target.setEndOfFile(offset + count);
  return count;
}
