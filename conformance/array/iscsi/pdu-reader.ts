// SPDX-License-Identifier: Apache-2.0
/** Cuts the byte stream of a connection into PDUs and checks their digests. */
import { digestBytes, digestOf } from "./digest.ts";
import { ConnectionError, headerBytes, type Pdu, paddingOf } from "./pdu.ts";

const nothing = Buffer.alloc(0);

export class PduReader {
  headerDigest = false;
  dataDigest = false;
  /** Our MaxRecvDataSegmentLength; a longer data segment ends the connection. */
  maxDataSegment: number;
  #chunks: Buffer[] = [];
  #available = 0;
  #header: Buffer | undefined;

  constructor(maxDataSegment: number) {
    this.maxDataSegment = maxDataSegment;
  }

  /**
   * Takes what the socket delivered and calls `deliver` for each complete PDU, one at a time, so that what the PDU
   * changes (digests after the login) holds for the next one. Throws {@link ConnectionError} where the stream can no
   * longer be followed.
   */
  push(chunk: Buffer, deliver: (pdu: Pdu) => void): void {
    this.#chunks.push(chunk);
    this.#available += chunk.length;
    for (let pdu = this.#next(); pdu !== undefined; pdu = this.#next()) deliver(pdu);
  }

  #next(): Pdu | undefined {
    if (this.#header === undefined) {
      if (this.#available < headerBytes) return undefined;
      this.#header = this.#take(headerBytes);
    }
    const header = this.#header;
    const additionalBytes = header.readUInt8(4) * 4;
    const dataBytes = header.readUIntBE(5, 3);
    if (dataBytes > this.maxDataSegment) throw new ConnectionError(`data segment of ${dataBytes} bytes`);
    const paddedBytes = dataBytes + paddingOf(dataBytes);
    const headerDigestBytes = this.headerDigest ? digestBytes : 0;
    const dataDigestBytes = this.dataDigest && dataBytes > 0 ? digestBytes : 0;
    const rest = additionalBytes + headerDigestBytes + paddedBytes + dataDigestBytes;
    if (this.#available < rest) return undefined;
    this.#header = undefined;
    const body = rest === 0 ? nothing : this.#take(rest);
    const additionalHeader = body.subarray(0, additionalBytes);
    const dataStart = additionalBytes + headerDigestBytes;
    if (this.headerDigest && !digestOf(header, additionalHeader).equals(body.subarray(additionalBytes, dataStart))) {
      throw new ConnectionError("header digest error");
    }
    const padded = body.subarray(dataStart, dataStart + paddedBytes);
    const dataIntact = dataDigestBytes === 0 || digestOf(padded).equals(body.subarray(dataStart + paddedBytes));
    return { header, additionalHeader, data: padded.subarray(0, dataBytes), dataIntact };
  }

  /** Removes `size` available bytes; a view where they lie in one chunk. */
  #take(size: number): Buffer {
    this.#available -= size;
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= size) {
      if (first.length === size) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(size);
      return first.subarray(0, size);
    }
    const target = Buffer.allocUnsafe(size);
    let filled = 0;
    while (filled < size) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) throw new Error("fewer bytes than counted");
      const copied = chunk.copy(target, filled, 0, Math.min(chunk.length, size - filled));
      filled += copied;
      if (copied === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(copied);
    }
    return target;
  }
}
