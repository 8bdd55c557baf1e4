// SPDX-License-Identifier: Apache-2.0

import { crc32c } from "@node-rs/crc32";
import { ProtocolError } from "../errors.ts";
import { ahsLengthOf, BHS_LENGTH, dataSegmentLengthOf, padding } from "./bhs.ts";

const DIGEST_LENGTH = 4;
const MAXIMUM_AHS = 255 * 4;
const EMPTY = Buffer.alloc(0);

/** Takes a data segment piece by piece, in the place where it belongs. */
export interface DataPlacement {
  append(chunk: Buffer): void;
  /** Where the next bytes go, at most `maximum`. */
  room(maximum: number): Buffer;
  /** So many bytes have been put there. */
  filled(count: number): void;
}

/** Bytes of data that are worth a read of their own. */
const LEAST_ROOM = 4096;

export interface PduHandler {
  /**
   * A header has come, and its digest is right. The view is valid during the call.
   * @returns where its data go, or undefined to have them collected
   */
  header(bhs: Buffer): DataPlacement | undefined;
  /** The whole PDU has come. Both views are valid during the call; `data` is empty where they were placed. */
  pdu(bhs: Buffer, data: Buffer): void;
}

/** Cuts the bytes of a connection into PDUs, and checks lengths and digests (RFC 7143 11.2). */
export class PduReader {
  /** Digests are on from the next PDU. */
  headerDigest = false;
  dataDigest = false;
  readonly #handler: PduHandler;
  readonly #maximumData: number;
  readonly #head = Buffer.alloc(BHS_LENGTH + MAXIMUM_AHS + DIGEST_LENGTH);
  readonly #bhs = this.#head.subarray(0, BHS_LENGTH);
  #headLength = 0;
  #headNeeded = BHS_LENGTH;
  #inData = false;
  #placement: DataPlacement | undefined;
  #room: Buffer | undefined;
  /** What is collected where there is no placement. */
  #data: Buffer = EMPTY;
  #dataReceived = 0;
  #dataLength = 0;
  /** Padding and digest behind the data. */
  readonly #tail = Buffer.alloc(3 + DIGEST_LENGTH);
  #tailReceived = 0;
  #tailLength = 0;
  #crc = 0;

  /** @param maximumData bytes in a data segment: the MaxRecvDataSegmentLength that the target was told */
  constructor(handler: PduHandler, maximumData: number) {
    this.#handler = handler;
    this.#maximumData = maximumData;
  }

  /** True between two PDUs. */
  get idle(): boolean {
    return this.#headLength === 0;
  }

  /**
   * Takes what a connection received; whatever the handler throws ends it.
   * @throws ProtocolError
   */
  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      at += this.#inData ? this.#feedData(chunk, at) : this.#feedHead(chunk, at);
    }
  }

  /** Where the next bytes of the connection belong, if they are data that have a place and are not few. */
  room(): Buffer | undefined {
    this.#room = undefined;
    if (!this.#inData || this.#placement === undefined) return undefined;
    const room = this.#placement.room(this.#dataLength - this.#dataReceived);
    if (room.length >= LEAST_ROOM) this.#room = room;
    return this.#room;
  }

  /**
   * Takes what has come into {@link room}.
   * @throws ProtocolError
   */
  filled(count: number): void {
    const view = this.#room?.subarray(0, count);
    if (view === undefined || this.#placement === undefined)
      throw new RangeError("there is no room that could be filled");
    this.#placement.filled(count);
    this.#dataTaken(view);
  }

  #feedHead(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#head, this.#headLength, at, at + this.#headNeeded - this.#headLength);
    this.#headLength += copied;
    if (this.#headLength < this.#headNeeded) return copied;
    const whole = BHS_LENGTH + ahsLengthOf(this.#bhs) + (this.headerDigest ? DIGEST_LENGTH : 0);
    if (this.#headLength < whole) this.#headNeeded = whole;
    else this.#headComplete(whole);
    return copied;
  }

  #headComplete(whole: number): void {
    if (this.headerDigest) {
      const covered = whole - DIGEST_LENGTH;
      if (crc32c(this.#head.subarray(0, covered)) !== this.#head.readUInt32LE(covered)) {
        throw new ProtocolError("a header digest is wrong");
      }
    }
    const length = dataSegmentLengthOf(this.#bhs);
    if (length > this.#maximumData) throw new ProtocolError(`a data segment of ${length} bytes is longer than agreed`);
    this.#placement = this.#handler.header(this.#bhs);
    this.#dataLength = length;
    if (length === 0) {
      this.#complete();
      return;
    }
    this.#inData = true;
    this.#dataReceived = 0;
    this.#tailReceived = 0;
    this.#tailLength = padding(length) + (this.dataDigest ? DIGEST_LENGTH : 0);
    this.#crc = 0;
    this.#data = this.#placement === undefined ? Buffer.allocUnsafe(length) : EMPTY;
  }

  #feedData(chunk: Buffer, at: number): number {
    const wanted = this.#dataLength - this.#dataReceived;
    if (wanted > 0) {
      const view = at === 0 && chunk.length <= wanted ? chunk : chunk.subarray(at, at + wanted);
      if (this.#placement === undefined) view.copy(this.#data, this.#dataReceived);
      else this.#placement.append(view);
      this.#dataTaken(view);
      return view.length;
    }
    const copied = chunk.copy(this.#tail, this.#tailReceived, at, at + this.#tailLength - this.#tailReceived);
    this.#tailReceived += copied;
    if (this.#tailReceived === this.#tailLength) {
      if (this.dataDigest) this.#checkDataDigest();
      this.#complete();
    }
    return copied;
  }

  #dataTaken(view: Buffer): void {
    if (this.dataDigest) this.#crc = crc32c(view, this.#crc);
    this.#dataReceived += view.length;
    if (this.#dataReceived === this.#dataLength && this.#tailLength === 0) this.#complete();
  }

  #checkDataDigest(): void {
    const padded = this.#tailLength - DIGEST_LENGTH;
    const crc = padded === 0 ? this.#crc : crc32c(this.#tail.subarray(0, padded), this.#crc);
    if (crc !== this.#tail.readUInt32LE(padded)) throw new ProtocolError("a data digest is wrong");
  }

  #complete(): void {
    const data = this.#data;
    this.#inData = false;
    this.#headLength = 0;
    this.#headNeeded = BHS_LENGTH;
    this.#placement = undefined;
    this.#data = EMPTY;
    this.#handler.pdu(this.#bhs, data);
  }
}
