// SPDX-License-Identifier: Apache-2.0

import { FINAL, flagsOf, initiatorTaskTagOf, NO_TAG, newBhs, Opcode, targetTransferTagOf } from "./bhs.ts";

/** Task attributes (RFC 7143 11.3.1). */
const SIMPLE = 1;
const READ = 0x40;
const WRITE = 0x20;

export interface ScsiCommandFields {
  readonly initiatorTaskTag: number;
  readonly lun: bigint;
  readonly cdb: Buffer;
  readonly read: boolean;
  readonly write: boolean;
  /** False where unsolicited Data-Out PDUs follow. */
  readonly final: boolean;
  /** Bytes. */
  readonly expectedDataTransferLength: number;
  /** Bytes of immediate data behind the header. */
  readonly dataSegmentLength: number;
  readonly cmdSn: number;
  readonly expStatSn: number;
}

/** SCSI Command (RFC 7143 11.3). The CDB has at most 16 bytes. */
export function encodeScsiCommand(fields: ScsiCommandFields): Buffer {
  const flags = (fields.final ? FINAL : 0) | (fields.read ? READ : 0) | (fields.write ? WRITE : 0) | SIMPLE;
  const bhs = newBhs(Opcode.SCSI_COMMAND, flags, fields.dataSegmentLength, fields.initiatorTaskTag);
  bhs.writeBigUInt64BE(fields.lun, 8);
  bhs.writeUInt32BE(fields.expectedDataTransferLength, 20);
  bhs.writeUInt32BE(fields.cmdSn, 24);
  bhs.writeUInt32BE(fields.expStatSn, 28);
  fields.cdb.copy(bhs, 32, 0, 16);
  return bhs;
}

export interface DataOutFields {
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly lun: bigint;
  readonly final: boolean;
  readonly dataSn: number;
  readonly bufferOffset: number;
  readonly dataSegmentLength: number;
  readonly expStatSn: number;
}

/** SCSI Data-Out (RFC 7143 11.7). */
export function encodeDataOut(fields: DataOutFields): Buffer {
  const bhs = newBhs(Opcode.DATA_OUT, fields.final ? FINAL : 0, fields.dataSegmentLength, fields.initiatorTaskTag);
  // Unsolicited data carry no tag, and then no LUN.
  if (fields.targetTransferTag !== NO_TAG) bhs.writeBigUInt64BE(fields.lun, 8);
  bhs.writeUInt32BE(fields.targetTransferTag, 20);
  bhs.writeUInt32BE(fields.expStatSn, 28);
  bhs.writeUInt32BE(fields.dataSn, 36);
  bhs.writeUInt32BE(fields.bufferOffset, 40);
  return bhs;
}

/** Residual Count: positive for an underflow, negative for an overflow (RFC 7143 11.4.5). */
function residualCount(bhs: Buffer): number {
  const flags = flagsOf(bhs);
  const count = bhs.readUInt32BE(44);
  if ((flags & 0x02) !== 0) return count;
  return (flags & 0x04) !== 0 ? -count : 0;
}

export interface ScsiResponse {
  readonly initiatorTaskTag: number;
  /** 0: the command was completed at the target; anything else: the target failed to. */
  readonly response: number;
  readonly status: number;
  /** Bytes not moved; negative for an overflow. */
  readonly residual: number;
}

/** SCSI Response (RFC 7143 11.4). */
export function decodeScsiResponse(bhs: Buffer): ScsiResponse {
  return {
    initiatorTaskTag: initiatorTaskTagOf(bhs),
    response: bhs[2] ?? 0,
    status: bhs[3] ?? 0,
    residual: residualCount(bhs),
  };
}

export interface DataIn {
  readonly initiatorTaskTag: number;
  /** The status comes with these data, and no SCSI Response follows. */
  readonly hasStatus: boolean;
  readonly status: number;
  readonly dataSn: number;
  readonly bufferOffset: number;
  /** Bytes not moved, with a status; negative for an overflow. */
  readonly residual: number;
}

/** SCSI Data-In (RFC 7143 11.7). */
export function decodeDataIn(bhs: Buffer): DataIn {
  const hasStatus = (flagsOf(bhs) & 0x01) !== 0;
  return {
    initiatorTaskTag: initiatorTaskTagOf(bhs),
    hasStatus,
    status: hasStatus ? (bhs[3] ?? 0) : 0,
    dataSn: bhs.readUInt32BE(36),
    bufferOffset: bhs.readUInt32BE(40),
    residual: hasStatus ? residualCount(bhs) : 0,
  };
}

export interface ReadyToTransfer {
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly lun: bigint;
  readonly r2tSn: number;
  readonly bufferOffset: number;
  readonly desiredDataTransferLength: number;
}

/** Ready To Transfer (RFC 7143 11.8). */
export function decodeR2t(bhs: Buffer): ReadyToTransfer {
  return {
    initiatorTaskTag: initiatorTaskTagOf(bhs),
    targetTransferTag: targetTransferTagOf(bhs),
    lun: bhs.readBigUInt64BE(8),
    r2tSn: bhs.readUInt32BE(36),
    bufferOffset: bhs.readUInt32BE(40),
    desiredDataTransferLength: bhs.readUInt32BE(44),
  };
}
