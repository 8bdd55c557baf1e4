// SPDX-License-Identifier: Apache-2.0

const NO_ROOM = Buffer.alloc(0);

/** Fills a list of buffers from start to end. */
export class ScatterWriter {
  readonly #buffers: readonly Buffer[];
  #index = 0;
  #offset = 0;
  /** Bytes filled so far. */
  position = 0;

  constructor(buffers: readonly Buffer[]) {
    this.#buffers = buffers;
  }

  /** @throws RangeError there is no room; the caller has checked the length */
  append(chunk: Buffer): void {
    let done = 0;
    while (done < chunk.length) {
      const buffer = this.#buffers[this.#index];
      if (buffer === undefined) throw new RangeError("more data than room");
      const copied = chunk.copy(buffer, this.#offset, done);
      done += copied;
      this.#advance(copied);
    }
    this.position += chunk.length;
  }

  /** Where the next bytes go: a view of at most `maximum` bytes, for who fills it by himself. Empty where there is no room. */
  room(maximum: number): Buffer {
    const buffer = this.#buffers[this.#index];
    return buffer === undefined ? NO_ROOM : buffer.subarray(this.#offset, this.#offset + maximum);
  }

  /** So many bytes of {@link room} have been filled. */
  filled(count: number): void {
    this.#advance(count);
    this.position += count;
  }

  #advance(count: number): void {
    this.#offset += count;
    if (this.#offset === this.#buffers[this.#index]?.length) {
      this.#index++;
      this.#offset = 0;
    }
  }
}

/** Views on a part of what a list of buffers holds. @throws RangeError it does not hold as much */
export function sliceBuffers(buffers: readonly Buffer[], offset: number, length: number): Buffer[] {
  const slices: Buffer[] = [];
  let skip = offset;
  let left = length;
  for (const buffer of buffers) {
    if (left === 0) break;
    if (skip >= buffer.length) {
      skip -= buffer.length;
      continue;
    }
    const slice = buffer.subarray(skip, skip + left);
    skip = 0;
    left -= slice.length;
    slices.push(slice);
  }
  if (left > 0) throw new RangeError("a slice reaches behind its buffers");
  return slices;
}
