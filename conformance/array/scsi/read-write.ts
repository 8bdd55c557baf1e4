// SPDX-License-Identifier: Apache-2.0
/** READ, WRITE, WRITE AND VERIFY, VERIFY, COMPARE AND WRITE, ORWRITE, PRE-FETCH, SYNCHRONIZE CACHE (SBC-3 5). */
import { dataBuffers } from "../buffers.ts";
import { bytesToTransfer, checkedExtent, checkMedium, type Extent, extentOf } from "./addressing.ts";
import { type Command, type CommandRow, checkExpectedLength, checkProtect, checkRange, readU64 } from "./command.ts";
import { CheckCondition, invalidFieldInCdb, parameterListLengthError, SenseKey, sense } from "./sense.ts";
import type { LogicalUnit } from "./unit.ts";

function read(command: Command): Buffer | undefined {
  const { cdb, unit } = command;
  if (cdb.readUInt8(0) !== 0x08) checkProtect(cdb);
  const extent = checkedExtent(cdb, unit);
  if (extent.count === 0) return undefined;
  checkMedium(unit, extent, false);
  const { medium } = unit;
  const bytes = extent.count * medium.blockBytes;
  return medium.read(extent.lba * medium.blockBytes, bytes, dataBuffers.take(bytes));
}

/**
 * The data of a write. Where the initiator expected to send less than the CDB asks for, the whole blocks of that: the
 * residual count tells it (RFC 7143 11.4.5.1).
 */
function blocksOf(command: Command, extent: Extent): Buffer {
  const { blockBytes } = command.unit.medium;
  const blocks = Math.min(extent.count, Math.floor(command.dataOut.length / blockBytes));
  return command.dataOut.subarray(0, blocks * blockBytes);
}

function write(command: Command): undefined {
  const { cdb, unit } = command;
  if (cdb.readUInt8(0) !== 0x0a) checkProtect(cdb);
  const extent = checkedExtent(cdb, unit);
  if (extent.count === 0) return;
  const data = blocksOf(command, extent);
  checkMedium(unit, extent, true);
  unit.medium.write(extent.lba * unit.medium.blockBytes, data);
}

/** MISCOMPARE DURING VERIFY OPERATION with the offset of the first byte that differs (SBC-3 5.2). */
function miscompare(found: Buffer, expected: Buffer): CheckCondition {
  const step = 4096;
  let offset = 0;
  while (found.subarray(offset, offset + step).equals(expected.subarray(offset, offset + step))) offset += step;
  while (found[offset] === expected[offset]) offset += 1;
  return new CheckCondition(sense(SenseKey.MISCOMPARE, 0x1d, 0x00, offset));
}

/** BYTCHK of VERIFY and WRITE AND VERIFY (SBC-3 5.31): 0 no data, 1 all blocks, 3 one block for all. */
function byteCheck(cdb: Buffer): number {
  return (cdb.readUInt8(1) >> 1) & 3;
}

function verifyBytes(cdb: Buffer, unit: LogicalUnit): number {
  const mode = byteCheck(cdb);
  if (mode === 1) return bytesToTransfer(cdb, unit);
  return mode === 3 && extentOf(cdb).count > 0 ? unit.medium.blockBytes : 0;
}

function verify(command: Command): undefined {
  const { cdb, unit } = command;
  checkProtect(cdb);
  const mode = byteCheck(cdb);
  if (mode === 2) throw invalidFieldInCdb(1);
  const { medium } = unit;
  const extent = extentOf(cdb);
  checkRange(unit, extent.lba, extent.count);
  if (extent.count === 0) return;
  checkMedium(unit, extent, false);
  if (mode === 0) return;
  checkedExtent(cdb, unit);
  const found = medium.read(extent.lba * medium.blockBytes, extent.count * medium.blockBytes);
  const wanted = command.dataOut.subarray(0, verifyBytes(cdb, unit));
  if (wanted.length < verifyBytes(cdb, unit)) throw parameterListLengthError();
  for (let offset = 0; offset < found.length; offset += wanted.length) {
    const piece = found.subarray(offset, offset + wanted.length);
    if (!piece.equals(wanted)) throw miscompare(piece, wanted);
  }
}

function writeAndVerify(command: Command): undefined {
  if (byteCheck(command.cdb) > 1) throw invalidFieldInCdb(1);
  return write(command);
}

/** COMPARE AND WRITE (SBC-3 5.2): the first half is compared, the second written. */
function compareAndWrite(command: Command): undefined {
  const { cdb, unit } = command;
  checkProtect(cdb);
  const extent = { lba: readU64(cdb, 2), count: cdb.readUInt8(13) };
  checkRange(unit, extent.lba, extent.count);
  const { medium } = unit;
  const bytes = extent.count * medium.blockBytes;
  checkExpectedLength(command, 2 * bytes);
  if (extent.count === 0) return;
  checkMedium(unit, extent, false);
  const found = medium.read(extent.lba * medium.blockBytes, bytes);
  const expected = command.dataOut.subarray(0, bytes);
  if (!found.equals(expected)) throw miscompare(found, expected);
  medium.write(extent.lba * medium.blockBytes, command.dataOut.subarray(bytes, 2 * bytes));
}

