// SPDX-License-Identifier: Apache-2.0
/** MODE SENSE and MODE SELECT of 6 and 10 bytes: the caching, control and exceptions pages (SPC-4 6.11 to 6.14, 7.5). */
import { allocated, type Command, type CommandRow, parameterList, writeU64 } from "./command.ts";
import { invalidFieldInCdb, invalidFieldInList, parameterListLengthError, savingNotSupported } from "./sense.ts";
import type { LogicalUnit } from "./unit.ts";

interface ModePage {
  readonly code: number;
  readonly current: (unit: LogicalUnit) => Buffer;
  /** Bits that MODE SELECT may change. */
  readonly changeable: Buffer;
  readonly apply: (unit: LogicalUnit, page: Buffer) => void;
}

/** A page with its code and length. */
function page(code: number, body: number[]): Buffer {
  return Buffer.from([code, body.length, ...body]);
}

const writeCacheEnable = 0x04;
const descriptorFormat = 0x04;
const writeProtect = 0x08;
/** QUEUE ALGORITHM MODIFIER 1: commands may be reordered. */
const unrestrictedReordering = 0x10;

function cachingPage(flags: number): Buffer {
  return page(0x08, [flags, ...Array<number>(17).fill(0)]);
}

function controlPage(flags: number, modifier: number, protect: number): Buffer {
  return page(0x0a, [flags, modifier, protect, 0, 0, 0, 0, 0, 0, 0]);
}

const modePages: readonly ModePage[] = [
  {
    code: 0x08,
    current: (unit) => cachingPage(unit.writeCache ? writeCacheEnable : 0),
    changeable: cachingPage(writeCacheEnable),
    apply: (unit, bytes) => {
      unit.writeCache = (bytes.readUInt8(2) & writeCacheEnable) !== 0;
    },
  },
  {
    code: 0x0a,
    current: (unit) =>
      controlPage(
        unit.descriptorSense ? descriptorFormat : 0,
        unrestrictedReordering,
        unit.softwareWriteProtect ? writeProtect : 0,
      ),
    changeable: controlPage(descriptorFormat, 0, writeProtect),
    apply: (unit, bytes) => {
      unit.descriptorSense = (bytes.readUInt8(2) & descriptorFormat) !== 0;
      unit.softwareWriteProtect = (bytes.readUInt8(4) & writeProtect) !== 0;
    },
  },
  {
    code: 0x1c,
    current: () => page(0x1c, Array<number>(10).fill(0)),
    changeable: page(0x1c, Array<number>(10).fill(0)),
    apply: () => {},
  },
];

const PageControl = { CURRENT: 0, CHANGEABLE: 1, DEFAULT: 2, SAVED: 3 } as const;

function selected(code: number, subpage: number): readonly ModePage[] {
  if (subpage !== 0 && subpage !== 0xff) throw invalidFieldInCdb(3);
  if (code === 0x3f) return modePages;
  const found = modePages.filter((one) => one.code === code);
  if (found.length === 0 || subpage !== 0) throw invalidFieldInCdb(2);
  return found;
}

function blockDescriptor(unit: LogicalUnit, long: boolean): Buffer {
  const { blocks, blockBytes } = unit.medium;
  const descriptor = Buffer.alloc(long ? 16 : 8);
  if (long) writeU64(descriptor, blocks, 0);
  else descriptor.writeUInt32BE(Math.min(blocks, 0xffffffff), 0);
  descriptor.writeUInt32BE(blockBytes, long ? 12 : 4);
  return descriptor;
}

/** DPOFUA, and WP of a unit that cannot be written. */
function deviceSpecific(unit: LogicalUnit): number {
  return 0x10 | (unit.writeProtected ? 0x80 : 0);
}

