// SPDX-License-Identifier: Apache-2.0
/** The data of one write: immediate, unsolicited, then solicited by R2Ts (RFC 7143 4.2.5.2, 11.7, 11.8). */
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
  readonly buffer: Buffer;
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
    this.buffer = Buffer.allocUnsafe(Math.min(wanted, expected));
    this.#expected = expected;
    this.#parameters = parameters;
    this.#newTag = newTag;
    this.#solicit = solicit;
  }

  /** All data is here. */
  get complete(): boolean {
    return this.#unsolicited === undefined && this.#bursts.size === 0 && this.#received >= this.buffer.length;
  }

  /** Takes the data of the command PDU; `final` is its F bit. Solicits what is missing. */
  begin(immediate: Buffer, final: boolean): TransferFault | undefined {
    const limit = Math.min(this.#parameters.firstBurstLength, this.#expected);
    if (immediate.length > 0 && !this.#parameters.immediateData) return TransferError.UNEXPECTED_UNSOLICITED_DATA;
    if (immediate.length > limit) return TransferError.INCORRECT_AMOUNT_OF_DATA;
    this.#store(immediate, 0);
    if (!final) {
      if (this.#parameters.initialR2T) return TransferError.UNEXPECTED_UNSOLICITED_DATA;
      this.#unsolicited = { offset: immediate.length, end: limit, dataSN: 0 };
    }
    this.#solicited = immediate.length;
    this.#solicitMore();
    return undefined;
  }

  /** Takes a Data-Out PDU. */
  receive(pdu: Pdu): TransferFault | undefined {
    const { header, data } = pdu;
    if (!pdu.dataIntact) return TransferError.PROTOCOL_SERVICE_CRC_ERROR;
    const tag = targetTransferTag(header);
    const burst = tag === reservedTag ? this.#unsolicited : this.#bursts.get(tag);
    if (burst === undefined) return TransferError.UNEXPECTED_UNSOLICITED_DATA;
    // At error recovery level 0 a lost or repeated PDU is not recovered.
    if (header.readUInt32BE(36) !== burst.dataSN) return TransferError.PROTOCOL_SERVICE_CRC_ERROR;
    if (header.readUInt32BE(40) !== burst.offset || burst.offset + data.length > burst.end) {
      return TransferError.INCORRECT_AMOUNT_OF_DATA;
    }
    this.#store(data, burst.offset);
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

  #store(data: Buffer, offset: number): void {
    if (offset < this.buffer.length) data.copy(this.buffer, offset);
    this.#received += data.length;
  }

  #solicitMore(): void {
    if (this.#unsolicited !== undefined) return;
    const { maxBurstLength, maxOutstandingR2T } = this.#parameters;
    while (this.#bursts.size < maxOutstandingR2T && this.#solicited < this.buffer.length) {
      const offset = this.#solicited;
      const length = Math.min(maxBurstLength, this.buffer.length - offset);
      const transferTag = this.#newTag();
      this.#bursts.set(transferTag, { offset, end: offset + length, dataSN: 0 });
      this.#solicited += length;
      this.#solicit({ transferTag, r2tSN: this.#r2tSN, offset, length });
      this.#r2tSN += 1;
    }
  }
}
