// SPDX-License-Identifier: Apache-2.0
/** PDUs that the target makes: SCSI Response, Data-In, R2T, Asynchronous Message, Reject (RFC 7143 11.4 to 11.17). */
import type { ReadyToTransfer } from "./data-out.ts";
import { finalBit, newHeader, Opcode, reservedTag } from "./pdu.ts";

const overflowBit = 0x04;
const underflowBit = 0x02;
const statusBit = 0x01;

/** Flag and count for the difference between what was expected and what the device transfers (RFC 7143 11.4.5). */
export interface Residual {
  readonly flag: number;
  readonly count: number;
}

export function residualOf(expected: number, actual: number): Residual {
  if (actual > expected) return { flag: overflowBit, count: actual - expected };
  if (actual < expected) return { flag: underflowBit, count: expected - actual };
  return { flag: 0, count: 0 };
}

/** SCSI Response, RFC 7143 11.4. */
export function scsiResponse(taskTag: number, status: number, residual: Residual, expDataSN: number): Buffer {
  const header = newHeader(Opcode.SCSI_RESPONSE, finalBit | residual.flag, taskTag);
  header.writeUInt8(status, 3);
  header.writeUInt32BE(expDataSN, 36);
  header.writeUInt32BE(residual.count, 44);
  return header;
}

/** The data segment of a SCSI Response with sense data (RFC 7143 11.4.7). */
export function senseSegment(sense: Buffer): Buffer {
  const segment = Buffer.alloc(2 + sense.length);
  segment.writeUInt16BE(sense.length, 0);
  sense.copy(segment, 2);
  return segment;
}

export interface DataInFields {
  readonly taskTag: number;
  readonly lun: Buffer;
  readonly dataSN: number;
  readonly offset: number;
  /** The end of a burst. */
  readonly final: boolean;
  /** With the last PDU of a command that ended well: no SCSI Response follows. */
  readonly status?: { readonly code: number; readonly residual: Residual };
}

/** SCSI Data-In, RFC 7143 11.7. */
export function dataIn(fields: DataInFields): Buffer {
  const { status } = fields;
  const flags = (fields.final ? finalBit : 0) | (status === undefined ? 0 : statusBit | status.residual.flag);
  const header = newHeader(Opcode.DATA_IN, flags, fields.taskTag);
  header.writeUInt32BE(reservedTag, 20);
  header.writeUInt32BE(fields.dataSN, 36);
  header.writeUInt32BE(fields.offset, 40);
  if (status !== undefined) {
    header.writeUInt8(status.code, 3);
    header.writeUInt32BE(status.residual.count, 44);
  }
  return header;
}

/** Ready To Transfer, RFC 7143 11.8. `statSN` is the next one; an R2T does not take it. */
export function readyToTransfer(taskTag: number, lun: Buffer, r2t: ReadyToTransfer, statSN: number): Buffer {
  const header = newHeader(Opcode.R2T, finalBit, taskTag);
  lun.copy(header, 8);
  header.writeUInt32BE(r2t.transferTag, 20);
  header.writeUInt32BE(statSN, 24);
  header.writeUInt32BE(r2t.r2tSN, 36);
  header.writeUInt32BE(r2t.offset, 40);
  header.writeUInt32BE(r2t.length, 44);
  return header;
}

/** RFC 7143 11.9.1. */
export const AsyncEvent = {
  SCSI_EVENT: 0,
  LOGOUT_REQUESTED: 1,
  CONNECTION_WILL_DROP: 2,
  ALL_CONNECTIONS_WILL_DROP: 3,
  NEGOTIATION_REQUESTED: 4,
} as const;

/** Asynchronous Message, RFC 7143 11.9; times in seconds. */
export function asyncMessage(event: number, parameters: readonly [number, number, number]): Buffer {
  const header = newHeader(Opcode.ASYNC_MESSAGE, finalBit, reservedTag);
  header.writeUInt8(event, 36);
  header.writeUInt16BE(parameters[0], 38);
  header.writeUInt16BE(parameters[1], 40);
  header.writeUInt16BE(parameters[2], 42);
  return header;
}

/** RFC 7143 11.17.1. */
export const RejectReason = {
  DATA_DIGEST_ERROR: 0x02,
  SNACK_REJECT: 0x03,
  PROTOCOL_ERROR: 0x04,
  COMMAND_NOT_SUPPORTED: 0x05,
  TASK_IN_PROGRESS: 0x07,
  INVALID_PDU_FIELD: 0x09,
} as const;

/** Reject, RFC 7143 11.17; its data segment is the header of the PDU that is rejected. */
export function reject(reason: number): Buffer {
  const header = newHeader(Opcode.REJECT, finalBit, reservedTag);
  header.writeUInt8(reason, 2);
  return header;
}
