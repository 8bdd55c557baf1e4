// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError } from "./wire/cursor.ts";
import { TRANSFORM_HEADER_SIZE } from "./wire/transform-header.ts";
import { WRITE_DATA_OFFSET } from "./wire/write.ts";

const PREFIX_SIZE = 4;
/** Session message, the only type that direct TCP knows (MS-SMB2 2.1); 0x85 is the keep-alive of NetBIOS. */
const SESSION_MESSAGE = 0x00;
const KEEP_ALIVE = 0x85;
/** The byte that an encrypted message begins with (MS-SMB2 2.2.41). */
const TRANSFORM = 0xfd;

/**
 * Cuts a byte stream into direct TCP frames (MS-SMB2 2.1), each in a buffer of its own. What a long frame still lacks can be put
 * where it belongs, without a chunk in between: {@link space}.
 */
export class FrameAssembler {
  /** Bytes; a longer frame is malformed. */
  maximum: number;
  readonly #allocate: (length: number, dataAt: number) => Buffer;
  readonly #prefix = Buffer.alloc(PREFIX_SIZE);
  #prefixLength = 0;
  #frame: Buffer | undefined;
  #filled = 0;

  /** @param allocate makes the buffers of frames; file data, if it has any, begin at `dataAt` in all likelihood */
  constructor(
    maximum: number,
    allocate: (length: number, dataAt: number) => Buffer = (length) => Buffer.allocUnsafeSlow(length),
  ) {
    this.maximum = maximum;
    this.#allocate = allocate;
  }

  /** The rest of the frame that is being put together; `undefined` between frames. */
  get space(): Buffer | undefined {
    return this.#frame?.subarray(this.#filled);
  }

  /** Bytes of that frame that are there already. */
  get filledBytes(): number {
    return this.#frame === undefined ? 0 : this.#filled;
  }

  /**
   * So many bytes have been put at the start of {@link space}.
   * @param take is handed the frame, if that completes it
   */
  filled(count: number, take: (frame: Buffer) => unknown): void {
    const frame = this.#frame;
    if (frame === undefined) throw new RangeError("no frame was begun");
    this.#filled += count;
    if (this.#filled < frame.length) return;
    this.#frame = undefined;
    take(frame);
  }

  /**
   * @param chunk its memory is lent for the call
   * @param take is handed each frame that is complete; `false` asks for no more
   * @returns bytes of the chunk that were used, less than all only where `take` asked for no more
   * @throws MalformedPacketError
   */
  push(chunk: Buffer, take: (frame: Buffer) => unknown): number {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        at += this.#begin(chunk, at);
        continue;
      }
      const frame = this.#frame;
      const copied = chunk.copy(frame, this.#filled, at, Math.min(chunk.length, at + frame.length - this.#filled));
      at += copied;
      this.#filled += copied;
      if (this.#filled < frame.length) break;
      this.#frame = undefined;
      if (take(frame) === false) break;
    }
    return at;
  }

  /** Takes the prefix of a frame, or some of it. @returns bytes used */
  #begin(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#prefix, this.#prefixLength, at, at + PREFIX_SIZE - this.#prefixLength);
    this.#prefixLength += copied;
    if (this.#prefixLength === PREFIX_SIZE) {
      this.#prefixLength = 0;
      const length = this.#length();
      if (length > 0) {
        const before = chunk[at + copied] === TRANSFORM ? TRANSFORM_HEADER_SIZE : 0;
        this.#frame = this.#allocate(length, before + WRITE_DATA_OFFSET);
        this.#filled = 0;
      }
    }
    return copied;
  }

  #length(): number {
    const type = this.#prefix[0];
    const length = this.#prefix.readUIntBE(1, 3);
    if (type === KEEP_ALIVE && length === 0) return 0;
    if (type !== SESSION_MESSAGE) throw new MalformedPacketError(`type ${type} of a transport frame`);
    if (length > this.maximum) throw new MalformedPacketError(`frame of ${length} bytes, at most ${this.maximum}`);
    return length;
  }
}
