// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import { rodTypeOf } from "../../scsi/commands/tokens.ts";
import { RodType, type ThirdPartyCopy } from "../../scsi/commands/vpd-third-party-copy.ts";
import { ScsiError } from "../../scsi/errors.ts";
import type { BlockRange } from "../../scsi/logical-unit.ts";
import { ntStatusOf } from "../../scsi/nt-status.ts";
import type { StorageOffload, StorageToken } from "../offload.ts";
import type { ByteRange, VolumeStream } from "../volume.ts";
import { ArrayStream } from "./array-stream.ts";
import type { ArrayContext } from "./context.ts";
import { clip, type Extent } from "./extent-map.ts";
import { fateOf, type Lun, toSmbError } from "./lun.ts";
import type { StreamData } from "./stream-data.ts";

/** Bytes that one WRITE USING TOKEN may write, so that it ends within the time that a client waits. */
const MAX_COPY = 256 * 1024 * 1024;
/** Range descriptors in one command, where the array does not say: as Windows has it. */
const MAX_RANGES = 64;
/** NUMBER OF LOGICAL BLOCKS of a range descriptor has 32 bits. */
const MAX_BLOCKS = 0xffff_ffff;
/** Milliseconds for one command of a copy. */
const COPY_TIMEOUT = 20_000;
/** Milliseconds during which a pair of LUNs that could not copy is not tried again. */
const NOT_CAPABLE = 180_000;
/** Bytes in a ROD token (SPC-4 6.4.5.2). */
const CREATOR_DESCRIPTOR = 16;
const BYTES_REPRESENTED = 48;
/** Pairs of LUNs of which it is remembered that they cannot copy. */
const MAX_PAIRS = 4096;

/** Copies by the array: POPULATE TOKEN and WRITE USING TOKEN for the extents of streams. */
export class ArrayOffload implements StorageOffload {
  readonly acceptsForeignTokens: boolean;
  readonly #context: ArrayContext;
  /** Milliseconds of a clock that only goes forward. */
  readonly #now: () => number;
  /** Until when nothing is copied from other volumes. */
  readonly #strangers = new WeakMap<ArrayContext, number>();
  /** Until when a pair of LUNs, or a LUN as a source, is left alone. */
  readonly #notCapable = new Map<string, number>();
  /** Milliseconds for which an unused token of ours may read what lies in its blocks; 0 where none does. */
  #readsFor = 0;
  #tokensUntil = Number.NEGATIVE_INFINITY;

  constructor(context: ArrayContext, now: () => number, acceptsForeignTokens: boolean) {
    this.acceptsForeignTokens = acceptsForeignTokens;
    this.#context = context;
    this.#now = now;
  }

  /**
   * Until then, by the monotonic clock, blocks that are given up may still be read through a token that stands for what lies in
   * them (access upon reference): they must not come to hold data of another file before.
   */
  get tokensUntil(): number {
    return this.#tokensUntil;
  }

  async createToken(source: VolumeStream, range: ByteRange, timeToLive: number): Promise<StorageToken | undefined> {
    if (!(source instanceof ArrayStream) || source.data.node.context !== this.#context) return undefined;
    source.check();
    return await this.#represent(source.data, range, timeToLive);
  }

  async #represent(data: StreamData, range: ByteRange, timeToLive: number): Promise<StorageToken | undefined> {
    return await data.lock.run(range, false, async () => {
      const length = Math.min(range.length, data.endOfFile - range.offset);
      const run = data.extents.firstRun({ offset: range.offset, length });
      if (run.extents.length === 0) return { kind: "zero", length: run.length };
      return await this.#populate(run.extents, timeToLive);
    });
  }

