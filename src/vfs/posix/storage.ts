// SPDX-License-Identifier: Apache-2.0

/** Bytes; a write up to here may be made on the calling thread. */
const SMALL_WRITE = 64 * 1024;
/** Bytes; so may one up to here, where the kernel lets writers run freely. It takes less time than the way to another thread and back. */
const LONG_WRITE = 1024 * 1024;
/** Milliseconds after which a small write counts as slow. */
const SLOW_WRITE = 4;
/** Milliseconds for which small writes then go to the thread pool: twice as long each time, until it goes well again. */
const FIRST_REST = 250;
const LONGEST_REST = 8000;

export interface StorageTraits {
  readonly inMemory: boolean;
  readonly clones: boolean;
  readonly reserves: boolean;
}

/** What is learnt about the file system while it is used. */
export class Storage {
  /** Bytes; f_bsize. */
  readonly blockSize: number;
  /** Data live in memory: nothing ever waits for a disk. */
  readonly inMemory: boolean;
  /** Files can share blocks. */
  readonly clones: boolean;
  /** Copies are faster into room that was reserved before. */
  readonly reserves: boolean;
  /** `RWF_NOWAIT` works for reads; cleared by the first refusal. */
  readNoWait = true;
  readonly #clock: () => number;
  readonly #writesFreely: (bytes: number) => boolean;
  #slowUntil = 0;
  #rest = FIRST_REST;

  /**
   * @param clock milliseconds, monotonic
   * @param writesFreely whether so many bytes can be written without waiting for a disk
   */
  constructor(
    blockSize: number,
    { inMemory, clones, reserves }: StorageTraits,
    clock: () => number,
    writesFreely: (bytes: number) => boolean,
  ) {
    this.blockSize = blockSize;
    this.inMemory = inMemory;
    this.clones = clones;
    this.reserves = reserves;
    this.#clock = clock;
    this.#writesFreely = writesFreely;
  }

  /**
   * Whether a write may be made at once. Small buffered writes take microseconds, a turn through the thread pool fifty,
   * so they are made at once until one proves that the storage is busy.
   */
  mayWriteNow(length: number): boolean {
    if (length > LONG_WRITE || this.#clock() < this.#slowUntil) return false;
    return length <= SMALL_WRITE || this.inMemory || this.#writesFreely(length);
  }

  /** Whether blocks may be shared at once, where little is to be done for it. */
  mayCloneNow(): boolean {
    return this.clones && this.#clock() >= this.#slowUntil;
  }

  /** Runs a call on this thread and takes note when it was slow. */
  timed(call: () => number): number {
    const begin = this.#clock();
    const result = call();
    const end = this.#clock();
    if (end - begin > SLOW_WRITE) {
      const again = begin - this.#slowUntil < this.#rest;
      this.#rest = again ? Math.min(2 * this.#rest, LONGEST_REST) : FIRST_REST;
      this.#slowUntil = end + this.#rest;
    }
    return result;
  }
}
