// SPDX-License-Identifier: Apache-2.0

import { FRAME_HEADER_SIZE } from "../../src/smb2/wire/frame.ts";

/** Bytes; frames up to here are always handed on whole. */
const WHOLE = 66 * 1024;
/** One in so many of the longer frames is handed on whole too. */
const SAMPLING = 16;
/** What is handed on of the others: a transform header, an SMB2 header and the fixed part of any response. */
const HEAD = 256;

/**
 * Cuts a byte stream into direct TCP frames (MS-SMB2 2.1). A generator of load has to look at every response, but not to copy
 * every byte of its data: of most long frames only the head is kept.
 */
export class FrameStream {
  /** Is handed a view that is good for the time of the call; it holds the whole frame where it has `length` bytes. */
  readonly #take: (bytes: Buffer, length: number) => void;
  readonly #prefix = Buffer.alloc(FRAME_HEADER_SIZE);
  #prefixLength = 0;
  /** Of the frame that is under way; 0 between two frames. */
  #length = 0;
  #position = 0;
  /** What is kept of it: `#buffer` up to `#kept`. */
  #kept = 0;
  #buffer = Buffer.alloc(WHOLE);
  #longFrames = 0;

  constructor(take: (bytes: Buffer, length: number) => void) {
    this.#take = take;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#length === 0) {
        at = this.#begin(chunk, at);
        if (this.#length === 0) continue;
        // Most frames lie in one chunk.
        if (chunk.length - at >= this.#length) {
          const length = this.#length;
          this.#length = 0;
          this.#take(chunk.subarray(at, at + length), length);
          at += length;
          continue;
        }
      }
      at = this.#fill(chunk, at);
    }
  }

  /** @returns where the frame begins, or the end of the chunk */
  #begin(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#prefix, this.#prefixLength, at, at + FRAME_HEADER_SIZE - this.#prefixLength);
    this.#prefixLength += copied;
    if (this.#prefixLength < FRAME_HEADER_SIZE) return chunk.length;
    this.#prefixLength = 0;
    const length = this.#prefix.readUInt32BE();
    if (length > 0xff_ffff) throw new Error(`a frame of type ${length >>> 24}`);
    this.#length = length;
    this.#position = 0;
    this.#kept = length;
    if (length > WHOLE) {
      if (this.#longFrames % SAMPLING !== 0) this.#kept = HEAD;
      else if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length);
      this.#longFrames += 1;
    }
    return at + copied;
  }

  #fill(chunk: Buffer, at: number): number {
    const size = Math.min(chunk.length - at, this.#length - this.#position);
    if (this.#position < this.#kept) {
      chunk.copy(this.#buffer, this.#position, at, at + Math.min(size, this.#kept - this.#position));
    }
    this.#position += size;
    if (this.#position === this.#length) {
      const length = this.#length;
      this.#length = 0;
      this.#take(this.#buffer.subarray(0, this.#kept), length);
    }
    return at + size;
  }
}