/** ORWRITE (SBC-3 5.9): sets bits in the blocks that are there. */
function orWrite(command: Command): undefined {
  const { cdb, unit } = command;
  checkProtect(cdb);
  const extent = checkedExtent(cdb, unit);
  checkMedium(unit, extent, false);
  const data = Buffer.from(blocksOf(command, extent));
  const offset = extent.lba * unit.medium.blockBytes;
  const found = unit.medium.read(offset, data.length);
  for (const [index, byte] of found.entries()) data[index] = byte | (data[index] ?? 0);
  unit.medium.write(offset, data);
}

function prefetch(command: Command): undefined {
  const extent = extentOf(command.cdb);
  checkRange(command.unit, extent.lba, extent.count);
}

async function synchronizeCache(command: Command): Promise<undefined> {
  const extent = extentOf(command.cdb);
  checkRange(command.unit, extent.lba, extent.count);
  await command.unit.medium.synchronize();
}

const u32 = [0xff, 0xff, 0xff, 0xff];
const u64 = [...u32, ...u32];
/** GROUP NUMBER, then CONTROL. */
const tail = [0x1f, 0x04];

/** Rows of 10, 12 and 16 bytes that share their fields; `flags` is what byte 1 may hold. */
function family(
  name: string,
  opcodes: readonly [number, number, number],
  flags: number,
  shape: Pick<CommandRow, "run" | "dataOut" | "writes">,
): CommandRow[] {
  const [ten, twelve, sixteen] = opcodes;
  return [
    { name: `${name}(10)`, opcode: ten, usage: [ten, flags, ...u32, 0x1f, 0xff, 0xff, 0x04], ...shape },
    { name: `${name}(12)`, opcode: twelve, usage: [twelve, flags, ...u32, ...u32, ...tail], ...shape },
    { name: `${name}(16)`, opcode: sixteen, usage: [sixteen, flags, ...u64, ...u32, ...tail], ...shape },
  ];
}

const protectDpoFua = 0xf8;

export const readWriteRows: readonly CommandRow[] = [
  { name: "READ(6)", opcode: 0x08, usage: [0x08, 0x1f, 0xff, 0xff, 0xff, 0x04], run: read },
  ...family("READ", [0x28, 0xa8, 0x88], protectDpoFua, { run: read }),
  {
    name: "WRITE(6)",
    opcode: 0x0a,
    usage: [0x0a, 0x1f, 0xff, 0xff, 0xff, 0x04],
    dataOut: bytesToTransfer,
    writes: true,
    run: write,
  },
  ...family("WRITE", [0x2a, 0xaa, 0x8a], protectDpoFua, { dataOut: bytesToTransfer, writes: true, run: write }),
  ...family("WRITE AND VERIFY", [0x2e, 0xae, 0x8e], 0xf6, {
    dataOut: bytesToTransfer,
    writes: true,
    run: writeAndVerify,
  }),
  ...family("VERIFY", [0x2f, 0xaf, 0x8f], 0xf6, { dataOut: verifyBytes, run: verify }),
  {
    name: "COMPARE AND WRITE",
    opcode: 0x89,
    usage: [0x89, protectDpoFua, ...u64, 0, 0, 0, 0xff, ...tail],
    dataOut: (cdb, unit) => 2 * cdb.readUInt8(13) * unit.medium.blockBytes,
    writes: true,
    run: compareAndWrite,
  },
  {
    name: "ORWRITE(16)",
    opcode: 0x8b,
    usage: [0x8b, protectDpoFua, ...u64, ...u32, ...tail],
    dataOut: bytesToTransfer,
    writes: true,
    run: orWrite,
  },
  { name: "PRE-FETCH(10)", opcode: 0x34, usage: [0x34, 0x02, ...u32, 0x1f, 0xff, 0xff, 0x04], run: prefetch },
  { name: "PRE-FETCH(16)", opcode: 0x90, usage: [0x90, 0x02, ...u64, ...u32, ...tail], run: prefetch },
  {
    name: "SYNCHRONIZE CACHE(10)",
    opcode: 0x35,
    usage: [0x35, 0x02, ...u32, 0x1f, 0xff, 0xff, 0x04],
    run: synchronizeCache,
  },
  {
    name: "SYNCHRONIZE CACHE(16)",
    opcode: 0x91,
    usage: [0x91, 0x02, ...u64, ...u32, ...tail],
    run: synchronizeCache,
  },
];
