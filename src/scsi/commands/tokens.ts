// SPDX-License-Identifier: Apache-2.0

/** Third-party copy with ROD tokens (SPC-4 6.4, 6.18, 6.25 to 6.27; SBC-3 5.9, 5.45). */

import { ProtocolError } from "../errors.ts";
import type { BlockRange, PopulateTokenRequest, RodTokenInformation, WriteUsingTokenRequest } from "../logical-unit.ts";
import { newCdb, requireLength, writeU64 } from "./bytes.ts";

export const ROD_TOKEN_LENGTH = 512;
/** Bytes that a copy manager tells of each token in REPORT ALL ROD TOKENS. */
const MANAGEMENT_TOKEN_LENGTH = 96;
const RANGE_DESCRIPTOR_LENGTH = 16;
const TOKEN_DESCRIPTOR_LENGTH = 2 + ROD_TOKEN_LENGTH;

/** The list identifier is at another place than in what receives its result. */
function copyOut(serviceAction: number, listIdentifier: number, parameterListLength: number): Buffer {
  const cdb = newCdb(16, 0x83, serviceAction);
  cdb.writeUInt32BE(listIdentifier, 6);
  cdb.writeUInt32BE(parameterListLength, 10);
  return cdb;
}

export const populateTokenCdb = (listIdentifier: number, parameterListLength: number): Buffer =>
  copyOut(0x10, listIdentifier, parameterListLength);

export const writeUsingTokenCdb = (listIdentifier: number, parameterListLength: number): Buffer =>
  copyOut(0x11, listIdentifier, parameterListLength);

export function copyOperationAbortCdb(listIdentifier: number): Buffer {
  const cdb = newCdb(16, 0x83, 0x1c);
  cdb.writeUInt32BE(listIdentifier, 2);
  return cdb;
}

export function receiveRodTokenInformationCdb(listIdentifier: number, allocationLength: number): Buffer {
  const cdb = newCdb(16, 0x84, 0x07);
  cdb.writeUInt32BE(listIdentifier, 2);
  cdb.writeUInt32BE(allocationLength, 10);
  return cdb;
}

export function reportAllRodTokensCdb(allocationLength: number): Buffer {
  const cdb = newCdb(16, 0x84, 0x08);
  cdb.writeUInt32BE(allocationLength, 10);
  return cdb;
}

function writeRanges(list: Buffer, offset: number, ranges: readonly BlockRange[]): void {
  ranges.forEach(({ lba, blocks }, index) => {
    const at = offset + RANGE_DESCRIPTOR_LENGTH * index;
    writeU64(list, lba, at);
    list.writeUInt32BE(blocks, at + 8);
  });
}

/** Parameter list of POPULATE TOKEN; the command is a synchronous one. */
export function populateTokenParameters({ ranges, inactivityTimeout, rodType }: PopulateTokenRequest): Buffer {
  const descriptors = RANGE_DESCRIPTOR_LENGTH * ranges.length;
  const list = Buffer.alloc(16 + descriptors);
  list.writeUInt16BE(list.length - 2, 0);
  if (rodType !== undefined) {
    // RTV: the type is meant.
    list[2] = 0x02;
    list.writeUInt32BE(rodType, 8);
  }
  list.writeUInt32BE(inactivityTimeout, 4);
  list.writeUInt16BE(descriptors, 14);
  writeRanges(list, 16, ranges);
  return list;
}

/** Parameter list of WRITE USING TOKEN; the command is a synchronous one. */
export function writeUsingTokenParameters(request: WriteUsingTokenRequest): Buffer {
  const { token, offsetInRod, ranges, deleteToken } = request;
  if (token.length !== ROD_TOKEN_LENGTH) throw new RangeError("a ROD token has 512 bytes");
  const descriptors = RANGE_DESCRIPTOR_LENGTH * ranges.length;
  const list = Buffer.alloc(536 + descriptors);
  list.writeUInt16BE(list.length - 2, 0);
  if (deleteToken === true) list[2] = 0x02;
  writeU64(list, offsetInRod, 8);
  token.copy(list, 16);
  list.writeUInt16BE(descriptors, 534);
  writeRanges(list, 536, ranges);
  return list;
}

