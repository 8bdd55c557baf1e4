// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import { chain } from "../../nt/awaitable.ts";
import type { ChangeWatch } from "../outside-changes.ts";
import type { ByteRange, StreamSize, TellCopied, VolumeStream } from "../volume.ts";
import { copyByReading } from "./copy-by-reading.ts";
import { DataStream } from "./data-stream.ts";
import type { StreamState, StreamStore } from "./stream-store.ts";

/**
 * An alternate data stream: in an extended attribute, changed as a whole, until it is too large for that; in a file of
 * its own from then on.
 */
export class NamedStream implements VolumeStream {
  readonly #store: StreamStore;
  readonly #state: StreamState;
  #open = true;

  /** @param state held for this stream; released when it is closed */
  constructor(store: StreamStore, state: StreamState) {
    this.#store = store;
    this.#state = state;
  }

  get name(): string {
    return this.#state.name;
  }

  /** The file that holds the data, or the value of the attribute. */
  stored(): Buffer | DataStream {
    return this.#locate();
  }

  size(): Awaitable<StreamSize> {
    const at = this.#locate();
    if (at instanceof DataStream) return at.size();
    return { endOfFile: at.length, allocationSize: at.length };
  }

  read(offset: number, target: Buffer): Awaitable<number> {
    const at = this.#locate();
    if (at instanceof DataStream) return at.read(offset, target);
    return offset >= at.length ? 0 : at.copy(target, 0, offset);
  }

  write(offset: number, data: Buffer): Awaitable<void> {
    const at = this.#locate();
    if (at instanceof DataStream) return at.write(offset, data);
    if (data.length === 0) return undefined;
    const end = offset + data.length;
    if (this.#store.mayFit(end)) {
      const next = Buffer.alloc(Math.max(at.length, end));
      at.copy(next);
      data.copy(next, offset);
      if (this.#store.writeValue(this.#state, next)) return undefined;
    }
    return this.#store.spill(this.#state, at).write(offset, data);
  }

  setEndOfFile(size: number): Awaitable<void> {
    const at = this.#locate();
    if (at instanceof DataStream) return at.setEndOfFile(size);
    if (this.#store.mayFit(size)) {
      const next = Buffer.alloc(size);
      at.copy(next);
      if (this.#store.writeValue(this.#state, next)) return undefined;
    }
    return this.#store.spill(this.#state, at).setEndOfFile(size);
  }

  setAllocation(size: number): Awaitable<void> {
    const at = this.#locate();
    if (at instanceof DataStream) return at.setAllocation(size);
    // An attribute has no room to reserve.
    return size < at.length ? this.setEndOfFile(size) : undefined;
  }

  /** Accepted without effect: sparseness is kept for the default stream. */
  setSparse(_sparse: boolean): void {
    this.#locate();
  }

  zero(range: ByteRange): Awaitable<void> {
    const at = this.#locate();
    if (at instanceof DataStream) return at.zero(range);
    const end = Math.min(at.length, range.offset + range.length);
    if (range.offset >= end) return undefined;
    return this.write(range.offset, Buffer.alloc(end - range.offset));
  }

  allocatedRanges(range: ByteRange, maximum: number): Awaitable<readonly ByteRange[]> {
    const at = this.#locate();
    if (at instanceof DataStream) return at.allocatedRanges(range, maximum);
    const end = Math.min(at.length, range.offset + range.length);
    return range.offset >= end || maximum < 1 ? [] : [{ offset: range.offset, length: end - range.offset }];
  }

  isKnownZero(range: ByteRange): boolean {
    const at = this.#locate();
    return at instanceof DataStream && at.isKnownZero(range);
  }

  /** What is in an attribute cannot be watched, but is small enough to be copied. */
  watch(): Awaitable<ChangeWatch | undefined> {
    const at = this.#locate();
    return at instanceof DataStream ? at.watch() : undefined;
  }

  async copyFrom(
    source: VolumeStream,
    sourceOffset: number,
    offset: number,
    length: number,
    tell?: TellCopied,
  ): Promise<number> {
    const bytes = await copyByReading(source, sourceOffset, this, offset, length);
    tell?.("process", bytes);
    return bytes;
  }

  flush(): Awaitable<void> {
    const at = this.#locate();
    return chain(at instanceof DataStream ? at.flush() : undefined, () => this.#store.flush());
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#store.release(this.#state);
  }

  #locate(): Buffer | DataStream {
    return this.#store.locate(this.#state);
  }
}