  /**
   * Copies from another stream, of this or another array volume, without a byte through this process.
   * @param target of this volume
   * @returns bytes copied from the start of the range; 0 where the array does not do it
   */
  async copy(source: StreamData, range: ByteRange, target: StreamData, offset: number): Promise<number> {
    if (this.isStranger(source.node.context)) return 0;
    const { offload, logicalBlockSize } = source.node.context;
    if (logicalBlockSize !== this.#context.logicalBlockSize) return 0;
    if (range.offset % logicalBlockSize !== 0 || offset % logicalBlockSize !== 0) return 0;
    const length = Math.min(range.length, MAX_COPY);
    const whole = { offset: range.offset, length: length - (length % logicalBlockSize) };
    const made = await offload.#represent(source, whole, 0);
    if (made?.kind !== "token" || !made.pointInTime) return 0;
    const step = { offset, length: Math.min(made.length, whole.length) };
    try {
      return await this.#step(target, step, made.token, 0);
    } catch (error) {
      if (!(error instanceof SmbError) || error.status === NtStatus.DISK_FULL || fateOf(error) !== undefined)
        throw error;
      // A token that has just been made is good: who does not take it is on another array, or might as well be.
      this.#strangers.set(source.node.context, this.#now() + NOT_CAPABLE);
      return 0;
    }
  }

  async #populate(extents: readonly Extent[], timeToLive: number): Promise<StorageToken | undefined> {
    const lun = this.#context.lunOf(extents[0]);
    const copy = lun.thirdPartyCopy;
    if (copy === undefined || !makesTokens(copy) || this.#isLeftAlone(lun.name)) return undefined;
    const { ranges, bytes } = blockRanges(extents, lun, copy);
    try {
      const inactivityTimeout = Math.min(Math.ceil(timeToLive / 1000), copy.limits.maximumInactivityTimeout);
      const made = await lun.unit.populateToken({ ranges, inactivityTimeout }, { timeout: COPY_TIMEOUT });
      const length = Math.min(bytes, made.blocks * lun.blockSize);
      if (length === 0) return undefined;
      const pointInTime = isPointInTime(made.rodType);
      if (!pointInTime) {
        const seconds = Math.max(inactivityTimeout, copy.limits.defaultInactivityTimeout);
        this.#readsFor = Math.max(this.#readsFor, seconds * 1000);
        this.#holdFreed();
      }
      return { kind: "token", token: made.token, length, pointInTime };
    } catch (error) {
      this.#leaveAlone(lun.name, error);
      return undefined;
    }
  }

  /** Whether the array has not taken what was to be copied from the LUNs of this volume, a moment ago. */
  isStranger(source: ArrayContext): boolean {
    return this.#now() < (this.#strangers.get(source) ?? Number.NEGATIVE_INFINITY);
  }

  async writeFromToken(
    target: VolumeStream,
    offset: number,
    token: Buffer,
    tokenOffset: number,
    length: number,
    goesOn: () => boolean,
  ): Promise<number> {
    if (!(target instanceof ArrayStream) || target.data.node.context !== this.#context) {
      throw new SmbError(NtStatus.DEVICE_FEATURE_NOT_SUPPORTED);
    }
    // Whoever asks for more than there is gets what there is.
    const most = Math.min(length, representedBytes(token) - tokenOffset);
    if (most <= 0) throw new SmbError(NtStatus.INVALID_PARAMETER, "an offset behind the data of the token");
    target.checkWrite(offset + most);
    let done = 0;
    while (done < most && (done === 0 || goesOn())) {
      const step = Math.min(MAX_COPY, most - done);
      try {
        const written = await this.#step(
          target.data,
          { offset: offset + done, length: step },
          token,
          tokenOffset + done,
        );
        done += written;
        if (written < step) break;
      } catch (error) {
        // The client learns of the failure when it goes on from where it stands.
        if (done === 0) throw error;
        break;
      }
    }
    return done;
  }

  /**
   * One piece. Where its fate is unknown, the LUN carries nothing else out before it is known: nobody gets at the range, and whoever
   * wants to is told within the time of any other request. The room that was taken for it is kept until then.
   */
  #step(data: StreamData, range: ByteRange, token: Buffer, tokenOffset: number): Promise<number> {
    return data.lock.run(data.aligned(range), true, () => this.#write(data, range, token, tokenOffset));
  }

