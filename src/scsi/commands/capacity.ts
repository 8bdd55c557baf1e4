// SPDX-License-Identifier: Apache-2.0

import { ProtocolError } from "../errors.ts";
import type { Capacity } from "../logical-unit.ts";
import { newCdb, readU64, requireLength } from "./bytes.ts";

export const READ_CAPACITY_LENGTH = 32;

/** READ CAPACITY(16) (SBC-3 5.16). */
export function readCapacity16(): Buffer {
  const cdb = newCdb(16, 0x9e, 0x10);
  cdb.writeUInt32BE(READ_CAPACITY_LENGTH, 10);
  return cdb;
}

export interface CapacityData extends Capacity {
  /** The unit has logical block provisioning management (LBPME). */
  readonly provisioningManaged: boolean;
  /** LBPRZ. */
  readonly readsZeros: boolean;
  /** Blocks carry protection information (PROT_EN). */
  readonly protection: boolean;
}

/** @throws ProtocolError the numbers make no sense, or are beyond what a number holds */
export function decodeReadCapacity16(data: Buffer): CapacityData {
  requireLength(data, 16, "READ CAPACITY(16)");
  const blocks = readU64(data, 0) + 1;
  const blockSize = data.readUInt32BE(8);
  const powerOfTwo = (blockSize & (blockSize - 1)) === 0;
  if (blockSize < 512 || blockSize > 65536 || !powerOfTwo || !Number.isSafeInteger(blocks * blockSize)) {
    throw new ProtocolError(`${blocks} blocks of ${blockSize} bytes cannot be used`);
  }
  return {
    blocks,
    blockSize,
    physicalBlockSize: blockSize * 2 ** ((data[13] ?? 0) & 0x0f),
    lowestAlignedLba: data.readUInt16BE(14) & 0x3fff,
    provisioningManaged: ((data[14] ?? 0) & 0x80) !== 0,
    readsZeros: ((data[14] ?? 0) & 0x40) !== 0,
    protection: ((data[12] ?? 0) & 0x01) !== 0,
  };
}
