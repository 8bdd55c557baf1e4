// SPDX-License-Identifier: Apache-2.0

import { readFully, writeFully } from "./data-io.ts";
import { check, Errno } from "./errno.ts";
import { mustStat } from "./must-stat.ts";
import { copyRange, FallocateMode, fallocate, isUnsupported, Seek, seek, type Transfer } from "./native/data.ts";

/** Bytes copied by one call, so that a worker is not held for long: callers that have to do with slow storage ask for less. */
const PIECE = 32 * 1024 * 1024;
/** Bytes of the buffer where the kernel cannot copy. */
const BUFFER = 1024 * 1024;

/** Bytes; less is copied sooner than room for it is reserved. */
const WORTH_RESERVING = 1024 * 1024;

export interface CopyTarget {
  /** Holes of the source become holes of the target. */
  readonly sparse: boolean;
  /**
   * Present where the file system copies faster into room that it has reserved before, for all of a range at once. Called where
   * such room may be left over: the source became shorter meanwhile, or could not be read.
   */
  readonly roomLeft: (() => void) | undefined;
}

/**
 * Copies a range between two open files, on worker threads. Overlapping ranges of one file give the source as it was.
 * @returns bytes copied; short only at the end of the source
 */
export async function copyBetween(wanted: Transfer, options: CopyTarget): Promise<number> {
  const { source, sourceOffset, target, offset } = wanted;
  const from = mustStat(source);
  const to = mustStat(target);
  const length = Math.max(0, Math.min(wanted.length, from.size - sourceOffset));
  if (length === 0) return 0;
  const transfer = { ...wanted, length };
  const same = from.inode === to.inode && from.deviceMajor === to.deviceMajor && from.deviceMinor === to.deviceMinor;
  if (same && sourceOffset < offset + length && offset < sourceOffset + length) return copyOverlapping(transfer);
  if (options.sparse) return copyExtents(transfer, options, makeHole);
  return from.allocated < from.size ? copyExtents(transfer, options, leaveHole) : copyExtent(transfer, options);
}

/** The part that begins `done` bytes into a transfer. */
function part(transfer: Transfer, done: number, length: number): Transfer {
  return { ...transfer, sourceOffset: transfer.sourceOffset + done, offset: transfer.offset + done, length };
}

/** Moves within one file, from the end that the other range does not run into. */
async function copyOverlapping({ source, sourceOffset, target, offset, length }: Transfer): Promise<number> {
  if (sourceOffset === offset) return length;
  const buffer = Buffer.allocUnsafe(Math.min(BUFFER, length));
  const forward = offset < sourceOffset;
  for (let done = 0; done < length; ) {
    const count = Math.min(buffer.length, length - done);
    const at = forward ? done : length - done - count;
    const piece = buffer.subarray(0, count);
    const got = await readFully(source, sourceOffset + at, piece);
    // The file became shorter meanwhile; what was there is zeros to every later reader.
    piece.fill(0, got);
    await writeFully(target, offset + at, piece);
    done += count;
  }
  return length;
}

/** Copies extent by extent, with what is to be done where the source has a hole. */
async function copyExtents(
  transfer: Transfer,
  options: CopyTarget,
  copyHole: (hole: Transfer) => Promise<void>,
): Promise<number> {
  const { source, sourceOffset, length } = transfer;
  for (let done = 0; done < length; ) {
    const found = seek(source, sourceOffset + done, Seek.DATA);
    if (isUnsupported(found)) return done + (await copyData(part(transfer, done, length - done)));
    const isLast = found === -Errno.ENXIO;
    const data = Math.min((isLast ? mustStat(source).size : check(found, "lseek")) - sourceOffset, length);
    if (data > done) await copyHole(part(transfer, done, data - done));
    if (isLast || data >= length) return Math.max(done, data);
    const end = seek(source, sourceOffset + data, Seek.HOLE);
    // The source has become shorter meanwhile.
    if (end === -Errno.ENXIO) return data;
    const hole = Math.min(check(end, "lseek") - sourceOffset, length);
    const copied = await copyExtent(part(transfer, data, hole - data), options);
    if (copied < hole - data) return data + copied;
    done = hole;
  }
  return length;
}

/** Brings the zeros of a hole into a target that is not to get holes: it may keep those that it has. */
async function leaveHole(hole: Transfer): Promise<void> {
  const { target, offset, length } = hole;
  const size = await extend(target, offset + length);
  if (!isHole(target, offset, Math.min(offset + length, size))) await copyData(hole);
}

/** Makes a file so long at least. @returns how long it was */
async function extend(target: number, end: number): Promise<number> {
  const { size } = mustStat(target);
  // A byte at its end extends the file; setting the size could cut what another write has just added.
  if (size < end) await writeFully(target, end - 1, Buffer.alloc(1));
  return size;
}

/** Punches a hole, or leaves one where the target ends before it. */
async function makeHole({ target, offset, length }: Transfer): Promise<void> {
  const size = await extend(target, offset + length);
  const result = await fallocate(target, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, offset, length);
  if (!isUnsupported(result)) {
    check(result, "fallocate");
    return;
  }
  // Beyond the old end there are zeros already.
  const count = Math.min(length, size - offset);
  const zeros = Buffer.alloc(Math.max(0, Math.min(BUFFER, count)));
  for (let done = 0; done < count; done += zeros.length) {
    await writeFully(target, offset + done, zeros.subarray(0, Math.min(zeros.length, count - done)));
  }
}

async function copyExtent(transfer: Transfer, { roomLeft }: CopyTarget): Promise<number> {
  const { target, offset, length } = transfer;
  const isWorthIt = roomLeft !== undefined && length >= WORTH_RESERVING && isHole(target, offset, offset + length);
  if (!isWorthIt) return copyData(transfer);
  // Where there is not enough room, the copy fills what was reserved nevertheless, and says so itself.
  await fallocate(target, FallocateMode.KEEP_SIZE, offset, length);
  let copied = 0;
  try {
    copied = await copyData(transfer);
    return copied;
  } finally {
    if (copied < length) roomLeft();
  }
}

function isHole(fd: number, offset: number, end: number): boolean {
  const data = seek(fd, offset, Seek.DATA);
  return data === -Errno.ENXIO || data >= end;
}

async function copyData(transfer: Transfer): Promise<number> {
  const { length } = transfer;
  let done = 0;
  while (done < length) {
    const count = await copyRange(part(transfer, done, Math.min(PIECE, length - done)));
    if (count === 0) return done;
    if (isUnsupported(count) || count === -Errno.EBADF) {
      return done + (await copyThroughBuffer(part(transfer, done, length - done)));
    }
    if (count !== -Errno.EINTR) done += check(count, "copy_file_range");
  }
  return done;
}

async function copyThroughBuffer({ source, sourceOffset, target, offset, length }: Transfer): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(BUFFER, length));
  let done = 0;
  while (done < length) {
    const piece = buffer.subarray(0, Math.min(buffer.length, length - done));
    const got = await readFully(source, sourceOffset + done, piece);
    if (got === 0) break;
    await writeFully(target, offset + done, buffer.subarray(0, got));
    done += got;
  }
  return done;
}