  async #write(data: StreamData, range: ByteRange, token: Buffer, tokenOffset: number): Promise<number> {
    const { offset, length } = range;
    const { fresh, taken } = await data.roomFor(data.aligned(range));
    let written = 0;
    try {
      await data.clearAround(range, fresh);
      for (const run of runsOfOneLun(data.placesOf(range, fresh))) {
        const bytes = await this.#copyRun(run, token, tokenOffset + written);
        written += bytes;
        if (bytes < lengthOf(run)) break;
      }
    } catch (error) {
      data.abandon(taken, error);
      throw error;
    }
    if (written >= length) {
      try {
        await this.#clearBehind(data, range, fresh);
      } catch (error) {
        data.abandon(taken, error);
        throw error;
      }
      await data.becomeWritten(fresh, offset + length);
      return length;
    }
    // An allocation unit that holds only some of its data is none of the stream's yet.
    const end = data.aligned({ offset: offset + written, length: 0 }).offset;
    this.#context.giveBack(between(taken, end, Number.MAX_SAFE_INTEGER));
    if (end <= offset) throw new SmbError(NtStatus.DEVICE_UNREACHABLE, "the array copied next to nothing");
    await data.becomeWritten(between(fresh, 0, end), end);
    return end - offset;
  }

  /** Whole blocks have been copied: what the last one brought beyond the range is not the stream's. */
  async #clearBehind(data: StreamData, { offset, length }: ByteRange, fresh: readonly Extent[]): Promise<void> {
    const [last] = data.placesOf({ offset: offset + length - 1, length: 1 }, fresh);
    if (last === undefined) return;
    const lun = this.#context.lunOf(last);
    const end = last.start + 1;
    await lun.writeZeros(end, Math.ceil(end / lun.blockSize) * lun.blockSize - end);
  }

  /** @returns bytes written, in whole blocks: fewer than asked where the array stopped */
  async #copyRun(extents: readonly Extent[], token: Buffer, tokenOffset: number): Promise<number> {
    const lun = this.#context.lunOf(extents[0]);
    const { blockSize, thirdPartyCopy: copy } = lun;
    if (this.#readsFor > 0 && !isPointInTime(rodTypeOf(token))) this.#holdFreed();
    const pair = pairOf(token, lun);
    if (copy === undefined) throw new SmbError(NtStatus.DEVICE_FEATURE_NOT_SUPPORTED, `${lun.name} copies nothing`);
    if (this.#isLeftAlone(pair)) throw new SmbError(NtStatus.DEVICE_UNREACHABLE, "could not copy a moment ago");
    let done = 0;
    for (let rest = extents; rest.length > 0; ) {
      const { ranges, bytes, remaining } = blockRanges(rest, lun, copy);
      const offsetInRod = (tokenOffset + done) / blockSize;
      if (!Number.isInteger(offsetInRod)) throw new SmbError(NtStatus.INVALID_PARAMETER, "between two blocks");
      try {
        const blocks = await lun.unit.writeUsingToken({ token, offsetInRod, ranges }, { timeout: COPY_TIMEOUT });
        lun.wasWritten();
        done += Math.min(bytes, blocks * blockSize);
        if (blocks * blockSize < bytes) return done;
      } catch (error) {
        this.#leaveAlone(pair, error);
        if (done > 0 && fateOf(error) === undefined) return done;
        throw copyError(error, lun.unit.address);
      }
      rest = remaining;
    }
    return done;
  }

  /** From now on a token that reads in place may live for the whole of its time. */
  #holdFreed(): void {
    this.#tokensUntil = Math.max(this.#tokensUntil, this.#now() + this.#readsFor);
  }

  #isLeftAlone(pair: string | undefined): boolean {
    if (pair === undefined) return false;
    const until = this.#notCapable.get(pair);
    if (until === undefined) return false;
    if (this.#now() < until) return true;
    this.#notCapable.delete(pair);
    return false;
  }

  /** Only what says that these LUNs cannot do it at all: a token that has expired says nothing of the LUN. */
  #leaveAlone(pair: string | undefined, error: unknown): void {
    this.#context.log.info({ pair, err: error }, "the array did not copy");
    if (pair === undefined || !(error instanceof ScsiError) || !isIncapable(error)) return;
    this.#notCapable.set(pair, this.#now() + NOT_CAPABLE);
    for (const oldest of this.#notCapable.keys()) {
      if (this.#notCapable.size <= MAX_PAIRS) break;
      this.#notCapable.delete(oldest);
    }
  }
}

