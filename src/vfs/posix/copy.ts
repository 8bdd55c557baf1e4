// SPDX-License-Identifier: Apache-2.0

import { readFully, writeFully } from "./data-io.ts";
import { check, Errno, errnoError } from "./errno.ts";
import { copyRange, FallocateMode, fallocate, isUnsupported, Seek, seek } from "./native/data.ts";
import { statOpen } from "./native/stat.ts";

/** Bytes copied by one call, so that a worker is not held for long: the most that one COPYCHUNK asks for. */
const PIECE = 16 * 1024 * 1024;
/** Bytes of the buffer where the kernel cannot copy. */
const BUFFER = 1024 * 1024;

export interface CopyTarget {
  /** Holes of the source become holes of the target. */
  readonly sparse: boolean;
}

/**
 * Copies a range between two open files, on worker threads. Overlapping ranges of one file give the source as it was.
 * @returns bytes copied; short only at the end of the source
 */
export async function copyBetween(
  source: number,
  sourceOffset: number,
  target: number,
  offset: number,
  length: number,
  options: CopyTarget,
): Promise<number> {
  const from = statOpen(source);
  const to = statOpen(target);
  if (typeof from === "number") throw errnoError(-from, "statx");
  if (typeof to === "number") throw errnoError(-to, "statx");
  const available = Math.max(0, Math.min(length, from.size - sourceOffset));
  if (available === 0) return 0;
  const same = from.inode === to.inode && from.deviceMajor === to.deviceMajor && from.deviceMinor === to.deviceMinor;
  if (same && sourceOffset < offset + available && offset < sourceOffset + available) {
    return copyOverlapping(source, sourceOffset, target, offset, available);
  }
  if (!options.sparse) return copyData(source, sourceOffset, target, offset, available);
  return copySparse(source, sourceOffset, target, offset, available);
}

/** Moves within one file, from the end that the other range does not run into. */
async function copyOverlapping(
  source: number,
  sourceOffset: number,
  target: number,
  offset: number,
  length: number,
): Promise<number> {
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

/** Copies extent by extent; holes are punched, or left where the target ends before them. */
async function copySparse(
  source: number,
  sourceOffset: number,
  target: number,
  offset: number,
  length: number,
): Promise<number> {
  const end = sourceOffset + length;
  for (let position = sourceOffset; position < end; ) {
    const found = seek(source, position, Seek.DATA);
    if (isUnsupported(found)) {
      const done = position - sourceOffset;
      return done + (await copyData(source, position, target, offset + done, length - done));
    }
    const data = found === -Errno.ENXIO ? end : Math.min(check(found, "lseek"), end);
    if (data > position) await makeHole(target, offset + position - sourceOffset, data - position);
    if (data >= end) break;
    const hole = Math.min(check(seek(source, data, Seek.HOLE), "lseek"), end);
    const at = offset + data - sourceOffset;
    const copied = await copyData(source, data, target, at, hole - data);
    if (copied < hole - data) return data - sourceOffset + copied;
    position = hole;
  }
  return length;
}

async function makeHole(target: number, offset: number, length: number): Promise<void> {
  const stat = statOpen(target);
  if (typeof stat === "number") throw errnoError(-stat, "statx");
  // A byte at its end extends the file; setting the size could cut what another write has just added.
  if (stat.size < offset + length) await writeFully(target, offset + length - 1, Buffer.alloc(1));
  const result = await fallocate(target, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, offset, length);
  if (!isUnsupported(result)) {
    check(result, "fallocate");
    return;
  }
  // Beyond the old end there are zeros already.
  const count = Math.min(length, stat.size - offset);
  const zeros = Buffer.alloc(Math.max(0, Math.min(BUFFER, count)));
  for (let done = 0; done < count; done += zeros.length) {
    await writeFully(target, offset + done, zeros.subarray(0, Math.min(zeros.length, count - done)));
  }
}

async function copyData(
  source: number,
  sourceOffset: number,
  target: number,
  offset: number,
  length: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await copyRange(source, sourceOffset + done, target, offset + done, Math.min(PIECE, length - done));
    if (count === 0) return done;
    if (isUnsupported(count) || count === -Errno.EBADF) {
      return done + (await copyThroughBuffer(source, sourceOffset + done, target, offset + done, length - done));
    }
    if (count !== -Errno.EINTR) done += check(count, "copy_file_range");
  }
  return done;
}

async function copyThroughBuffer(
  source: number,
  sourceOffset: number,
  target: number,
  offset: number,
  length: number,
): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(BUFFER, length));
  let done = 0;
  while (done < length) {
    const got = await readFully(
      source,
      sourceOffset + done,
      buffer.subarray(0, Math.min(buffer.length, length - done)),
    );
    if (got === 0) break;
    await writeFully(target, offset + done, buffer.subarray(0, got));
    done += got;
  }
  return done;
}