function modeSense(command: Command, ten: boolean): Buffer {
  const { cdb, unit } = command;
  const control = cdb.readUInt8(2) >> 6;
  if (control === PageControl.SAVED) throw savingNotSupported();
  const pages = selected(cdb.readUInt8(2) & 0x3f, cdb.readUInt8(3));
  const bytes = pages.map((one) => (control === PageControl.CHANGEABLE ? one.changeable : one.current(unit)));
  const withoutDescriptor = (cdb.readUInt8(1) & 0x08) !== 0;
  const long = ten && (cdb.readUInt8(1) & 0x10) !== 0;
  const descriptor = withoutDescriptor ? Buffer.alloc(0) : blockDescriptor(unit, long);
  const header = Buffer.alloc(ten ? 8 : 4);
  const length = header.length + descriptor.length + bytes.reduce((sum, one) => sum + one.length, 0);
  if (ten) {
    header.writeUInt16BE(length - 2, 0);
    header.writeUInt8(deviceSpecific(unit), 3);
    if (long) header.writeUInt8(0x01, 4);
    header.writeUInt16BE(descriptor.length, 6);
  } else {
    header.writeUInt8(length - 1, 0);
    header.writeUInt8(deviceSpecific(unit), 2);
    header.writeUInt8(descriptor.length, 3);
  }
  const data = Buffer.concat([header, descriptor, ...bytes]);
  return allocated(data, ten ? cdb.readUInt16BE(7) : cdb.readUInt8(4));
}

function listLength(cdb: Buffer, ten: boolean): number {
  return ten ? cdb.readUInt16BE(7) : cdb.readUInt8(4);
}

/** MODE SELECT: what may not be changed has to be as it is. */
function modeSelect(command: Command, ten: boolean): undefined {
  const { cdb, unit, nexus, array } = command;
  const length = listLength(cdb, ten);
  if ((cdb.readUInt8(1) & 0x01) !== 0) throw invalidFieldInCdb(1);
  if (length === 0) return;
  const list = parameterList(command, length);
  const headerBytes = ten ? 8 : 4;
  if (length < headerBytes) throw parameterListLengthError();
  let at = headerBytes + (ten ? list.readUInt16BE(6) : list.readUInt8(3));
  const changes: (() => void)[] = [];
  while (at < length) {
    if (at + 2 > length) throw parameterListLengthError();
    const code = list.readUInt8(at) & 0x3f;
    const one = modePages.find((candidate) => candidate.code === code);
    if (one === undefined) throw invalidFieldInList(at);
    const bytes = list.subarray(at, at + one.changeable.length);
    if (bytes.length < one.changeable.length) throw parameterListLengthError();
    if (bytes.readUInt8(1) !== one.changeable.length - 2) throw invalidFieldInList(at + 1);
    const now = one.current(unit);
    for (let index = 2; index < bytes.length; index += 1) {
      const fixed = ~(one.changeable[index] ?? 0) & 0xff;
      if (((bytes[index] ?? 0) & fixed) !== ((now[index] ?? 0) & fixed)) throw invalidFieldInList(at + index);
    }
    changes.push(() => one.apply(unit, bytes));
    at += bytes.length;
  }
  for (const change of changes) change();
  array.attention(unit, "MODE_PARAMETERS_CHANGED", nexus);
}

export const modeRows: readonly CommandRow[] = [
  {
    name: "MODE SENSE(6)",
    opcode: 0x1a,
    usage: [0x1a, 0x08, 0xff, 0xff, 0xff, 0x04],
    run: (command) => modeSense(command, false),
  },
  {
    name: "MODE SENSE(10)",
    opcode: 0x5a,
    usage: [0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0x04],
    run: (command) => modeSense(command, true),
  },
  {
    name: "MODE SELECT(6)",
    opcode: 0x15,
    usage: [0x15, 0x11, 0, 0, 0xff, 0x04],
    dataOut: (cdb) => listLength(cdb, false),
    run: (command) => modeSelect(command, false),
  },
  {
    name: "MODE SELECT(10)",
    opcode: 0x55,
    usage: [0x55, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04],
    dataOut: (cdb) => listLength(cdb, true),
    run: (command) => modeSelect(command, true),
  },
];
