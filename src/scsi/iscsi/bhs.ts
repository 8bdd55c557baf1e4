// SPDX-License-Identifier: Apache-2.0

/** Bytes of the basic header segment (RFC 7143 11.2). */
export const BHS_LENGTH = 48;

/** Operation codes (RFC 7143 11.2.1.2). */
export const Opcode = {
  NOP_OUT: 0x00,
  SCSI_COMMAND: 0x01,
  TASK_MANAGEMENT_REQUEST: 0x02,
  LOGIN_REQUEST: 0x03,
  TEXT_REQUEST: 0x04,
  DATA_OUT: 0x05,
  LOGOUT_REQUEST: 0x06,
  NOP_IN: 0x20,
  SCSI_RESPONSE: 0x21,
  TASK_MANAGEMENT_RESPONSE: 0x22,
  LOGIN_RESPONSE: 0x23,
  TEXT_RESPONSE: 0x24,
  DATA_IN: 0x25,
  LOGOUT_RESPONSE: 0x26,
  R2T: 0x31,
  ASYNC_MESSAGE: 0x32,
  REJECT: 0x3f,
} as const;

/** In the first byte: the command is delivered at once and takes no CmdSN (RFC 7143 11.2.1.1). */
export const IMMEDIATE = 0x40;
/** In the second byte: the last PDU of a sequence. */
export const FINAL = 0x80;
/** Initiator Task Tag or Target Transfer Tag that names nothing. */
export const NO_TAG = 0xffffffff;

/** Bytes of padding behind a segment of `length` bytes. */
export const padding = (length: number): number => -length & 3;

/** A BHS with opcode, flags, DataSegmentLength and Initiator Task Tag; everything else is zero. */
export function newBhs(opcode: number, flags: number, dataSegmentLength: number, initiatorTaskTag: number): Buffer {
  const bhs = Buffer.alloc(BHS_LENGTH);
  bhs[0] = opcode;
  bhs[1] = flags;
  // 24 bits; byte 4 is TotalAHSLength, which no PDU of ours needs.
  bhs.writeUInt32BE(dataSegmentLength, 4);
  bhs.writeUInt32BE(initiatorTaskTag, 16);
  return bhs;
}

export const opcodeOf = (bhs: Buffer): number => (bhs[0] ?? 0) & 0x3f;
export const flagsOf = (bhs: Buffer): number => bhs[1] ?? 0;
export const dataSegmentLengthOf = (bhs: Buffer): number => bhs.readUIntBE(5, 3);
/** Bytes of additional header segments. */
export const ahsLengthOf = (bhs: Buffer): number => (bhs[4] ?? 0) * 4;
export const initiatorTaskTagOf = (bhs: Buffer): number => bhs.readUInt32BE(16);
export const targetTransferTagOf = (bhs: Buffer): number => bhs.readUInt32BE(20);
export const statSnOf = (bhs: Buffer): number => bhs.readUInt32BE(24);
export const expCmdSnOf = (bhs: Buffer): number => bhs.readUInt32BE(28);
export const maxCmdSnOf = (bhs: Buffer): number => bhs.readUInt32BE(32);
