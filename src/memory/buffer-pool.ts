// SPDX-License-Identifier: Apache-2.0

import { addressOf } from "../native/ffi.ts";

/** Bytes; smaller buffers are cheaper to make than to keep. */
const SMALLEST = 4096;
const LARGEST = 8 * 1024 * 1024;
/** What a frame needs beside its payload, and alignment, so that payloads of a power of two do not need the next size. */
const HEADROOM = 1024;
/** Bytes that a pool keeps for later at most. */
const MAXIMUM_KEPT = 64 * 1024 * 1024;
/**
 * Bytes; at multiples of this file data lie. The kernel copies to and from its pages with instructions that are up to twice as slow where
 * both ends differ by 16 bytes in their place within a page, and the memory of large buffers begins 16 bytes into a page.
 */
const ALIGNMENT = 64;

/** Memory of the pool, and the address where it begins. */
interface Block {
  readonly memory: Buffer;
  readonly address: number;
}

/**
 * Buffers for file data and for frames that carry them. Memory that is used again is in the caches already, and makes no
 * work for the garbage collector, which otherwise runs after each 64 MiB.
 */
export class BufferPool {
  readonly #free = new Map<number, Block[]>();
  /** What is behind each view that is out. What is never given back is left to the garbage collector. */
  readonly #lent = new WeakMap<Buffer, Block>();
  readonly #maximumKept: number;
  #kept = 0;

  /** @param maximumKept bytes that wait for their next use at most */
  constructor(maximumKept: number = MAXIMUM_KEPT) {
    this.#maximumKept = maximumKept;
  }

  /**
   * A buffer of exactly `length` bytes, uninitialised.
   * @param dataAt where the file data in it begin, which decides how it lies in memory
   */
  take(length: number, dataAt = 0): Buffer {
    const capacity = capacityFor(length);
    if (capacity === 0) return Buffer.allocUnsafe(length);
    const free = this.#free.get(capacity)?.pop();
    if (free !== undefined) this.#kept -= capacity;
    const block = free ?? allocate(capacity);
    const begin = ALIGNMENT - 1 - ((block.address + dataAt + ALIGNMENT - 1) % ALIGNMENT);
    const view = block.memory.subarray(begin, begin + length);
    this.#lent.set(view, block);
    return view;
  }

  /**
   * Takes a buffer back that {@link take} answered, which nobody may touch from now on. Any other buffer, and one that
   * was given back already, is left alone.
   */
  give(buffer: Buffer): void {
    const block = this.#lent.get(buffer);
    if (block === undefined) return;
    this.#lent.delete(buffer);
    const capacity = block.memory.length;
    if (this.#kept + capacity > this.#maximumKept) return;
    this.#kept += capacity;
    const free = this.#free.get(capacity);
    if (free === undefined) this.#free.set(capacity, [block]);
    else free.push(block);
  }
}

function allocate(capacity: number): Block {
  const memory = Buffer.allocUnsafeSlow(capacity);
  return { memory, address: addressOf(memory) };
}

/** Size of the buffer behind one of `length` bytes; 0 where it is not to be kept. */
function capacityFor(length: number): number {
  if (length < SMALLEST || length > LARGEST + HEADROOM - ALIGNMENT) return 0;
  const payload = Math.max(length + ALIGNMENT - HEADROOM, SMALLEST);
  return 2 ** Math.ceil(Math.log2(payload)) + HEADROOM;
}
