// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { chain } from "../nt/awaitable.ts";
import type { ChangeWatch } from "../vfs/outside-changes.ts";
import type { ByteRange, Volume, VolumeStream } from "../vfs/volume.ts";
import { copyRange } from "./copier.ts";
import type { PreserveBudget } from "./preserve-budget.ts";
import { intersection, type Place, type PreservedBlock, PreservedRanges, union } from "./preserved-ranges.ts";
import type { RefusalReason } from "./refusal.ts";

/** Bytes; old data are kept in whole blocks, so that many small writes do not leave many small pieces. */
const BLOCK = 4096;
/** Bytes; so few are kept in memory where that has room. */
const SMALL = 64 * 1024;
/** Bytes; a range is looked through for holes down to this size. */
const FINEST_HOLE = 256 * 1024;
/** Bytes kept by one call to the storage. */
const PIECE = 8 * 1024 * 1024;

/** A range of a stream as it was at one moment. */
export class StreamSnapshot {
  readonly range: ByteRange;
  readonly preserved = new PreservedRanges();
  readonly #preserver: StreamPreserver;
  #lost: RefusalReason | undefined;

  constructor(preserver: StreamPreserver, range: ByteRange) {
    this.#preserver = preserver;
    this.range = range;
  }

  /** Why the data are no longer to be had. Looks whether somebody else has changed them. */
  get lost(): RefusalReason | undefined {
    if (this.#lost === undefined) this.#preserver.verify(this);
    return this.#lost;
  }

  /** What is known of that without looking. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Every byte is preserved: the stream itself is no longer needed. */
  get isComplete(): boolean {
    return this.preserved.gaps(this.range).length === 0;
  }

  lose(reason: RefusalReason): void {
    this.#lost ??= reason;
    this.#preserver.giveUp(this);
  }

  locate(offset: number, length: number): Place {
    return this.preserved.locate(offset, length, this.#preserver.data);
  }

  release(): Awaitable<void> {
    return this.#preserver.release(this);
  }
}

export interface PreserverParts {
  readonly volume: Volume;
  readonly data: VolumeStream;
  readonly watch: ChangeWatch;
  readonly budget: PreserveBudget;
  /** The last snapshot has been released. */
  readonly idle: () => void;
}

/**
 * Keeps old bytes of a stream before they are changed, where a snapshot has not got them yet: what has not been changed is
 * where it always was. All changes of the data are announced to it; {@link PreserverParts.watch} tells of those that are not.
 */
export class StreamPreserver {
  readonly data: VolumeStream;
  readonly #volume: Volume;
  readonly #watch: ChangeWatch;
  readonly #budget: PreserveBudget;
  readonly #idle: () => void;
  readonly #snapshots = new Set<StreamSnapshot>();
  #scratch: VolumeStream | undefined;
  #scratchEnd = 0;
  /** Old data are being kept; whoever comes next waits, since what he needs may be among them. */
  #keeping: Promise<void> | undefined;
  #closed = false;

  constructor({ volume, data, watch, budget, idle }: PreserverParts) {
    this.data = data;
    this.#volume = volume;
    this.#watch = watch;
    this.#budget = budget;
    this.#idle = idle;
  }

  /** Nobody else has changed the data. Otherwise all snapshots are lost. */
  get isIntact(): boolean {
    if (this.#watch.isIntact) return true;
    for (const snapshot of this.#snapshots) if (!snapshot.isComplete) snapshot.lose("data changed");
    return false;
  }

  /** The data as they are now. No change is under way. */
  snapshot(range: ByteRange): StreamSnapshot {
    const snapshot = new StreamSnapshot(this, range);
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  /** A snapshot that has everything needs nobody's good behaviour any more. */
  verify(snapshot: StreamSnapshot): void {
    if (!this.#watch.isIntact && !snapshot.isComplete) snapshot.lose("data changed");
  }

  /** The stream gets other data: what is not preserved is lost. */
  detach(): void {
    for (const snapshot of this.#snapshots) if (!snapshot.isComplete) snapshot.lose("data changed");
  }

  /** Runs a change of a range, once the old bytes that somebody needs are kept. */
  change<T>(range: ByteRange, change: () => Awaitable<T>): Awaitable<T> {
    return chain(this.#keep(range), () => this.#watch.changing(change));
  }

  release(snapshot: StreamSnapshot): Awaitable<void> {
    if (!this.#snapshots.delete(snapshot)) return;
    this.giveUp(snapshot);
    if (this.#snapshots.size > 0) return;
    this.#closed = true;
    this.#watch.end();
    this.#idle();
    const scratch = this.#scratch;
    this.#scratch = undefined;
    // What is being kept now still needs it.
    return chain(this.#keeping, () => scratch?.close());
  }

  giveUp(snapshot: StreamSnapshot): void {
    snapshot.preserved.clear((block) => this.#free(block));
  }

  #keep(range: ByteRange): Awaitable<void> {
    if (this.#keeping === undefined && !this.#isNeeded(range)) return undefined;
    const keeping: Promise<void> = (this.#keeping ?? Promise.resolve())
      .then(() => this.#keepNow(range))
      .finally(() => {
        if (this.#keeping === keeping) this.#keeping = undefined;
      });
    this.#keeping = keeping;
    return keeping;
  }

  #isNeeded(range: ByteRange): boolean {
    for (const snapshot of this.#snapshots) if (this.#missing(snapshot, range).length > 0) return true;
    return false;
  }

  /** What a snapshot needs of a range, in whole blocks. */
  #missing(snapshot: StreamSnapshot, { offset, length }: ByteRange): ByteRange[] {
    if (snapshot.isLost) return [];
    const start = Math.floor(offset / BLOCK) * BLOCK;
    const end = Math.ceil((offset + length) / BLOCK) * BLOCK;
    const touched = length === 0 ? undefined : intersection(snapshot.range, { offset: start, length: end - start });
    return touched === undefined ? [] : snapshot.preserved.gaps(touched);
  }

  /** Never fails: what cannot be kept is lost, the change goes on. */
  async #keepNow(range: ByteRange): Promise<void> {
    if (!this.isIntact) return;
    const needs = [...this.#snapshots].flatMap((snapshot) =>
      this.#missing(snapshot, range).map((gap) => ({ snapshot, gap })),
    );
    if (needs.length === 0) return;
    const blocks: PreservedBlock[] = [];
    let reason: RefusalReason | undefined;
    try {
      for (const wanted of union(needs.map(({ gap }) => gap))) {
        for await (const part of this.#parts(wanted)) {
          const block = await this.#preserve(part);
          if (block !== undefined) blocks.push(block);
          else reason = "preserve limit";
          if (reason !== undefined) break;
        }
        if (reason !== undefined) break;
      }
    } catch {
      // The storage has no room for them, or cannot read them.
      reason = "preserve limit";
    }
    // Somebody else may have been at work while they were read.
    if (this.isIntact) {
      for (const { snapshot, gap } of needs) {
        if (reason !== undefined) snapshot.lose(reason);
        else if (!snapshot.isLost && this.#snapshots.has(snapshot)) assign(snapshot, gap, blocks);
      }
    }
    for (const block of blocks) this.#free(block);
  }

  /** A range in pieces that are zeros as a whole, or data. */
  async *#parts({ offset, length }: ByteRange): AsyncGenerator<ByteRange & { readonly zero: boolean }> {
    const zero = (await this.data.isKnownZero?.({ offset, length })) === true;
    if (zero || length <= FINEST_HOLE || this.data.isKnownZero === undefined) {
      for (let done = 0; done < length; ) {
        const count = zero ? length : Math.min(PIECE, length - done);
        yield { offset: offset + done, length: count, zero };
        done += count;
      }
      return;
    }
    const half = Math.ceil(length / 2 / BLOCK) * BLOCK;
    yield* this.#parts({ offset, length: half });
    yield* this.#parts({ offset: offset + half, length: length - half });
  }

  /** @returns `undefined` where there is no room */
  async #preserve({
    offset,
    length,
    zero,
  }: ByteRange & { readonly zero: boolean }): Promise<PreservedBlock | undefined> {
    if (zero) {
      if (!this.#budget.take(0, false)) return undefined;
      return { offset, length, from: undefined, start: 0, references: 0 };
    }
    const scratch = length <= SMALL && this.#budget.fitsMemory(length) ? undefined : await this.#openScratch();
    if (!this.#budget.take(length, scratch === undefined)) return undefined;
    try {
      if (scratch === undefined) {
        const from = Buffer.allocUnsafeSlow(length);
        if ((await this.data.read(offset, from)) < length) throw new RangeError("the data end early");
        return { offset, length, from, start: 0, references: 0 };
      }
      const start = this.#scratchEnd;
      this.#scratchEnd += length;
      const { bytes } = await copyRange(this.data, offset, scratch, start, length);
      if (bytes < length) throw new RangeError("the data end early");
      return { offset, length, from: scratch, start, references: 0 };
    } catch (error) {
      this.#budget.give(length, scratch === undefined);
      throw error;
    }
  }

  async #openScratch(): Promise<VolumeStream | undefined> {
    if (this.#scratch === undefined && !this.#closed) this.#scratch = await this.#volume.scratch?.();
    return this.#scratch;
  }

  #free(block: PreservedBlock): void {
    if (block.references > 0) return;
    const { from, start, length } = block;
    this.#budget.give(from === undefined ? 0 : length, Buffer.isBuffer(from));
    if (from === undefined || Buffer.isBuffer(from) || this.#scratch !== from) return;
    try {
      const zeroed = from.zero({ offset: start, length });
      // The room comes back with the stream at the latest.
      if (zeroed instanceof Promise) zeroed.catch(() => {});
    } catch {
      // As above.
    }
  }
}

/** Gives a snapshot the parts of a gap, from the blocks that hold them. */
function assign(snapshot: StreamSnapshot, gap: ByteRange, blocks: readonly PreservedBlock[]): void {
  for (const block of blocks) {
    const part = intersection(gap, block);
    if (part !== undefined) snapshot.preserved.add(part, block);
  }
}
