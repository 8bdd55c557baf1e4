// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import type { ByteRange, Volume, VolumeStream } from "../vfs/volume.ts";
import { type Copied, copyRange, writeZeros } from "./copier.ts";
import type { CopyWay } from "./operations.ts";
import type { Place } from "./preserved-ranges.ts";
import { invalidToken } from "./refusal.ts";
import type { TokenSource } from "./token-source.ts";

export interface CopyTarget {
  readonly volume: Volume;
  readonly stream: VolumeStream;
  /** Runs a change of a range of the stream. */
  change<T>(range: ByteRange, work: () => Awaitable<T>): Awaitable<T>;
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

interface Piece {
  /** 0 where the data moved elsewhere while they were read. */
  readonly bytes: number;
  readonly ways: ReadonlyMap<CopyWay, number>;
  /** It is worth trying to share the next blocks. */
  readonly mayShare: boolean;
}

/**
 * Brings bytes of a source into a file by the cheapest way that works: zeros as zeros, shared blocks, a copy by the storage or
 * the kernel, a copy through memory. Stops early when the budget is used up, after one piece at least.
 * @throws SmbError INVALID_TOKEN the data of the source are lost: what has been written is worth nothing
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
    const most = Math.min(length - progress.done, mayShare ? CLONE_PIECE : COPY_PIECE);
    try {
      // The range of the change may hold data of the source itself: where those are is known when they have been kept.
      const piece = await target.change({ offset: to, length: most }, () =>
        copyPiece(source, from, target, to, most, mayShare),
      );
      mayShare = piece.mayShare;
      if (source.lost !== undefined) break;
      note(progress, piece);
      moved += (piece.ways.get("kernel") ?? 0) + (piece.ways.get("process") ?? 0);
    } catch (error) {
      // The client learns of the failure when it goes on from where it stands.
      if (progress.done === 0) throw error;
      break;
    }
  }
  if (source.lost !== undefined) throw invalidToken(source.lost);
  return progress;
}

function note(progress: CopyProgress, piece: Piece): void {
  if (piece.bytes === 0) return;
  progress.done += piece.bytes;
  for (const [way, bytes] of piece.ways) progress.ways.set(way, (progress.ways.get(way) ?? 0) + bytes);
}

/** What was brought in one way only. */
const allBy = (way: CopyWay, bytes: number) => ({ bytes, ways: new Map([[way, bytes]]) });

async function copyPiece(
  source: TokenSource,
  from: number,
  target: CopyTarget,
  to: number,
  length: number,
  mayShare: boolean,
): Promise<Piece> {
  // The change itself may have been what ended the token: nothing is written then.
  if (source.lost !== undefined) throw invalidToken(source.lost);
  const place = source.locate(from, length);
  const piece = await copyPlace(place, target, to, mayShare);
  return place.from === source.stream && !source.isUntouched(from, piece.bytes) ? { ...piece, bytes: 0 } : piece;
}

async function copyPlace(place: Place, target: CopyTarget, to: number, mayShare: boolean): Promise<Piece> {
  const { from, offset, length } = place;
  if (from === undefined) {
    return { ...allBy("zero", await writeZeros(target.stream, to, length)), mayShare };
  }
  if (Buffer.isBuffer(from)) {
    await target.stream.write(to, from.subarray(offset, offset + length));
    return { ...allBy("process", length), mayShare };
  }
  const shared = mayShare ? await shareSome(from, offset, target, to, length) : 0;
  if (shared > 0) return { ...allBy("reflink", shared), mayShare };
  // A piece that begins or ends inside a block is copied, up to where blocks can be shared again.
  const piece = mayShare && shared === 0 ? untilShared(target.volume, offset, to, length) : undefined;
  const bytes = Math.min(piece ?? length, COPY_PIECE);
  const copied = await copySome(from, offset, target.stream, to, bytes);
  return { ...copied, mayShare: mayShare && piece !== undefined };
}

/** Bytes shared; 0 where the range does not begin with whole blocks, -1 where these two files share none. */
async function shareSome(
  source: VolumeStream,
  from: number,
  target: CopyTarget,
  to: number,
  length: number,
): Promise<number> {
  const { clone, info } = target.volume;
  const unit = info.allocationUnit;
  if (clone === undefined || source === target.stream) return -1;
  if (from % unit !== 0 || to % unit !== 0) return 0;
  const whole = Math.min(length, CLONE_PIECE) - (Math.min(length, CLONE_PIECE) % unit);
  if (length <= CLONE_PIECE && whole < length) {
    // The tail can be shared where it is the end of both files.
    const [{ endOfFile: sourceEnd }, { endOfFile: targetEnd }] = [await source.size(), await target.stream.size()];
    const ends = from + length === sourceEnd && to + length >= targetEnd;
    if (ends && (await clone.clone(source, from, target.stream, to, length))) return length;
  }
  if (whole === 0) return 0;
  return (await clone.clone(source, from, target.stream, to, whole)) ? whole : -1;
}

/** Bytes to copy before whole blocks follow again; `undefined` where the two ranges are shifted against each other. */
function untilShared(volume: Volume, from: number, to: number, length: number): number | undefined {
  const unit = volume.info.allocationUnit;
  if (from % unit !== to % unit) return undefined;
  return from % unit === 0 ? length : Math.min(length, unit - (from % unit));
}

async function copySome(
  source: VolumeStream,
  from: number,
  target: VolumeStream,
  to: number,
  length: number,
): Promise<Copied> {
  if ((await source.isKnownZero?.({ offset: from, length })) === true) {
    await writeZeros(target, to, length);
    return allBy("zero", length);
  }
  const copied = await copyRange(source, from, target, to, length);
  if (copied.bytes < length) throw new SmbError(NtStatus.INVALID_TOKEN, "the data of the token end early");
  return copied;
}
