// SPDX-License-Identifier: Apache-2.0
/** Where the address and the length lie in the CDBs that read and write: of 6, 10, 12 and 16 bytes (SBC-3 5). */
import { checkRange, readU64 } from "./command.ts";
import { CheckCondition, lbaOutOfRange, SenseKey, sense } from "./sense.ts";
import type { LogicalUnit } from "./unit.ts";

export interface Extent {
  readonly lba: number;
  /** Blocks. */
  readonly count: number;
}

export function extent6(cdb: Buffer): Extent {
  const count = cdb.readUInt8(4);
  // READ(6) and WRITE(6) cannot ask for nothing: 0 means 256 (SBC-3 5.8).
  return { lba: cdb.readUIntBE(1, 3) & 0x1fffff, count: count === 0 ? 256 : count };
}

export function extent10(cdb: Buffer): Extent {
  return { lba: cdb.readUInt32BE(2), count: cdb.readUInt16BE(7) };
}

export function extent12(cdb: Buffer): Extent {
  return { lba: cdb.readUInt32BE(2), count: cdb.readUInt32BE(6) };
}

export function extent16(cdb: Buffer): Extent {
  return { lba: readU64(cdb, 2), count: cdb.readUInt32BE(10) };
}

/** By the group code in the opcode (SPC-4 4.2.5.1). */
export function extentOf(cdb: Buffer): Extent {
  switch (cdb.readUInt8(0) >> 5) {
    case 0:
      return extent6(cdb);
    case 4:
      return extent16(cdb);
    case 5:
      return extent12(cdb);
    default:
      return extent10(cdb);
  }
}

/** The extent, where all of it exists and it is not longer than one command may transfer (SBC-3 6.5.3). */
export function checkedExtent(cdb: Buffer, unit: LogicalUnit): Extent {
  const extent = extentOf(cdb);
  checkRange(unit, extent.lba, extent.count);
  if (extent.count > unit.options.maxTransferBlocks) throw transferTooLong(cdb);
  return extent;
}

function transferTooLong(cdb: Buffer): CheckCondition {
  const byte = [4, 7, 7, 0, 10, 6][cdb.readUInt8(0) >> 5] ?? 7;
  return new CheckCondition({ ...sense(SenseKey.ILLEGAL_REQUEST, 0x24, 0x00), field: { inCdb: true, byte } });
}

/** Bytes of the blocks; 0 where the command will be refused. */
export function bytesToTransfer(cdb: Buffer, unit: LogicalUnit): number {
  const { count } = extentOf(cdb);
  return count > unit.options.maxTransferBlocks ? 0 : count * unit.medium.blockBytes;
}

/** MEDIUM ERROR with the address of the first bad block. */
export function checkMedium(unit: LogicalUnit, extent: Extent, writing: boolean): void {
  const bad = unit.mediumErrorIn(extent.lba, extent.count);
  if (bad === undefined) return;
  // UNRECOVERED READ ERROR, or WRITE ERROR.
  throw new CheckCondition(sense(SenseKey.MEDIUM_ERROR, writing ? 0x0c : 0x11, 0x00, bad));
}

/** Throws unless the block exists. */
export function checkStart(unit: LogicalUnit, lba: number): void {
  if (lba >= unit.medium.blocks) throw lbaOutOfRange();
}

/** The groups of opcodes whose CDBs hold an address and a length: of 6 to 16 bytes, without service actions. */
const readsOrWrites = /^(08|0a|28|2a|2e|2f|34|35|41|88|89|8a|8b|8e|8f|90|91|93|a8|aa|ae|af)$/;

/** Whether a command reads or writes the block. */
export function addressesBlock(cdb: Buffer, block: number): boolean {
  if (!readsOrWrites.test(cdb.toString("hex", 0, 1))) return false;
  const { lba, count } = extentOf(cdb);
  return block >= lba && block < lba + Math.max(1, count);
}
