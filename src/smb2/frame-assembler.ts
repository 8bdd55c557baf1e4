// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError } from "./wire/cursor.ts";

const PREFIX_SIZE = 4;
/** Session message, the only type that direct TCP knows (MS-SMB2 2.1); 0x85 is the keep-alive of NetBIOS. */
const SESSION_MESSAGE = 0x00;
const KEEP_ALIVE = 0x85;

/** Cuts a byte stream into direct TCP frames (MS-SMB2 2.1). A frame that lies in one chunk is handed on as a view. */
export class FrameAssembler {
  /** Bytes; a longer frame is malformed. */
  maximum: number;
  readonly #prefix = Buffer.alloc(PREFIX_SIZE);
  #prefixLength = 0;
  #frame: Buffer | undefined;
  #filled = 0;

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** @throws MalformedPacketError */
  push(chunk: Buffer, take: (frame: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame !== undefined) {
        at += this.#fill(this.#frame, chunk, at, take);
        continue;
      }
      const missing = PREFIX_SIZE - this.#prefixLength;
      const copied = chunk.copy(this.#prefix, this.#prefixLength, at, at + missing);
      at += copied;
      this.#prefixLength += copied;
      if (this.#prefixLength < PREFIX_SIZE) return;
      this.#prefixLength = 0;
      const length = this.#length();
      if (length === 0) continue;
      if (at + length <= chunk.length) {
        take(chunk.subarray(at, at + length));
        at += length;
      } else {
        this.#frame = Buffer.allocUnsafeSlow(length);
        this.#filled = 0;
      }
    }
  }

  #length(): number {
    const type = this.#prefix[0];
    const length = this.#prefix.readUIntBE(1, 3);
    if (type === KEEP_ALIVE && length === 0) return 0;
    if (type !== SESSION_MESSAGE) throw new MalformedPacketError(`type ${type} of a transport frame`);
    if (length > this.maximum) throw new MalformedPacketError(`frame of ${length} bytes, at most ${this.maximum}`);
    return length;
  }

  #fill(frame: Buffer, chunk: Buffer, at: number, take: (frame: Buffer) => void): number {
    const copied = chunk.copy(frame, this.#filled, at, Math.min(chunk.length, at + frame.length - this.#filled));
    this.#filled += copied;
    if (this.#filled === frame.length) {
      this.#frame = undefined;
      take(frame);
    }
    return copied;
  }
}
