// SPDX-License-Identifier: Apache-2.0
/** The 512 bytes of a ROD token (SPC-4 5.16.7.5.1). */
import { randomBytes } from "node:crypto";
import { RodType } from "./options.ts";

export const rodTokenBytes = 512;
/** ROD TOKEN LENGTH: what follows byte 7. */
const rodTokenLength = 0x01f8;
/** What REPORT ALL ROD TOKENS shows of a token: the ROD management token. */
export const managementTokenBytes = 96;
/** Identification CSCD descriptor (SPC-4 6.4.5.2). */
const identificationDescriptor = 0xe4;
/** Where the TARGET DEVICE DESCRIPTOR and the EXTENDED ROD TOKEN DATA lie. */
const targetDescriptorAt = 128;
const extendedDataAt = 256;

/** What a token says about the data and its maker. */
export interface RodTokenFields {
  readonly rodType: number;
  /** COPY MANAGER ROD TOKEN IDENTIFIER. */
  readonly identifier: bigint;
  /** Designation descriptor of the logical unit, at most 24 bytes. */
  readonly creator: Buffer;
  readonly blockBytes: number;
  readonly physicalBlockExponent: number;
  readonly thin: boolean;
  /** NUMBER OF BYTES REPRESENTED. */
  readonly bytesRepresented: number;
  /** Designation descriptor of the array, at most 128 bytes. */
  readonly targetDevice: Buffer;
}

/** A new token; its last 256 bytes are random, so that nobody can make up one. */
export function encodeRodToken(fields: RodTokenFields): Buffer {
  const token = Buffer.alloc(rodTokenBytes);
  token.writeUInt32BE(fields.rodType, 0);
  token.writeUInt16BE(rodTokenLength, 6);
  token.writeBigUInt64BE(fields.identifier, 8);
  token.writeUInt8(identificationDescriptor, 16);
  fields.creator.copy(token, 20, 0, 24);
  // The last four bytes of the descriptor: device type specific parameters, the block length (SPC-4 6.4.5.11).
  token.writeUIntBE(fields.blockBytes, 45, 3);
  token.writeBigUInt64BE(BigInt(fields.bytesRepresented), 56);
  token.writeUInt32BE(fields.blockBytes, 96);
  token.writeUInt8(fields.physicalBlockExponent, 101);
  if (fields.thin) token.writeUInt8(0xc0, 102);
  fields.targetDevice.copy(token, targetDescriptorAt, 0, extendedDataAt - targetDescriptorAt);
  randomBytes(rodTokenBytes - extendedDataAt).copy(token, extendedDataAt);
  return token;
}

export function rodTypeOf(token: Buffer): number {
  return token.readUInt32BE(0);
}

export function hasTokenLength(token: Buffer): boolean {
  return token.readUInt16BE(6) === rodTokenLength;
}

/** The token that stands for zeros on every block device (SPC-4 5.16.7.5.2). */
export function isZeroToken(token: Buffer): boolean {
  return rodTypeOf(token) === RodType.BLOCK_DEVICE_ZERO;
}

export function identifierOf(token: Buffer): bigint {
  return token.readBigUInt64BE(8);
}

/** The bytes that name the array that made the token. */
export function targetDeviceOf(token: Buffer): Buffer {
  return token.subarray(targetDescriptorAt, extendedDataAt);
}
