// SPDX-License-Identifier: Apache-2.0

/** The PDUs around commands: NOP, task management, asynchronous messages, reject, logout (RFC 7143 11.5 to 11.19). */

import { FINAL, flagsOf, IMMEDIATE, initiatorTaskTagOf, NO_TAG, newBhs, Opcode, targetTransferTagOf } from "./bhs.ts";

export interface SequenceNumbers {
  readonly cmdSn: number;
  readonly expStatSn: number;
}

function writeSequence(bhs: Buffer, { cmdSn, expStatSn }: SequenceNumbers): Buffer {
  bhs.writeUInt32BE(cmdSn, 24);
  bhs.writeUInt32BE(expStatSn, 28);
  return bhs;
}

/** NOP-Out that asks for an answer (RFC 7143 11.18). */
export function encodePing(initiatorTaskTag: number, sequence: SequenceNumbers): Buffer {
  const bhs = newBhs(Opcode.NOP_OUT | IMMEDIATE, FINAL, 0, initiatorTaskTag);
  bhs.writeUInt32BE(NO_TAG, 20);
  return writeSequence(bhs, sequence);
}

/** NOP-Out that answers the NOP-In of a target (RFC 7143 11.18). */
export function encodePong(nopIn: NopIn, sequence: SequenceNumbers): Buffer {
  const bhs = newBhs(Opcode.NOP_OUT | IMMEDIATE, FINAL, 0, NO_TAG);
  bhs.writeBigUInt64BE(nopIn.lun, 8);
  bhs.writeUInt32BE(nopIn.targetTransferTag, 20);
  return writeSequence(bhs, sequence);
}

export interface NopIn {
  /** `NO_TAG` where the target asks. */
  readonly initiatorTaskTag: number;
  /** `NO_TAG` where no answer is wanted. */
  readonly targetTransferTag: number;
  readonly lun: bigint;
}

/** NOP-In (RFC 7143 11.19). */
export function decodeNopIn(bhs: Buffer): NopIn {
  return {
    initiatorTaskTag: initiatorTaskTagOf(bhs),
    targetTransferTag: targetTransferTagOf(bhs),
    lun: bhs.readBigUInt64BE(8),
  };
}

/** Functions of Task Management (RFC 7143 11.5.1). */
export const TaskManagementFunction = {
  ABORT_TASK: 1,
  LOGICAL_UNIT_RESET: 5,
} as const;

export interface TaskManagementRequest extends SequenceNumbers {
  readonly taskFunction: number;
  readonly initiatorTaskTag: number;
  readonly lun: bigint;
  /** The task to abort; `NO_TAG` for functions on a whole unit. */
  readonly referencedTaskTag: number;
  /** CmdSN of the task to abort. */
  readonly refCmdSn: number;
}

/** Task Management Function Request, delivered at once (RFC 7143 11.5). */
export function encodeTaskManagementRequest(request: TaskManagementRequest): Buffer {
  const bhs = newBhs(
    Opcode.TASK_MANAGEMENT_REQUEST | IMMEDIATE,
    FINAL | request.taskFunction,
    0,
    request.initiatorTaskTag,
  );
  bhs.writeBigUInt64BE(request.lun, 8);
  bhs.writeUInt32BE(request.referencedTaskTag, 20);
  bhs.writeUInt32BE(request.refCmdSn, 32);
  return writeSequence(bhs, request);
}

/** Responses to Task Management (RFC 7143 11.6.1). */
export const TaskManagementResponse = {
  FUNCTION_COMPLETE: 0,
  TASK_DOES_NOT_EXIST: 1,
  LUN_DOES_NOT_EXIST: 2,
  NOT_SUPPORTED: 5,
  REJECTED: 255,
} as const;

/** Byte 2 of a Task Management Function Response, a SCSI Response or a Logout Response. */
export const responseOf = (bhs: Buffer): number => bhs[2] ?? 0;

/** Asynchronous events (RFC 7143 11.9.1). */
export const AsyncEvent = {
  SCSI_EVENT: 0,
  LOGOUT_REQUESTED: 1,
  CONNECTION_DROPPED: 2,
  SESSION_DROPPED: 3,
  NEGOTIATION_REQUESTED: 4,
} as const;

export interface AsyncMessage {
  readonly event: number;
  readonly lun: bigint;
  /** Seconds; which ones depends on the event. */
  readonly parameter3: number;
}

/** Asynchronous Message (RFC 7143 11.9). */
export function decodeAsyncMessage(bhs: Buffer): AsyncMessage {
  return { event: bhs[36] ?? 0, lun: bhs.readBigUInt64BE(8), parameter3: bhs.readUInt16BE(42) };
}

/** Reasons of a Reject (RFC 7143 11.17.1). */
const rejectReasons = new Map<number, string>([
  [0x02, "data digest error"],
  [0x03, "SNACK reject"],
  [0x04, "protocol error"],
  [0x05, "command not supported"],
  [0x06, "too many immediate commands"],
  [0x07, "task in progress"],
  [0x08, "invalid data ACK"],
  [0x09, "invalid PDU field"],
  [0x0a, "out of resources"],
  [0x0b, "negotiation reset"],
  [0x0c, "waiting for logout"],
]);

export interface Reject {
  readonly reason: number;
  readonly reasonText: string;
  /** Header of the PDU that was refused; `undefined` where the target sent none. */
  readonly refused: Buffer | undefined;
}

/** Reject (RFC 7143 11.17). */
export function decodeReject(bhs: Buffer, data: Buffer): Reject {
  const reason = bhs[2] ?? 0;
  return {
    reason,
    reasonText: rejectReasons.get(reason) ?? `reason ${reason}`,
    refused: data.length >= 48 ? data.subarray(0, 48) : undefined,
  };
}

/** Logout Request that closes the session (RFC 7143 11.14). */
export function encodeLogoutRequest(initiatorTaskTag: number, sequence: SequenceNumbers): Buffer {
  return writeSequence(newBhs(Opcode.LOGOUT_REQUEST | IMMEDIATE, FINAL, 0, initiatorTaskTag), sequence);
}

export interface TextRequest extends SequenceNumbers {
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly final: boolean;
  readonly dataSegmentLength: number;
}

/** Text Request, delivered at once (RFC 7143 11.10). */
export function encodeTextRequest(request: TextRequest): Buffer {
  const flags = request.final ? FINAL : 0;
  const bhs = newBhs(Opcode.TEXT_REQUEST | IMMEDIATE, flags, request.dataSegmentLength, request.initiatorTaskTag);
  bhs.writeUInt32BE(request.targetTransferTag, 20);
  return writeSequence(bhs, request);
}

/** True where text goes on in a further PDU, of Login and Text Responses (RFC 7143 11.11.2). */
export const isContinued = (bhs: Buffer): boolean => (flagsOf(bhs) & 0x40) !== 0;
