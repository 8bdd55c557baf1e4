// SPDX-License-Identifier: Apache-2.0
/** Sense data (SPC-4 4.5): what went wrong, in fixed or in descriptor format. */

export const SenseKey = {
  NO_SENSE: 0x0,
  NOT_READY: 0x2,
  MEDIUM_ERROR: 0x3,
  HARDWARE_ERROR: 0x4,
  ILLEGAL_REQUEST: 0x5,
  UNIT_ATTENTION: 0x6,
  DATA_PROTECT: 0x7,
  COPY_ABORTED: 0xa,
  ABORTED_COMMAND: 0xb,
  MISCOMPARE: 0xe,
} as const;

/** SAM-5 5.3.1. */
export const ScsiStatus = {
  GOOD: 0x00,
  CHECK_CONDITION: 0x02,
  BUSY: 0x08,
  RESERVATION_CONFLICT: 0x18,
  TASK_SET_FULL: 0x28,
  TASK_ABORTED: 0x40,
} as const;

export interface Sense {
  readonly key: number;
  /** ADDITIONAL SENSE CODE. */
  readonly code: number;
  /** ADDITIONAL SENSE CODE QUALIFIER. */
  readonly qualifier: number;
  /** INFORMATION: the address at fault, or the blocks that were transferred. */
  readonly information?: number;
  /** Where the field at fault begins (SPC-4 4.5.2.4.2). */
  readonly field?: { readonly inCdb: boolean; readonly byte: number };
}

/** Ends a command with CHECK CONDITION. */
export class CheckCondition extends Error {
  readonly sense: Sense;

  constructor(sense: Sense) {
    super(`sense ${sense.key.toString(16)}/${sense.code.toString(16)}/${sense.qualifier.toString(16)}`);
    this.name = "CheckCondition";
    this.sense = sense;
  }
}

/** Ends a command with a status that carries no sense data. */
export class StatusOnly extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`status ${status.toString(16)}`);
    this.name = "StatusOnly";
    this.status = status;
  }
}

export function sense(key: number, code: number, qualifier: number, information?: number): Sense {
  return information === undefined ? { key, code, qualifier } : { key, code, qualifier, information };
}

export function illegal(code: number, qualifier: number): CheckCondition {
  return new CheckCondition({ key: SenseKey.ILLEGAL_REQUEST, code, qualifier });
}

export const invalidOpcode = () => illegal(0x20, 0x00);
export const lbaOutOfRange = () => illegal(0x21, 0x00);
export const unitNotSupported = () => illegal(0x25, 0x00);
export const parameterListLengthError = () => illegal(0x1a, 0x00);
export const savingNotSupported = () => illegal(0x39, 0x00);

/** INVALID FIELD IN CDB with a pointer to the field. */
export function invalidFieldInCdb(byte: number): CheckCondition {
  return new CheckCondition({ ...sense(SenseKey.ILLEGAL_REQUEST, 0x24, 0x00), field: { inCdb: true, byte } });
}

/** INVALID FIELD IN PARAMETER LIST with a pointer to the field. */
export function invalidFieldInList(byte: number): CheckCondition {
  return new CheckCondition({ ...sense(SenseKey.ILLEGAL_REQUEST, 0x26, 0x00), field: { inCdb: false, byte } });
}

export const writeProtected = () => new CheckCondition(sense(SenseKey.DATA_PROTECT, 0x27, 0x00));

/** SPACE ALLOCATION FAILED WRITE PROTECT: thin provisioning promised more than there is (SBC-3 4.7.3.6). */
export const spaceExhausted = sense(SenseKey.DATA_PROTECT, 0x27, 0x07);
/** INTERNAL TARGET FAILURE. */
export const internalFailure = sense(SenseKey.HARDWARE_ERROR, 0x44, 0x00);

/** Unit attention conditions (SPC-4 5.14, SAM-5 5.14). */
export const Attention = {
  POWER_ON: sense(SenseKey.UNIT_ATTENTION, 0x29, 0x00),
  BUS_DEVICE_RESET: sense(SenseKey.UNIT_ATTENTION, 0x29, 0x03),
  NEXUS_LOSS: sense(SenseKey.UNIT_ATTENTION, 0x29, 0x07),
  MODE_PARAMETERS_CHANGED: sense(SenseKey.UNIT_ATTENTION, 0x2a, 0x01),
  ASYMMETRIC_ACCESS_CHANGED: sense(SenseKey.UNIT_ATTENTION, 0x2a, 0x06),
  CAPACITY_CHANGED: sense(SenseKey.UNIT_ATTENTION, 0x2a, 0x09),
  COMMANDS_CLEARED: sense(SenseKey.UNIT_ATTENTION, 0x2f, 0x00),
  REPORTED_LUNS_CHANGED: sense(SenseKey.UNIT_ATTENTION, 0x3f, 0x0e),
} as const;

const maxFixedInformation = 0xffffffff;

/** SKSV, C/D and the field pointer (SPC-4 4.5.2.4.2). */
function senseKeySpecific(target: Buffer, offset: number, field: NonNullable<Sense["field"]>): void {
  target.writeUInt8(0x80 | (field.inCdb ? 0x40 : 0), offset);
  target.writeUInt16BE(field.byte, offset + 1);
}

/** Fixed format, 18 bytes (SPC-4 4.5.3). An INFORMATION of more than 32 bits is left out. */
export function encodeFixedSense(found: Sense): Buffer {
  const data = Buffer.alloc(18);
  const { information, field } = found;
  const valid = information !== undefined && information <= maxFixedInformation;
  data.writeUInt8(0x70 | (valid ? 0x80 : 0), 0);
  data.writeUInt8(found.key, 2);
  if (valid) data.writeUInt32BE(information, 3);
  data.writeUInt8(10, 7);
  data.writeUInt8(found.code, 12);
  data.writeUInt8(found.qualifier, 13);
  if (field !== undefined) senseKeySpecific(data, 15, field);
  return data;
}

/** Descriptor format (SPC-4 4.5.2). */
export function encodeDescriptorSense(found: Sense): Buffer {
  const descriptors: Buffer[] = [];
  if (found.information !== undefined) {
    const information = Buffer.alloc(12);
    information.writeUInt8(0x00, 0);
    information.writeUInt8(10, 1);
    information.writeUInt8(0x80, 2);
    information.writeBigUInt64BE(BigInt(found.information), 4);
    descriptors.push(information);
  }
  if (found.field !== undefined) {
    const specific = Buffer.alloc(8);
    specific.writeUInt8(0x02, 0);
    specific.writeUInt8(6, 1);
    senseKeySpecific(specific, 4, found.field);
    descriptors.push(specific);
  }
  const body = Buffer.concat(descriptors);
  const header = Buffer.alloc(8);
  header.writeUInt8(0x72, 0);
  header.writeUInt8(found.key, 1);
  header.writeUInt8(found.code, 2);
  header.writeUInt8(found.qualifier, 3);
  header.writeUInt8(body.length, 7);
  return Buffer.concat([header, body]);
}

export function encodeSense(found: Sense, descriptorFormat: boolean): Buffer {
  return descriptorFormat ? encodeDescriptorSense(found) : encodeFixedSense(found);
}
