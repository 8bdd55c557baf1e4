// SPDX-License-Identifier: Apache-2.0
/** The data of one write: immediate, unsolicited, then solicited by R2Ts (RFC 7143 4.2.5.2, 11.7, 11.8). */
import { dataBuffers } from "../buffers.ts";
import type { Parameters } from "./parameters.ts";
import { isFinal, type Pdu, reservedTag, targetTransferTag } from "./pdu.ts";

/** ASC and ASCQ of the ABORTED COMMAND that ends the task (RFC 7143 11.4.7.2). */
export const TransferError = {
  UNEXPECTED_UNSOLICITED_DATA: [0x0c, 0x0c],
  INCORRECT_AMOUNT_OF_DATA: [0x0c, 0x0d],
  PROTOCOL_SERVICE_CRC_ERROR: [0x47, 0x05],
} as const;
export type TransferFault = (typeof TransferError)[keyof typeof TransferError];

/** One R2T to send. */
export interface ReadyToTransfer {
  readonly transferTag: number;
  readonly r2tSN: number;
  readonly offset: number;
  readonly length: number;
}

interface Burst {
  offset: number;
  readonly end: number;
  dataSN: number;
}

export class DataOutTransfer {
  /** As many bytes as the command wants, no more than the initiator has. */
  readonly #length: number;
  #buffer: Buffer | undefined;
  readonly #expected: number;
  readonly #parameters: Parameters;
  readonly #solicit: (r2t: ReadyToTransfer) => void;
  /** Transfer tags are unique within the connection. */
  readonly #newTag: () => number;
  #unsolicited: Burst | undefined;
  readonly #bursts = new Map<number, Burst>();
  #solicited = 0;
  #received = 0;
  #r2tSN = 0;

  /**
   * @param wanted bytes that the CDB asks for
   * @param expected Expected Data Transfer Length
   */
  constructor(
    wanted: number,
    expected: number,
    parameters: Parameters,
    newTag: () => number,
    solicit: (r2t: ReadyToTransfer) => void,
  ) {
    this.#length = Math.min(wanted, expected);
    this.#expected = expected;
    this.#parameters = parameters;
    this.#newTag = newTag;
    this.#solicit = solicit;
  }

  /** All data is here. */
  get complete(): boolean {
    return this.#unsolicited === undefined && this.#bursts.size === 0 && this.#received >= this.#length;
  }

  /** The data, once they are complete. */
  get buffer(): Buffer {
    this.#buffer ??= dataBuffers.take(this.#length);
    return this.#buffer;
  }

  /** Where the data of a Data-Out PDU belong; undefined where the PDU is not the next one of its sequence. */
  placeOf(header: Buffer, dataBytes: number): Buffer | undefined {
    const offset = header.readUInt32BE(40);
    const burst = this.#burstOf(header);
    if (burst?.offset !== offset || offset + dataBytes > Math.min(burst.end, this.#length)) return undefined;
    return this.buffer.subarray(offset, offset + dataBytes);
  }

  /** Takes the data of the command PDU, for good; `final` is its F bit. Solicits what is missing. */
  begin(immediate: Buffer, final: boolean): TransferFault | undefined {
    const limit = Math.min(this.#parameters.firstBurstLength, this.#expected);
    if (immediate.length > 0 && !this.#parameters.immediateData) return TransferError.UNEXPECTED_UNSOLICITED_DATA;
    if (immediate.length > limit) return TransferError.INCORRECT_AMOUNT_OF_DATA;
    // Mostly that is all.
    if (immediate.length === this.#length) this.#buffer = immediate;
    else {
      immediate.copy(this.buffer, 0);
      dataBuffers.give(immediate);
    }
    this.#received = immediate.length;
    if (!final) {
      if (this.#parameters.initialR2T) return TransferError.UNEXPECTED_UNSOLICITED_DATA;
      this.#unsolicited = { offset: immediate.length, end: limit, dataSN: 0 };
    }
    this.#solicited = immediate.length;
    this.#solicitMore();
    return undefined;
  }

  /** Takes a Data-Out PDU, its data for good. */
  receive(pdu: Pdu): TransferFault | undefined {
    const { header, data } = pdu;
    if (!pdu.dataIntact) return TransferError.PROTOCOL_SERVICE_CRC_ERROR;
    const tag = targetTransferTag(header);
    const burst = this.#burstOf(header);
    if (burst === undefined) return TransferError.UNEXPECTED_UNSOLICITED_DATA;
    // At error recovery level 0 a lost or repeated PDU is not recovered.
    if (header.readUInt32BE(36) !== burst.dataSN) return TransferError.PROTOCOL_SERVICE_CRC_ERROR;
    if (header.readUInt32BE(40) !== burst.offset || burst.offset + data.length > burst.end) {
      return TransferError.INCORRECT_AMOUNT_OF_DATA;
    }
    if (!pdu.placed) {
      if (burst.offset < this.#length) data.copy(this.buffer, burst.offset);
      dataBuffers.give(data);
    }
    this.#received += data.length;
    burst.offset += data.length;
    burst.dataSN += 1;
    if (!isFinal(header)) return undefined;
    if (tag === reservedTag) {
      this.#unsolicited = undefined;
      this.#solicited = burst.offset;
    } else {
      if (burst.offset !== burst.end) return TransferError.INCORRECT_AMOUNT_OF_DATA;
      this.#bursts.delete(tag);
    }
    this.#solicitMore();
    return undefined;
  }

  #burstOf(header: Buffer): Burst | undefined {
    const tag = targetTransferTag(header);
    return tag === reservedTag ? this.#unsolicited : this.#bursts.get(tag);
  }

  #solicitMore(): void {
    if (this.#unsolicited !== undefined) return;
    const { maxBurstLength, maxOutstandingR2T } = this.#parameters;
    while (this.#bursts.size < maxOutstandingR2T && this.#solicited < this.#length) {
      const offset = this.#solicited;
      const length = Math.min(maxBurstLength, this.#length - offset);
      const transferTag = this.#newTag();
      this.#bursts.set(transferTag, { offset, end: offset + length, dataSN: 0 });
      this.#solicited += length;
      this.#solicit({ transferTag, r2tSN: this.#r2tSN, offset, length });
      this.#r2tSN += 1;
    }
  }
}
