// SPDX-License-Identifier: Apache-2.0

/** Bytes; smaller buffers are cheaper to make than to keep. */
const SMALLEST = 4096;
const LARGEST = 8 * 1024 * 1024;
/** What a frame needs beside its payload, so that payloads of a power of two do not need the next size. */
const HEADROOM = 1024;
/** Bytes that a pool keeps for later at most. */
const MAXIMUM_KEPT = 64 * 1024 * 1024;

/**
 * Buffers for file data and for frames that carry them. Memory that is used again is in the caches already, and makes no
 * work for the garbage collector, which otherwise runs after each 64 MiB.
 */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>();
  /** The whole buffer behind each view that is out. What is never given back is left to the garbage collector. */
  readonly #lent = new WeakMap<Buffer, Buffer>();
  readonly #maximumKept: number;
  #kept = 0;

  /** @param maximumKept bytes that wait for their next use at most */
  constructor(maximumKept: number = MAXIMUM_KEPT) {
    this.#maximumKept = maximumKept;
  }

  /** A buffer of exactly `length` bytes, uninitialised. */
  take(length: number): Buffer {
    const capacity = capacityFor(length);
    if (capacity === 0) return Buffer.allocUnsafe(length);
    const free = this.#free.get(capacity)?.pop();
    if (free !== undefined) this.#kept -= capacity;
    const whole = free ?? Buffer.allocUnsafeSlow(capacity);
    const view = whole.subarray(0, length);
    this.#lent.set(view, whole);
    return view;
  }

  /**
   * Takes a buffer back that {@link take} answered, which nobody may touch from now on. Any other buffer, and one that
   * was given back already, is left alone.
   */
  give(buffer: Buffer): void {
    const whole = this.#lent.get(buffer);
    if (whole === undefined) return;
    this.#lent.delete(buffer);
    if (this.#kept + whole.length > this.#maximumKept) return;
    this.#kept += whole.length;
    const free = this.#free.get(whole.length);
    if (free === undefined) this.#free.set(whole.length, [whole]);
    else free.push(whole);
  }
}

/** Size of the buffer behind one of `length` bytes; 0 where it is not to be kept. */
function capacityFor(length: number): number {
  if (length < SMALLEST || length > LARGEST + HEADROOM) return 0;
  const payload = Math.max(length - HEADROOM, SMALLEST);
  return 2 ** Math.ceil(Math.log2(payload)) + HEADROOM;
}
