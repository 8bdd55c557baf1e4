// SPDX-License-Identifier: Apache-2.0
/** THIRD-PARTY COPY OUT and IN: the token commands and those that look after them (SPC-4 6.3, 6.24, 6.30, 6.31). */
import { allocated, type Command, type CommandRow } from "../scsi/command.ts";
import { invalidFieldInCdb } from "../scsi/sense.ts";
import { encodeOperation } from "./copy-operation.ts";
import { populate, writeUsing } from "./token-commands.ts";

/** Longer parameter lists cannot be right; the handler says what is wrong with them. */
const maxParameterList = 65_536;

/** RECEIVE ROD TOKEN INFORMATION; the result is forgotten once all of it was sent. */
function receiveRodTokenInformation(command: Command): Buffer | undefined {
  const { cdb, nexus, array } = command;
  const operation = array.copyManager.find(nexus, cdb.readUInt32BE(2));
  if (operation === undefined) throw invalidFieldInCdb(2);
  const allocationLength = cdb.readUInt32BE(10);
  const data = encodeOperation(operation, true);
  const finished = !operation.running && operation.pretendPolls === 0;
  if (operation.pretendPolls > 0 && !operation.running) operation.pretendPolls -= 1;
  if (finished && (allocationLength === 0 || allocationLength >= data.length)) {
    array.copyManager.forget(nexus, operation);
  }
  return allocated(data, allocationLength);
}

/** RECEIVE COPY STATUS(LID4): does not take the result away. */
function receiveCopyStatus(command: Command): Buffer {
  const { cdb, nexus, array } = command;
  const operation = array.copyManager.find(nexus, cdb.readUInt32BE(2));
  if (operation === undefined) throw invalidFieldInCdb(2);
  return allocated(encodeOperation(operation, false), cdb.readUInt32BE(10));
}

/** COPY OPERATION ABORT. */
function abortOperation(command: Command): undefined {
  const { cdb, nexus, array } = command;
  const operation = array.copyManager.find(nexus, cdb.readUInt32BE(2));
  if (operation === undefined || !operation.running) throw invalidFieldInCdb(2);
  operation.stop();
}

function reportAllRodTokens(command: Command): Buffer {
  const tokens = command.array.copyManager.tokens.managementTokens();
  const header = Buffer.alloc(8);
  const data = Buffer.concat([header, ...tokens]);
  data.writeUInt32BE(data.length - 4, 0);
  return allocated(data, command.cdb.readUInt32BE(10));
}

const u32 = [0xff, 0xff, 0xff, 0xff];
const none = [0, 0, 0, 0];
const listBytes = (cdb: Buffer) => Math.min(cdb.readUInt32BE(10), maxParameterList);

export const odxRows: readonly CommandRow[] = [
  {
    name: "POPULATE TOKEN",
    opcode: 0x83,
    serviceAction: 0x10,
    usage: [0x83, 0x10, ...none, ...u32, ...u32, 0x1f, 0x04],
    dataOut: listBytes,
    run: populate,
  },
  {
    name: "WRITE USING TOKEN",
    opcode: 0x83,
    serviceAction: 0x11,
    usage: [0x83, 0x11, ...none, ...u32, ...u32, 0x1f, 0x04],
    dataOut: listBytes,
    writes: true,
    run: writeUsing,
  },
  {
    name: "COPY OPERATION ABORT",
    opcode: 0x83,
    serviceAction: 0x1c,
    usage: [0x83, 0x1c, ...u32, ...none, ...none, 0, 0x04],
    run: abortOperation,
  },
  {
    name: "RECEIVE COPY STATUS(LID4)",
    opcode: 0x84,
    serviceAction: 0x05,
    usage: [0x84, 0x05, ...u32, ...none, ...u32, 0, 0x04],
    run: receiveCopyStatus,
  },
  {
    name: "RECEIVE ROD TOKEN INFORMATION",
    opcode: 0x84,
    serviceAction: 0x07,
    usage: [0x84, 0x07, ...u32, ...none, ...u32, 0, 0x04],
    run: receiveRodTokenInformation,
  },
  {
    name: "REPORT ALL ROD TOKENS",
    opcode: 0x84,
    serviceAction: 0x08,
    usage: [0x84, 0x08, ...none, ...none, ...u32, 0, 0x04],
    run: reportAllRodTokens,
  },
];
