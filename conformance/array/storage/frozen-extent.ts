// SPDX-License-Identifier: Apache-2.0
/** A range of a medium as it was: before bytes change, the old ones go to a spill file. */
import type { Medium } from "./medium.ts";
import { SpillFile } from "./spill.ts";

/** Bytes that are kept together. */
const granule = 65_536;

export class FrozenExtent {
  readonly offset: number;
  readonly length: number;
  readonly #medium: Medium;
  readonly #unwatch: () => void;
  #spill: SpillFile | undefined;
  /** One bit for each granule whose old bytes are in the spill file. */
  #kept: Uint8Array | undefined;

  /** Freezes `length` bytes at `offset` of the medium, in bytes. */
  constructor(medium: Medium, offset: number, length: number) {
    this.#medium = medium;
    this.offset = offset;
    this.length = length;
    this.#unwatch = medium.watch({ beforeChange: (at, count) => this.#keep(at, count) });
  }

  /** Reads `target.length` bytes at `at` of the extent, as they were. */
  read(at: number, target: Buffer): void {
    for (let done = 0; done < target.length; ) {
      const position = at + done;
      const kept = this.#isKept(Math.floor(position / granule));
      let count = Math.min(granule - (position % granule), target.length - done);
      while (done + count < target.length && this.#isKept(Math.floor((position + count) / granule)) === kept) {
        count = Math.min(count + granule, target.length - done);
      }
      const part = target.subarray(done, done + count);
      if (!kept) this.#medium.read(this.offset + position, count, part);
      else if (this.#spill === undefined) throw new Error("a frozen extent is read after its release");
      else this.#spill.read(position, part);
      done += count;
    }
  }

  release(): void {
    this.#unwatch();
    this.#spill?.close();
    this.#spill = undefined;
  }

  #isKept(index: number): boolean {
    return this.#kept !== undefined && ((this.#kept[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  #keep(at: number, count: number): void {
    const from = Math.max(at, this.offset) - this.offset;
    const to = Math.min(at + count, this.offset + this.length) - this.offset;
    if (from >= to) return;
    this.#spill ??= new SpillFile(this.#medium.path, this.length);
    this.#kept ??= new Uint8Array(Math.ceil(this.length / granule / 8));
    for (let index = Math.floor(from / granule); index * granule < to; index += 1) {
      if (this.#isKept(index)) continue;
      const start = index * granule;
      const bytes = Math.min(granule, this.length - start);
      const run = this.#medium.extent(this.offset + start);
      // A hole reads as zeros from the spill file as well.
      if (run.data || run.end < this.offset + start + bytes) {
        this.#spill.write(start, this.#medium.read(this.offset + start, bytes));
      }
      this.#kept[index >> 3] = (this.#kept[index >> 3] ?? 0) | (1 << (index & 7));
    }
  }
}
