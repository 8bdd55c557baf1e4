// SPDX-License-Identifier: Apache-2.0

import type { BlockRange } from "../logical-unit.ts";
import { newCdb, writeU64 } from "./bytes.ts";

function rangeCdb(opcode: number, flags: number, lba: number, blocks: number): Buffer {
  const cdb = newCdb(16, opcode, flags);
  writeU64(cdb, lba, 2);
  cdb.writeUInt32BE(blocks, 10);
  return cdb;
}

/** READ(16) (SBC-3 5.11). */
export const read16 = (lba: number, blocks: number): Buffer => rangeCdb(0x88, 0, lba, blocks);

/** WRITE(16) (SBC-3 5.34). */
export const write16 = (lba: number, blocks: number, forceUnitAccess: boolean): Buffer =>
  rangeCdb(0x8a, forceUnitAccess ? 0x08 : 0, lba, blocks);

/** WRITE SAME(16), with one block of data (SBC-3 5.44). 0 blocks would mean all up to the end of the medium. */
export const writeSame16 = (lba: number, blocks: number, unmap: boolean): Buffer =>
  rangeCdb(0x93, unmap ? 0x08 : 0, lba, blocks);

/** SYNCHRONIZE CACHE(10) of the whole medium (SBC-3 5.27). */
export const synchronizeCache10 = (): Buffer => newCdb(10, 0x35);

/** UNMAP (SBC-3 5.28). */
export function unmapCdb(ranges: number): Buffer {
  const cdb = newCdb(10, 0x42);
  cdb.writeUInt16BE(8 + 16 * ranges, 7);
  return cdb;
}

export function unmapParameters(ranges: readonly BlockRange[]): Buffer {
  const list = Buffer.alloc(8 + 16 * ranges.length);
  list.writeUInt16BE(6 + 16 * ranges.length, 0);
  list.writeUInt16BE(16 * ranges.length, 2);
  ranges.forEach(({ lba, blocks }, index) => {
    writeU64(list, lba, 8 + 16 * index);
    list.writeUInt32BE(blocks, 16 + 16 * index);
  });
  return list;
}

/** TEST UNIT READY (SPC-4 6.47). */
export const testUnitReady = (): Buffer => newCdb(6, 0x00);
