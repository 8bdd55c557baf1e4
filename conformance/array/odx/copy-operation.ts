// SPDX-License-Identifier: Apache-2.0
/** One POPULATE TOKEN or WRITE USING TOKEN, from its start until its result is fetched (SPC-4 6.24). */
import type { LogicalUnit } from "../scsi/unit.ts";
import { rodTokenBytes } from "./rod-token.ts";

/** COPY OPERATION STATUS. */
export const CopyStatus = {
  COMPLETED: 0x01,
  COMPLETED_WITH_ERRORS: 0x02,
  COMPLETED_PARTIAL_TOKEN: 0x03,
  COMPLETED_WITH_RESIDUAL: 0x04,
  IN_PROGRESS: 0x10,
  IN_PROGRESS_FOREGROUND: 0x11,
  IN_PROGRESS_BACKGROUND: 0x12,
  TERMINATED: 0x60,
} as const;

/** TRANSFER COUNT UNITS: logical blocks. */
const countsBlocks = 0xf1;
/** ESTIMATED STATUS UPDATE DELAY of an operation that is finished. */
const finishedDelay = 0xfffffffe;
/** Milliseconds that an initiator is told to wait before it asks again. */
const pollDelay = 100;

export class CopyOperation {
  readonly listIdentifier: number;
  readonly serviceAction: number;
  /** The unit that the command went to. */
  readonly unit: LogicalUnit;
  readonly #controller = new AbortController();
  status: number = CopyStatus.IN_PROGRESS_FOREGROUND;
  /** Blocks that are done. */
  transferCount = 0;
  /** SCSI status of the command. */
  completionStatus = 0;
  sense: Buffer | undefined;
  token: Buffer | undefined;
  /** Questions that are still answered with `pretended` although the copy is done. */
  pretendPolls = 0;
  pretended: number = CopyStatus.IN_PROGRESS_BACKGROUND;
  /** The task of a foreground operation is gone: nobody waits for its end. */
  readonly abandoned: AbortSignal;

  constructor(listIdentifier: number, serviceAction: number, unit: LogicalUnit) {
    this.unit = unit;
    this.listIdentifier = listIdentifier;
    this.serviceAction = serviceAction;
    this.abandoned = this.#controller.signal;
  }

  get running(): boolean {
    return this.status >= CopyStatus.IN_PROGRESS && this.status < CopyStatus.TERMINATED;
  }

  /** Stops the copy before its next step. */
  stop(): void {
    this.#controller.abort();
  }
}

/**
 * The answer to RECEIVE ROD TOKEN INFORMATION, or without the tokens to RECEIVE COPY STATUS(LID4) (SPC-4 6.24, 6.30).
 */
export function encodeOperation(operation: CopyOperation, withTokens: boolean): Buffer {
  const pretending = operation.pretendPolls > 0;
  const unfinished = operation.running || pretending;
  const sense = unfinished ? undefined : operation.sense;
  const senseField = sense === undefined ? 0 : Math.ceil(sense.length / 4) * 4;
  const token = unfinished ? undefined : operation.token;
  const header = Buffer.alloc(32 + senseField);
  header.writeUInt8(operation.serviceAction, 4);
  header.writeUInt8(pretending ? operation.pretended : operation.status, 5);
  header.writeUInt32BE(unfinished ? pollDelay : finishedDelay, 8);
  if (!unfinished) header.writeUInt8(operation.completionStatus, 12);
  header.writeUInt8(senseField, 13);
  header.writeUInt8(sense?.length ?? 0, 14);
  header.writeUInt8(countsBlocks, 15);
  header.writeBigUInt64BE(BigInt(pretending ? 0 : operation.transferCount), 16);
  sense?.copy(header, 32);
  let data = header;
  if (withTokens) {
    const descriptors = Buffer.alloc(4 + (token === undefined ? 0 : 2 + rodTokenBytes));
    descriptors.writeUInt32BE(descriptors.length - 4, 0);
    token?.copy(descriptors, 6);
    data = Buffer.concat([header, descriptors]);
  }
  data.writeUInt32BE(data.length - 4, 0);
  return data;
}
