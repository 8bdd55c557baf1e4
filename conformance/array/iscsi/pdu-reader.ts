// SPDX-License-Identifier: Apache-2.0
/** Cuts the byte stream of a connection into PDUs and checks their digests. */
import { dataBuffers } from "../buffers.ts";
import { digestBytes, digestOf } from "./digest.ts";
import { ConnectionError, headerBytes, type Pdu, paddingOf } from "./pdu.ts";

const nothing = Buffer.alloc(0);

/** Says where a data segment of so many bytes is wanted; undefined leaves it to the reader. */
export type Place = (header: Buffer, dataBytes: number) => Buffer | undefined;

export class PduReader {
  headerDigest = false;
  dataDigest = false;
  /** Our MaxRecvDataSegmentLength; a longer data segment ends the connection. */
  maxDataSegment: number;
  readonly #place: Place;
  /** The four parts of a PDU: header, additional header with the digest of both, data, padding with the digest of both. */
  #parts: [Buffer, Buffer, Buffer, Buffer] = [nothing, nothing, nothing, nothing];
  #part = 0;
  #target: Buffer = Buffer.allocUnsafe(headerBytes);
  #filled = 0;
  #placed = false;

  constructor(maxDataSegment: number, place: Place = () => undefined) {
    this.maxDataSegment = maxDataSegment;
    this.#place = place;
  }

  /**
   * Takes what the socket delivered and calls `deliver` for each complete PDU, one at a time, so that what the PDU
   * changes (digests after the login) holds for the next one. Nothing of the chunk is needed afterwards. Throws
   * {@link ConnectionError} where the stream can no longer be followed.
   */
  push(chunk: Buffer, deliver: (pdu: Pdu) => void): void {
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(this.#target, this.#filled, at);
      at += copied;
      this.#filled += copied;
      while (this.#filled === this.#target.length) this.#complete(deliver);
    }
  }

  /** A part is there: makes room for the next one, which may be empty. */
  #complete(deliver: (pdu: Pdu) => void): void {
    this.#parts[this.#part] = this.#target;
    this.#part += 1;
    this.#filled = 0;
    const [header] = this.#parts;
    const dataBytes = header.readUIntBE(5, 3);
    switch (this.#part) {
      case 1: {
        if (dataBytes > this.maxDataSegment) throw new ConnectionError(`data segment of ${dataBytes} bytes`);
        const size = header.readUInt8(4) * 4 + (this.headerDigest ? digestBytes : 0);
        this.#target = size === 0 ? nothing : Buffer.allocUnsafe(size);
        break;
      }
      case 2: {
        this.#checkHeader();
        const place = dataBytes === 0 ? nothing : this.#place(header, dataBytes);
        this.#placed = place !== undefined;
        this.#target = place ?? dataBuffers.take(dataBytes);
        break;
      }
      case 3: {
        const size = paddingOf(dataBytes) + (this.dataDigest && dataBytes > 0 ? digestBytes : 0);
        this.#target = size === 0 ? nothing : Buffer.allocUnsafe(size);
        break;
      }
      default: {
        const pdu = this.#assemble();
        this.#part = 0;
        this.#target = Buffer.allocUnsafe(headerBytes);
        deliver(pdu);
      }
    }
  }

  #checkHeader(): void {
    if (!this.headerDigest) return;
    const [header, rest] = this.#parts;
    const end = rest.length - digestBytes;
    if (!digestOf(header, rest.subarray(0, end)).equals(rest.subarray(end))) {
      throw new ConnectionError("header digest error");
    }
  }

  #assemble(): Pdu {
    const [header, rest, data, tail] = this.#parts;
    const padding = paddingOf(data.length);
    const digest = tail.subarray(padding);
    return {
      header,
      additionalHeader: rest.subarray(0, header.readUInt8(4) * 4),
      data,
      placed: this.#placed,
      dataIntact: digest.length === 0 || digestOf(data, tail.subarray(0, padding)).equals(digest),
    };
  }
}
