// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError } from "./wire/cursor.ts";

const PREFIX_SIZE = 4;
/** Session message, the only type that direct TCP knows (MS-SMB2 2.1); 0x85 is the keep-alive of NetBIOS. */
const SESSION_MESSAGE = 0x00;
const KEEP_ALIVE = 0x85;

/**
 * Cuts a byte stream into direct TCP frames (MS-SMB2 2.1). A frame that lies in one chunk is handed on as a view; any other
 * is put together in a buffer of its own.
 */
export class FrameAssembler {
  /** Bytes; a longer frame is malformed. */
  maximum: number;
  readonly #allocate: (length: number) => Buffer;
  readonly #prefix = Buffer.alloc(PREFIX_SIZE);
  #prefixLength = 0;
  #frame: Buffer | undefined;
  #filled = 0;

  /** @param allocate makes the buffers of frames that lie in several chunks */
  constructor(maximum: number, allocate: (length: number) => Buffer = Buffer.allocUnsafeSlow) {
    this.maximum = maximum;
    this.#allocate = allocate;
  }

  /**
   * @param take is handed each frame that is complete; `false` asks for no more
   * @returns bytes of the chunk that were used, less than all only where `take` asked for no more
   * @throws MalformedPacketError
   */
  push(chunk: Buffer, take: (frame: Buffer) => unknown): number {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame !== undefined) {
        at += this.#fill(this.#frame, chunk, at);
        if (this.#filled < this.#frame.length) break;
        const frame = this.#frame;
        this.#frame = undefined;
        if (take(frame) === false) break;
        continue;
      }
      const missing = PREFIX_SIZE - this.#prefixLength;
      const copied = chunk.copy(this.#prefix, this.#prefixLength, at, at + missing);
      at += copied;
      this.#prefixLength += copied;
      if (this.#prefixLength < PREFIX_SIZE) break;
      this.#prefixLength = 0;
      const length = this.#length();
      if (length === 0) continue;
      if (at + length <= chunk.length) {
        at += length;
        if (take(chunk.subarray(at - length, at)) === false) break;
      } else {
        this.#frame = this.#allocate(length);
        this.#filled = 0;
      }
    }
    return at;
  }

  #length(): number {
    const type = this.#prefix[0];
    const length = this.#prefix.readUIntBE(1, 3);
    if (type === KEEP_ALIVE && length === 0) return 0;
    if (type !== SESSION_MESSAGE) throw new MalformedPacketError(`type ${type} of a transport frame`);
    if (length > this.maximum) throw new MalformedPacketError(`frame of ${length} bytes, at most ${this.maximum}`);
    return length;
  }

  #fill(frame: Buffer, chunk: Buffer, at: number): number {
    const copied = chunk.copy(frame, this.#filled, at, Math.min(chunk.length, at + frame.length - this.#filled));
    this.#filled += copied;
    return copied;
  }
}
