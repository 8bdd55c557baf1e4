// SPDX-License-Identifier: Apache-2.0

import { ProtocolError } from "../errors.ts";

/** Writes a non-negative safe integer as 64 bits, without a `bigint` on the way. */
export function writeU64(target: Buffer, value: number, offset: number): void {
  target.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset);
  target.writeUInt32BE(value >>> 0, offset + 4);
}

/** Reads 64 bits, which have to be a safe integer. @throws ProtocolError */
export function readU64(source: Buffer, offset: number): number {
  const value = source.readUInt32BE(offset) * 0x1_0000_0000 + source.readUInt32BE(offset + 4);
  if (!Number.isSafeInteger(value)) throw new ProtocolError("a 64-bit field of the unit exceeds 2^53 - 1");
  return value;
}

/** A CDB of `length` bytes with its operation code, and a service action in byte 1. */
export function newCdb(length: number, opcode: number, serviceAction = 0): Buffer {
  const cdb = Buffer.alloc(length);
  cdb[0] = opcode;
  cdb[1] = serviceAction;
  return cdb;
}

/** Parameter data have to be this long at least. @throws ProtocolError */
export function requireLength(data: Buffer, length: number, what: string): void {
  if (data.length < length) throw new ProtocolError(`${what} data are ${data.length} bytes long, and not ${length}`);
}