/** Where a token comes from and where its data are to go; `undefined` where the token does not say (SPC-4 6.4.5.2). */
function pairOf(token: Buffer, lun: Lun): string | undefined {
  const creator = token.subarray(CREATOR_DESCRIPTOR, CREATOR_DESCRIPTOR + 32);
  return creator.every((byte) => byte === 0) ? undefined : `${creator.toString("hex")} to ${lun.name}`;
}

/** Bytes that a token stands for, where it says so (NUMBER OF BYTES REPRESENTED). */
function representedBytes(token: Buffer): number {
  const high = token.readBigUInt64BE(BYTES_REPRESENTED);
  const low = token.readBigUInt64BE(BYTES_REPRESENTED + 8);
  return high !== 0n || low === 0n || low > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(low);
}

function makesTokens({ rodTypes }: ThirdPartyCopy): boolean {
  return rodTypes.length === 0 || rodTypes.some(({ tokenOut }) => tokenOut);
}

function isPointInTime(rodType: number): boolean {
  return rodType !== RodType.ACCESS_UPON_REFERENCE && rodType !== RodType.COPY_MANAGER_INTERNAL;
}

/** Unreachable copy targets, remote tokens that are not supported, commands and fields that the unit does not know. */
function isIncapable(error: ScsiError): boolean {
  return (
    error.is(5, 0x08, 0x04) ||
    error.is(5, 0x20) ||
    error.is(5, 0x24) ||
    error.is(5, 0x23, 0x01) ||
    error.is(5, 0x23, 0x02) ||
    error.is(5, 0x23, 0x03)
  );
}

/** What the client is told where the array does not copy (MS-FSCC 2.3.43). */
function copyError(error: unknown, address: string): Error {
  if (!(error instanceof ScsiError)) return toSmbError(error, address);
  return new SmbError(ntStatusOf(error, true), `${address}: ${error.message}`, { cause: error });
}

/** What of the extents lies between two bytes of the stream. */
function between(extents: readonly Extent[], offset: number, end: number): Extent[] {
  return extents.map((extent) => clip(extent, offset, end)).filter(({ length }) => length > 0);
}

function lengthOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0);
}

/** Consecutive extents on one LUN each. */
function runsOfOneLun(extents: readonly Extent[]): Extent[][] {
  const runs: Extent[][] = [];
  for (const extent of extents) {
    const last = runs.at(-1);
    if (last?.[0]?.lun === extent.lun) last.push(extent);
    else runs.push([extent]);
  }
  return runs;
}

/** As many of the extents as one command may name, in blocks; the last block may reach beyond the end of file. */
function blockRanges(
  extents: readonly Extent[],
  { blockSize }: Lun,
  { limits }: ThirdPartyCopy,
): { readonly ranges: readonly BlockRange[]; readonly bytes: number; readonly remaining: readonly Extent[] } {
  const most = Math.min(limits.maximumTokenTransfer * blockSize, MAX_COPY);
  const mostRanges = Math.min(limits.maximumRanges, MAX_RANGES);
  const ranges: BlockRange[] = [];
  let bytes = 0;
  for (const [index, extent] of extents.entries()) {
    const room = Math.min(most - bytes, MAX_BLOCKS * blockSize);
    if (ranges.length >= mostRanges || room <= 0) return { ranges, bytes, remaining: extents.slice(index) };
    const length = Math.min(extent.length, room - (room % blockSize));
    ranges.push({ lba: extent.start / blockSize, blocks: Math.ceil(length / blockSize) });
    bytes += length;
    if (length < extent.length) {
      const rest = {
        ...extent,
        offset: extent.offset + length,
        start: extent.start + length,
        length: extent.length - length,
      };
      return { ranges, bytes, remaining: [rest, ...extents.slice(index + 1)] };
    }
  }
  return { ranges, bytes, remaining: [] };
}
