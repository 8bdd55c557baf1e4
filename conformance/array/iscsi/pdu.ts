// SPDX-License-Identifier: Apache-2.0
/** iSCSI PDUs: opcodes, the 48-byte basic header segment and its common fields (RFC 7143 11.2). */

/** RFC 7143 11.2.1.2: the low six bits of the first byte. */
export const Opcode = {
  NOP_OUT: 0x00,
  SCSI_COMMAND: 0x01,
  TASK_MANAGEMENT_REQUEST: 0x02,
  LOGIN_REQUEST: 0x03,
  TEXT_REQUEST: 0x04,
  DATA_OUT: 0x05,
  LOGOUT_REQUEST: 0x06,
  SNACK_REQUEST: 0x10,
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

export const headerBytes = 48;
/** F or T bit of byte 1: the last PDU of a sequence, or a wish to leave the login stage. */
export const finalBit = 0x80;
/** C bit of byte 1 in Login and Text: the text goes on in the next PDU. */
export const continueBit = 0x40;
/** I bit of byte 0: the command does not take a CmdSN of its own. */
const immediateBit = 0x40;
/** "No tag": RFC 7143 11.2.1.8. */
export const reservedTag = 0xffffffff;

/** A PDU as received. */
export interface Pdu {
  readonly header: Buffer;
  readonly additionalHeader: Buffer;
  readonly data: Buffer;
  /** The data are where they were wanted. */
  readonly placed: boolean;
  /** False where the data digest did not match: RFC 7143 7.8 says what becomes of the PDU then. */
  readonly dataIntact: boolean;
}

/** What cannot be answered within the protocol: the connection is dropped. */
export class ConnectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConnectionError";
  }
}

export function opcodeOf(header: Buffer): number {
  return header.readUInt8(0) & 0x3f;
}

export function isImmediate(header: Buffer): boolean {
  return (header.readUInt8(0) & immediateBit) !== 0;
}

export function isFinal(header: Buffer): boolean {
  return (header.readUInt8(1) & finalBit) !== 0;
}

export function isContinued(header: Buffer): boolean {
  return (header.readUInt8(1) & continueBit) !== 0;
}

/** Logical Unit Number field, eight bytes: a view. */
export function lunField(header: Buffer): Buffer {
  return header.subarray(8, 16);
}

export function initiatorTaskTag(header: Buffer): number {
  return header.readUInt32BE(16);
}

export function targetTransferTag(header: Buffer): number {
  return header.readUInt32BE(20);
}

export function cmdSN(header: Buffer): number {
  return header.readUInt32BE(24);
}

export function expStatSN(header: Buffer): number {
  return header.readUInt32BE(28);
}

/** An empty header of a PDU from the target; the caller fills in what its opcode needs. */
export function newHeader(opcode: number, flags: number, taskTag: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(opcode, 0);
  header.writeUInt8(flags, 1);
  header.writeUInt32BE(taskTag, 16);
  return header;
}

/** Padding to the next multiple of four, in bytes. */
export function paddingOf(length: number): number {
  return -length & 3;
}

/** Serial number arithmetic of 32 bits (RFC 1982): true if `a` comes before `b`. */
export function precedes(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function nextSN(serial: number): number {
  return (serial + 1) >>> 0;
}