/** COPY OPERATION STATUS (SPC-4 table 259). */
export const CopyOperationStatus = {
  COMPLETED: 0x01,
  COMPLETED_WITH_ERRORS: 0x02,
  COMPLETED_PARTIAL_ROD: 0x03,
  COMPLETED_RESIDUAL: 0x04,
  IN_PROGRESS: 0x10,
  IN_PROGRESS_FOREGROUND: 0x11,
  IN_PROGRESS_BACKGROUND: 0x12,
  TERMINATED: 0x60,
} as const;

export const isInProgress = (status: number): boolean =>
  status >= CopyOperationStatus.IN_PROGRESS && status <= CopyOperationStatus.IN_PROGRESS_BACKGROUND;

/** Values of ESTIMATED STATUS UPDATE DELAY that are none. */
const NO_DELAY = new Set([0, 0xfffffffe, 0xffffffff]);

/** Parameter data of RECEIVE ROD TOKEN INFORMATION. @throws ProtocolError */
export function decodeRodTokenInformation(data: Buffer): RodTokenInformation {
  requireLength(data, 32, "RECEIVE ROD TOKEN INFORMATION");
  const available = 4 + data.readUInt32BE(0);
  const answer = data.subarray(0, Math.min(available, data.length));
  requireLength(answer, 32, "RECEIVE ROD TOKEN INFORMATION");
  const delay = answer.readUInt32BE(8);
  const senseField = answer[13] ?? 0;
  const senseLength = Math.min(senseField, answer[14] ?? 0);
  requireLength(answer, 32 + senseField, "RECEIVE ROD TOKEN INFORMATION");
  return {
    responseToServiceAction: (answer[4] ?? 0) & 0x1f,
    status: (answer[5] ?? 0) & 0x7f,
    statusUpdateDelay: NO_DELAY.has(delay) ? undefined : delay,
    completionStatus: answer[12] ?? 0,
    senseData: Buffer.from(answer.subarray(32, 32 + senseLength)),
    transferCountUnits: answer[15] ?? 0,
    transferCount: answer.readBigUInt64BE(16),
    token: decodeTokenDescriptor(answer, 32 + senseField),
  };
}

/** The token of the only ROD token descriptor, at `at`. */
function decodeTokenDescriptor(answer: Buffer, at: number): Buffer | undefined {
  if (answer.length < at + 4) return undefined;
  const length = answer.readUInt32BE(at);
  if (length === 0) return undefined;
  // One token, whole: with anything else it is not known where the token begins and ends.
  if (length !== TOKEN_DESCRIPTOR_LENGTH || answer.length < at + 4 + TOKEN_DESCRIPTOR_LENGTH) {
    throw new ProtocolError(`ROD token descriptors of ${length} bytes are not one token`);
  }
  const token = at + 4 + 2;
  return Buffer.from(answer.subarray(token, token + ROD_TOKEN_LENGTH));
}

const UNITS_OF_BLOCKS = 0xf1;
const LARGEST_UNIT = 6;

/**
 * TRANSFER COUNT in blocks, rounded down.
 * @returns undefined for units that SPC-4 does not know, and for more than a number holds
 */
export function transferredBlocks(information: RodTokenInformation, blockSize: number): number | undefined {
  const { transferCount, transferCountUnits } = information;
  let blocks: bigint;
  if (transferCountUnits === UNITS_OF_BLOCKS) blocks = transferCount;
  else if (transferCountUnits <= LARGEST_UNIT) {
    blocks = (transferCount << BigInt(10 * transferCountUnits)) / BigInt(blockSize);
  } else return undefined;
  return blocks <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(blocks) : undefined;
}

/** Parameter data of REPORT ALL ROD TOKENS: the first 96 bytes of each token that has come. @throws ProtocolError */
export function decodeReportAllRodTokens(data: Buffer): Buffer[] {
  requireLength(data, 8, "REPORT ALL ROD TOKENS");
  const end = Math.min(data.length, 4 + data.readUInt32BE(0));
  const tokens: Buffer[] = [];
  for (let at = 8; at + MANAGEMENT_TOKEN_LENGTH <= end; at += MANAGEMENT_TOKEN_LENGTH) {
    tokens.push(Buffer.from(data.subarray(at, at + MANAGEMENT_TOKEN_LENGTH)));
  }
  return tokens;
}

/** Bytes 0-3 of a token: `RodType`. */
export const rodTypeOf = (token: Buffer): number => token.readUInt32BE(0);
