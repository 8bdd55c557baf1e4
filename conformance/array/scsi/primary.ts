// SPDX-License-Identifier: Apache-2.0
/** TEST UNIT READY, REQUEST SENSE, REPORT LUNS, REPORT TARGET PORT GROUPS, READ CAPACITY (SPC-4 6, SBC-3 5.15, 5.16). */
import { AccessState, allocated, type Command, type CommandRow, writeU64 } from "./command.ts";
import { encodeLun } from "./lun.ts";
import { encodeSense, invalidFieldInCdb, SenseKey, sense } from "./sense.ts";
import type { Target } from "./target.ts";

const noSense = sense(SenseKey.NO_SENSE, 0, 0);

/** REQUEST SENSE, SPC-4 6.39: a pending unit attention is reported here too. */
function requestSense(command: Command): Buffer {
  const { cdb, nexus, unit } = command;
  const found = nexus.takeAttention(unit) ?? noSense;
  return allocated(encodeSense(found, (cdb.readUInt8(1) & 0x01) !== 0), cdb.readUInt8(4));
}

/** The list of REPORT LUNS (SPC-4 6.33); SELECT REPORT 01h asks for well-known units only. */
export function reportLuns(target: Target, cdb: Buffer): Buffer {
  const select = cdb.readUInt8(2);
  if (select > 2) throw invalidFieldInCdb(2);
  const luns = select === 1 ? [] : [...target.luns.keys()].sort((a, b) => a - b).map(encodeLun);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(luns.length * 8, 0);
  return allocated(Buffer.concat([header, ...luns]), cdb.readUInt32BE(6));
}

/** States that may occur: T_SUP to AO_SUP without offline and transitioning (SPC-4 6.37). */
const supportedStates = 0x0f;
/** STATUS CODE: by an implicit change. */
const implicitChange = 0x02;

/** REPORT TARGET PORT GROUPS, SPC-4 6.37. */
function reportTargetPortGroups(command: Command): Buffer {
  const { cdb, array, nexus } = command;
  const format = cdb.readUInt8(1) >> 5;
  if (format > 1) throw invalidFieldInCdb(1);
  const { portalGroups } = nexus.target;
  const groups = array.targetPorts
    .filter(({ portalGroup }) => portalGroups === undefined || portalGroups.includes(portalGroup))
    .map(({ portalGroup, relativeId, state }) => {
      const descriptor = Buffer.alloc(12);
      descriptor.writeUInt8(state, 0);
      descriptor.writeUInt8(supportedStates, 1);
      descriptor.writeUInt16BE(portalGroup, 2);
      descriptor.writeUInt8(state === AccessState.ACTIVE_OPTIMIZED ? 0 : implicitChange, 5);
      descriptor.writeUInt8(1, 7);
      descriptor.writeUInt16BE(relativeId, 10);
      return descriptor;
    });
  const header = Buffer.alloc(format === 1 ? 8 : 4);
  header.writeUInt32BE(header.length - 4 + groups.length * 12, 0);
  if (format === 1) header.writeUInt8(0x10, 4);
  return allocated(Buffer.concat([header, ...groups]), cdb.readUInt32BE(6));
}

function readCapacity10(command: Command): Buffer {
  const { cdb, unit } = command;
  // PMI, and an address that only it makes meaningful, are obsolete.
  if ((cdb.readUInt8(8) & 0x01) === 0 && cdb.readUInt32BE(2) !== 0) throw invalidFieldInCdb(2);
  const data = Buffer.alloc(8);
  data.writeUInt32BE(Math.min(unit.medium.blocks - 1, 0xffffffff), 0);
  data.writeUInt32BE(unit.medium.blockBytes, 4);
  return data;
}

/** READ CAPACITY(16) data, SBC-3 5.16.2. */
function readCapacity16(command: Command): Buffer {
  const { cdb, unit } = command;
  const data = Buffer.alloc(32);
  writeU64(data, unit.medium.blocks - 1, 0);
  data.writeUInt32BE(unit.medium.blockBytes, 8);
  data.writeUInt8(unit.options.physicalBlockExponent, 13);
  // LBPME and LBPRZ.
  if (unit.options.thin) data.writeUInt8(0xc0, 14);
  return allocated(data, cdb.readUInt32BE(10));
}

const u32 = [0xff, 0xff, 0xff, 0xff];
const u64 = [...u32, ...u32];

export const primaryRows: readonly CommandRow[] = [
  { name: "TEST UNIT READY", opcode: 0x00, usage: [0x00, 0, 0, 0, 0, 0x04], run: () => undefined },
  {
    name: "REQUEST SENSE",
    opcode: 0x03,
    usage: [0x03, 0x01, 0, 0, 0xff, 0x04],
    always: true,
    inStandby: true,
    run: requestSense,
  },
  {
    name: "REPORT LUNS",
    opcode: 0xa0,
    usage: [0xa0, 0, 0xff, 0, 0, 0, ...u32, 0, 0x04],
    always: true,
    inStandby: true,
    run: (command) => reportLuns(command.nexus.target, command.cdb),
  },
  {
    name: "REPORT TARGET PORT GROUPS",
    opcode: 0xa3,
    serviceAction: 0x0a,
    usage: [0xa3, 0xea, 0, 0, 0, 0, ...u32, 0, 0x04],
    notReady: true,
    inStandby: true,
    run: reportTargetPortGroups,
  },
  {
    name: "READ CAPACITY(10)",
    opcode: 0x25,
    usage: [0x25, 0, ...u32, 0, 0, 0x01, 0x04],
    run: readCapacity10,
  },
  {
    name: "READ CAPACITY(16)",
    opcode: 0x9e,
    serviceAction: 0x10,
    usage: [0x9e, 0x10, ...u64, ...u32, 0, 0x04],
    run: readCapacity16,
  },
];
