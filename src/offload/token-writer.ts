// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import type { ByteRange, Volume, VolumeStream } from "../vfs/volume.ts";
import { type Copied, copyRange, writeZeros, ZERO_PIECE } from "./copier.ts";
import type { CopyWay } from "./operations.ts";
import { PieceSize } from "./piece-size.ts";
import type { Place } from "./preserved-ranges.ts";
import { invalidToken } from "./refusal.ts";
import type { TokenSource } from "./token-source.ts";

export interface CopyTarget {
  readonly volume: Pick<Volume, "clone" | "info">;
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
  /** Milliseconds. */
  readonly now: () => number;
}

export interface CopyProgress {
  /** Bytes, from the beginning of the range. */
  done: number;
  readonly ways: Map<CopyWay, number>;
}

/** Bytes shared by one call, so that a file in very many pieces does not hold a worker for long. */
const CLONE_PIECE = 1024 ** 3;
/** Bytes that are looked at for zeros at first; twice as many each time. */
const FIRST_ZEROS = 8 * 1024 * 1024;

interface Piece {
  /** 0 where the source was changed while it was read: its old data are elsewhere now, and are copied from there next. */
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
  const size = new PieceSize();
  const zeroSize = new PieceSize(ZERO_PIECE);
  let moved = 0;
  let mayShare = target.volume.clone !== undefined;
  while (progress.done < length && moved < budget.bytes && (progress.done === 0 || budget.goesOn())) {
    const from = sourceOffset + progress.done;
    const to = offset + progress.done;
    const rest = length - progress.done;
    const began = budget.now();
    try {
      const zeros = mayShare ? 0 : await countZeros(source, from, Math.min(rest, zeroSize.next(rest)));
      const mayMove = size.next(budget.bytes - moved);
      const most = Math.min(rest, mayShare ? CLONE_PIECE : zeros > 0 ? zeros : mayMove);
      // The range of the change may hold data of the source itself: where those are is known when they have been kept.
      const piece = await target.change({ offset: to, length: most }, () =>
        copyPiece(source, from, target, to, most, { mayShare, mayMove }),
      );
      mayShare = piece.mayShare;
      if (source.lost !== undefined) break;
      note(progress, piece);
      if (piece.bytes === 0) size.failed();
      const copied = (piece.ways.get("kernel") ?? 0) + (piece.ways.get("process") ?? 0);
      moved += copied;
      const took = budget.now() - began;
      if (copied > 0) size.took(copied, took);
      else if (zeros > 0) zeroSize.took(piece.bytes, took);
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

/** Bytes from an offset on that are known to be zeros, in steps that grow; they may be more. */
async function countZeros(source: TokenSource, offset: number, length: number): Promise<number> {
  const place = source.locate(offset, Math.min(length, ZERO_PIECE));
  if (place.from === undefined) return place.length;
  if (Buffer.isBuffer(place.from) || place.from.isKnownZero === undefined) return 0;
  let zeros = 0;
  for (let step = FIRST_ZEROS; zeros < place.length; step *= 2) {
    const tried = Math.min(step, place.length);
    if (!(await place.from.isKnownZero({ offset: place.offset, length: tried }))) break;
    zeros = tried;
  }
  return zeros;
}

interface Manner {
  readonly mayShare: boolean;
  /** Bytes. */
  readonly mayMove: number;
}

async function copyPiece(
  source: TokenSource,
  from: number,
  target: CopyTarget,
  to: number,
  length: number,
  manner: Manner,
): Promise<Piece> {
  // The change itself may have been what ended the token: nothing is written then.
  if (source.lost !== undefined) throw invalidToken(source.lost);
  const place = source.locate(from, length);
  const wasChanged = (bytes: number) => place.from === source.stream && !source.isUntouched(from, bytes);
  try {
    const piece = await copyPlace(place, target, to, manner);
    return wasChanged(piece.bytes) ? { ...piece, bytes: 0 } : piece;
  } catch (error) {
    // Somebody has made the source shorter than it was located: what that took away has been kept elsewhere before.
    const isKept = source.lost === undefined && wasChanged(place.length);
    if (!isKept) throw error;
    return { bytes: 0, ways: new Map(), mayShare: manner.mayShare };
  }
}

async function copyPlace(place: Place, target: CopyTarget, to: number, { mayShare, mayMove }: Manner): Promise<Piece> {
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
  const copied = await copySome(from, offset, target.stream, to, piece ?? length, mayMove);
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
function untilShared({ info }: CopyTarget["volume"], from: number, to: number, length: number): number | undefined {
  const unit = info.allocationUnit;
  if (from % unit !== to % unit) return undefined;
  return from % unit === 0 ? length : Math.min(length, unit - (from % unit));
}

/** All of it where it is known to be zeros, else no more than `most` bytes. */
async function copySome(
  source: VolumeStream,
  from: number,
  target: VolumeStream,
  to: number,
  length: number,
  most: number,
): Promise<Copied> {
  if ((await source.isKnownZero?.({ offset: from, length })) === true) {
    return allBy("zero", await writeZeros(target, to, length));
  }
  const wanted = Math.min(length, most);
  const copied = await copyRange(source, from, target, to, wanted);
  if (copied.bytes < wanted) throw new SmbError(NtStatus.INVALID_TOKEN, "the data of the token end early");
  return copied;
}
