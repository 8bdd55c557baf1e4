// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ByteRange } from "../volume.ts";
import type { StreamData } from "./stream-data.ts";

/** Bytes moved at a time by a copy through memory. */
const MEMORY_PIECE = 4 * 1024 * 1024;
/** Bytes from which on a copy is worth two commands to the array. */
const ARRAY_PIECE = 256 * 1024;

/**
 * Copies between streams of array volumes as far as the source goes: holes as holes, by the array where it can, else through
 * memory. An overlap within one stream gives the source as it was before.
 * @returns bytes copied
 * @throws SmbError what reading and writing throws
 */
export async function copyStream(
  source: StreamData,
  sourceOffset: number,
  target: StreamData,
  offset: number,
  length: number,
): Promise<number> {
  const total = Math.max(0, Math.min(length, source.endOfFile - sourceOffset));
  const backwards = source === target && offset > sourceOffset;
  for (let done = 0; done < total; ) {
    const rest = total - done;
    if (source === target) {
      const step = Math.min(MEMORY_PIECE, rest);
      const at = backwards ? rest - step : done;
      await copyThroughMemory(source, sourceOffset + at, target, offset + at, step);
      done += step;
    } else done += await copyRun(source, { offset: sourceOffset + done, length: rest }, target, offset + done);
  }
  return total;
}

/** @returns bytes copied, from the start of the range */
async function copyRun(source: StreamData, range: ByteRange, target: StreamData, to: number): Promise<number> {
  const { extents, length } = source.firstRun(range);
  if (extents.length === 0) {
    await zeroTo(target, to, length);
    return length;
  }
  if (length >= ARRAY_PIECE) {
    const { offload } = target.node.context;
    const byArray = await offload.copy(source, { offset: range.offset, length }, target, to);
    if (byArray > 0) return byArray;
  }
  const step = Math.min(range.length, MEMORY_PIECE);
  await copyThroughMemory(source, range.offset, target, to, step);
  return step;
}

async function copyThroughMemory(
  source: StreamData,
  from: number,
  target: StreamData,
  to: number,
  length: number,
): Promise<void> {
  if (source.isKnownZero({ offset: from, length })) return await zeroTo(target, to, length);
  const buffer = Buffer.allocUnsafeSlow(length);
  const count = await source.read(from, buffer);
  if (count < length) throw new SmbError(NtStatus.END_OF_FILE, "the source of a copy became shorter");
  await target.write(to, buffer);
}

async function zeroTo(target: StreamData, offset: number, length: number): Promise<void> {
  await target.zero({ offset, length });
  if (offset + length > target.endOfFile) await target.setEndOfFile(offset + length);
}
