// SPDX-License-Identifier: Apache-2.0
/** UNMAP, WRITE SAME and GET LBA STATUS: logical block provisioning (SBC-3 4.7, 5.6, 5.28, 5.43). */
import { checkMedium, checkStart, type Extent, extentOf } from "./addressing.ts";
import {
  allocated,
  type Command,
  type CommandRow,
  checkExpectedLength,
  checkProtect,
  checkRange,
  parameterList,
  readU64,
  writeU64,
} from "./command.ts";
import { invalidFieldInCdb, invalidFieldInList, invalidOpcode, parameterListLengthError } from "./sense.ts";
import type { LogicalUnit } from "./unit.ts";

/** Block Limits VPD page: MAXIMUM UNMAP LBA COUNT and MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT. */
export const maxUnmapBlocks = 0x10_0000;
export const maxUnmapDescriptors = 256;
/** MAXIMUM WRITE SAME LENGTH in blocks. */
export const maxWriteSameBlocks = 0x10_0000;

/** Bytes of one write when a pattern is repeated. */
const patternBytes = 1024 * 1024;

/** OPTIMAL UNMAP GRANULARITY in blocks: what the file systems below can give back. */
export function unmapGranularity(unit: LogicalUnit): number {
  return Math.max(1, 4096 / unit.medium.blockBytes, 2 ** unit.options.physicalBlockExponent);
}

function unmap(command: Command): undefined {
  const { cdb, unit } = command;
  if (!unit.options.thin) throw invalidOpcode();
  // ANCHOR: no block can be anchored here.
  if ((cdb.readUInt8(1) & 0x01) !== 0) throw invalidFieldInCdb(1);
  const length = cdb.readUInt16BE(7);
  if (length === 0) return;
  const list = parameterList(command, length);
  if (length < 8) throw parameterListLengthError();
  const descriptorBytes = list.readUInt16BE(2);
  // Half a descriptor is ignored (SBC-3 5.28.2).
  const count = Math.floor(Math.min(descriptorBytes, length - 8) / 16);
  if (count > maxUnmapDescriptors) throw invalidFieldInList(2);
  const extents: Extent[] = [];
  let total = 0;
  for (let index = 0; index < count; index += 1) {
    const at = 8 + index * 16;
    const extent = { lba: readU64(list, at), count: list.readUInt32BE(at + 8) };
    checkRange(unit, extent.lba, extent.count);
    total += extent.count;
    extents.push(extent);
  }
  if (total > maxUnmapBlocks) throw invalidFieldInList(2);
  const { medium } = unit;
  for (const extent of extents) medium.deallocate(extent.lba * medium.blockBytes, extent.count * medium.blockBytes);
}

/** NDOB of WRITE SAME(16): no data, zeros are meant. */
function hasData(cdb: Buffer): boolean {
  return cdb.readUInt8(0) !== 0x93 || (cdb.readUInt8(1) & 0x01) === 0;
}

function writeSame(command: Command): undefined {
  const { cdb, unit } = command;
  checkProtect(cdb);
  const flags = cdb.readUInt8(1);
  const wantsUnmap = (flags & 0x08) !== 0;
  const anchor = (flags & 0x10) !== 0;
  if (anchor || (wantsUnmap && !unit.options.thin)) throw invalidFieldInCdb(1);
  const { lba, count } = extentOf(cdb);
  checkRange(unit, lba, count);
  // 0 means up to the end of the medium, unless WSNZ forbids it (SBC-3 5.43).
  const blocks = count === 0 ? unit.medium.blocks - lba : count;
  if (blocks > maxWriteSameBlocks) throw invalidFieldInCdb(cdb.readUInt8(0) === 0x93 ? 10 : 7);
  if (blocks === 0) checkStart(unit, lba);
  const { medium } = unit;
  const { blockBytes } = medium;
  checkExpectedLength(command, hasData(cdb) ? blockBytes : 0);
  const block = hasData(cdb) ? command.dataOut.subarray(0, blockBytes) : Buffer.alloc(blockBytes);
  checkMedium(unit, { lba, count: blocks }, true);
  if (wantsUnmap && block.every((byte) => byte === 0)) {
    medium.deallocate(lba * blockBytes, blocks * blockBytes);
    return;
  }
  const pattern = Buffer.alloc(Math.min(blocks * blockBytes, patternBytes), block);
  for (let done = 0; done < blocks * blockBytes; done += pattern.length) {
    medium.write(lba * blockBytes + done, pattern.subarray(0, Math.min(pattern.length, blocks * blockBytes - done)));
  }
}

/** P_STATUS (SBC-3 5.6.2). */
const mapped = 0;
const deallocated = 1;

const maxStatusDescriptors = 1024;

function getLbaStatus(command: Command): Buffer {
  const { cdb, unit } = command;
  const start = readU64(cdb, 2);
  const allocationLength = cdb.readUInt32BE(10);
  checkStart(unit, start);
  const { medium } = unit;
  const descriptors: Buffer[] = [];
  const wanted = Math.min(maxStatusDescriptors, Math.max(1, Math.floor((allocationLength - 8) / 16)));
  for (let lba = start; lba < medium.blocks && descriptors.length < wanted; ) {
    const extent = medium.extent(lba * medium.blockBytes);
    // A block with any data in it is mapped.
    const round = extent.data ? Math.ceil : Math.floor;
    const end = Math.max(lba + 1, round(extent.end / medium.blockBytes));
    const count = Math.min(end - lba, 0xffffffff);
    const descriptor = Buffer.alloc(16);
    writeU64(descriptor, lba, 0);
    descriptor.writeUInt32BE(count, 8);
    descriptor.writeUInt8(extent.data || !unit.options.thin ? mapped : deallocated, 12);
    descriptors.push(descriptor);
    lba += count;
  }
  const header = Buffer.alloc(8);
  header.writeUInt32BE(4 + descriptors.length * 16, 0);
  return allocated(Buffer.concat([header, ...descriptors]), allocationLength);
}

const u32 = [0xff, 0xff, 0xff, 0xff];
const u64 = [...u32, ...u32];
const oneBlock = (cdb: Buffer, unit: LogicalUnit) => (hasData(cdb) ? unit.medium.blockBytes : 0);

export const provisioningRows: readonly CommandRow[] = [
  {
    name: "UNMAP",
    opcode: 0x42,
    usage: [0x42, 0x01, 0, 0, 0, 0, 0x1f, 0xff, 0xff, 0x04],
    dataOut: (cdb) => cdb.readUInt16BE(7),
    writes: true,
    run: unmap,
  },
  {
    name: "WRITE SAME(10)",
    opcode: 0x41,
    usage: [0x41, 0xf8, ...u32, 0x1f, 0xff, 0xff, 0x04],
    dataOut: oneBlock,
    writes: true,
    run: writeSame,
  },
  {
    name: "WRITE SAME(16)",
    opcode: 0x93,
    usage: [0x93, 0xf9, ...u64, ...u32, 0x1f, 0x04],
    dataOut: oneBlock,
    writes: true,
    run: writeSame,
  },
  {
    name: "GET LBA STATUS",
    opcode: 0x9e,
    serviceAction: 0x12,
    usage: [0x9e, 0x12, ...u64, ...u32, 0, 0x04],
    run: getLbaStatus,
  },
];
