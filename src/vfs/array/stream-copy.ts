// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ByteRange, TellCopied } from "../volume.ts";
import type { StreamData } from "./stream-data.ts";

/** Bytes moved at a time by a copy through memory. */
const MEMORY_PIECE = 4 * 1024 * 1024;
/** Bytes from which on a copy is worth two commands to the array. */
const ARRAY_PIECE = 256 * 1024;

/**
 * Copies between streams of array volumes as far as the source goes: holes as holes, by the array where it can, else through
 * memory. An overlap within one stream gives the source as it was before.
 * @param tell hears of the bytes by who has brought them
 * @returns bytes copied
 * @throws SmbError what reading and writing throws
 */
export async function copyStream(
  source: StreamData,
  sourceOffset: number,
  target: StreamData,
  offset: number,
  length: number,
  tell?: TellCopied,
): Promise<number> {
  const total = Math.max(0, Math.min(length, source.endOfFile - sourceOffset));
  const backwards = source === target && offset > sourceOffset;
  for (let done = 0; done < total; ) {
    const rest = total - done;
    // Within one stream, from the end that is not overwritten first, and a piece at a time.
    const step = Math.min(MEMORY_PIECE, rest);
    const at = backwards ? rest - step : done;
    const range = { offset: sourceOffset + at, length: source === target ? step : rest };
    const copy = source === target ? copyThroughMemory : copyRun;
    const { by, bytes } = await copy(source, range, target, offset + at);
    tell?.(by, bytes);
    done += bytes;
  }
  return total;
}

/** Bytes copied, from the start of a range. */
interface Copied {
  readonly by: "array" | "process" | "zero";
  readonly bytes: number;
}

async function copyRun(source: StreamData, range: ByteRange, target: StreamData, to: number): Promise<Copied> {
  const { extents, length } = source.extents.firstRun(range);
  if (extents.length === 0) {
    await zeroTo(target, to, length);
    return { by: "zero", bytes: length };
  }
  if (length >= ARRAY_PIECE) {
    const { offload } = target.node.context;
    const bytes = await offload.copy(source, { offset: range.offset, length }, target, to);
    if (bytes > 0) return { by: "array", bytes };
  }
  const piece = { offset: range.offset, length: Math.min(range.length, MEMORY_PIECE) };
  return await copyThroughMemory(source, piece, target, to);
}

async function copyThroughMemory(
  source: StreamData,
  range: ByteRange,
  target: StreamData,
  to: number,
): Promise<Copied> {
  const { offset, length } = range;
  if (source.extents.isKnownZero(range)) {
    await zeroTo(target, to, length);
    return { by: "zero", bytes: length };
  }
  const buffer = Buffer.allocUnsafeSlow(length);
  const count = await source.read(offset, buffer);
  if (count < length) throw new SmbError(NtStatus.END_OF_FILE, "the source of a copy became shorter");
  await target.write(to, buffer);
  return { by: "process", bytes: length };
}

async function zeroTo(target: StreamData, offset: number, length: number): Promise<void> {
  await target.zero({ offset, length });
  if (offset + length > target.endOfFile) await target.setEndOfFile(offset + length);
}
