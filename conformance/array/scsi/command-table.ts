// SPDX-License-Identifier: Apache-2.0
/** All commands, and REPORT SUPPORTED OPERATION CODES, which tells them (SPC-4 6.35). */
import { odxRows } from "../odx/rows.ts";
import { allocated, type Command, type CommandRow } from "./command.ts";
import { inquiryRows } from "./inquiry.ts";
import { modeRows } from "./mode.ts";
import { primaryRows } from "./primary.ts";
import { provisioningRows } from "./provisioning.ts";
import { readWriteRows } from "./read-write.ts";
import { invalidFieldInCdb } from "./sense.ts";

const supportedOpcodesRow: CommandRow = {
  name: "REPORT SUPPORTED OPERATION CODES",
  opcode: 0xa3,
  serviceAction: 0x0c,
  usage: [0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x04],
  notReady: true,
  inStandby: true,
  run: reportSupportedOpcodes,
};

const rows: readonly CommandRow[] = [
  ...primaryRows,
  ...inquiryRows,
  ...modeRows,
  ...readWriteRows,
  ...provisioningRows,
  ...odxRows,
  supportedOpcodesRow,
];

const byOpcode = new Map<number, CommandRow>();
const withServiceAction = new Set<number>();
for (const row of rows) {
  if (row.serviceAction !== undefined) withServiceAction.add(row.opcode);
  byOpcode.set(keyOf(row.opcode, row.serviceAction ?? 0), row);
}

function keyOf(opcode: number, serviceAction: number): number {
  return opcode * 0x10000 + serviceAction;
}

/** True for an opcode that means different commands by its service action. */
export function hasServiceActions(opcode: number): boolean {
  return withServiceAction.has(opcode);
}

/** The row of a CDB, or undefined. */
export function rowOf(cdb: Buffer): CommandRow | undefined {
  const opcode = cdb.readUInt8(0);
  return byOpcode.get(keyOf(opcode, withServiceAction.has(opcode) ? cdb.readUInt8(1) & 0x1f : 0));
}

/** THIRD-PARTY COPY OUT and IN. */
export function isThirdPartyCopy(opcode: number): boolean {
  return opcode === 0x83 || opcode === 0x84;
}

/** What this array knows: without the copy manager's commands where it has none. */
function supported(command: Command): readonly CommandRow[] {
  const { enabled } = command.array.copyManager.options;
  return enabled ? rows : rows.filter(({ opcode }) => !isThirdPartyCopy(opcode));
}

/** Command timeouts descriptor without values (SPC-4 6.35.4). */
function timeouts(): Buffer {
  const descriptor = Buffer.alloc(12);
  descriptor.writeUInt16BE(10, 0);
  return descriptor;
}

function allCommands(command: Command, withTimeouts: boolean): Buffer {
  const descriptors = supported(command).flatMap((row) => {
    const descriptor = Buffer.alloc(8);
    descriptor.writeUInt8(row.opcode, 0);
    descriptor.writeUInt16BE(row.serviceAction ?? 0, 2);
    // CTDP and SERVACTV.
    descriptor.writeUInt8((withTimeouts ? 0x02 : 0) | (row.serviceAction === undefined ? 0 : 0x01), 5);
    descriptor.writeUInt16BE(row.usage.length, 6);
    return withTimeouts ? [descriptor, timeouts()] : [descriptor];
  });
  const body = Buffer.concat(descriptors);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length, 0);
  return Buffer.concat([header, body]);
}

function oneCommand(row: CommandRow | undefined, withTimeouts: boolean): Buffer {
  const header = Buffer.alloc(4);
  // SUPPORT 001b: not supported; 011b: as in the standard.
  header.writeUInt8((row !== undefined && withTimeouts ? 0x80 : 0) | (row === undefined ? 0x01 : 0x03), 1);
  if (row === undefined) return header;
  header.writeUInt16BE(row.usage.length, 2);
  const usage = Buffer.from(row.usage);
  return Buffer.concat(withTimeouts ? [header, usage, timeouts()] : [header, usage]);
}

function reportSupportedOpcodes(command: Command): Buffer {
  const { cdb } = command;
  const withTimeouts = (cdb.readUInt8(2) & 0x80) !== 0;
  const option = cdb.readUInt8(2) & 0x07;
  const opcode = cdb.readUInt8(3);
  const serviceAction = cdb.readUInt16BE(4);
  const allocationLength = cdb.readUInt32BE(6);
  const known = supported(command);
  if (option === 0) return allocated(allCommands(command, withTimeouts), allocationLength);
  // 1: an opcode without service actions; 2: one with; 3: either.
  if (option > 3) throw invalidFieldInCdb(2);
  if (option === 1 && hasServiceActions(opcode)) throw invalidFieldInCdb(2);
  if (option === 2 && !hasServiceActions(opcode)) throw invalidFieldInCdb(2);
  const row = known.find((one) => one.opcode === opcode && (one.serviceAction ?? 0) === serviceAction);
  return allocated(oneCommand(row, withTimeouts), allocationLength);
}
