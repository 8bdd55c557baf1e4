// SPDX-License-Identifier: Apache-2.0
/** One SCSI Command PDU and what it became. */
import { initiatorTaskTag, isImmediate, lunField } from "./pdu.ts";

/** RFC 7143 11.3.1: ATTR. */
export const TaskAttribute = { UNTAGGED: 0, SIMPLE: 1, ORDERED: 2, HEAD_OF_QUEUE: 3, ACA: 4 } as const;

const readBit = 0x40;
const writeBit = 0x20;

/** A SCSI Command PDU, RFC 7143 11.3. */
export interface CommandPdu {
  readonly taskTag: number;
  readonly lun: Buffer;
  readonly cdb: Buffer;
  readonly attribute: number;
  readonly immediate: boolean;
  readonly final: boolean;
  readonly read: boolean;
  readonly write: boolean;
  /** Expected Data Transfer Length in bytes. */
  readonly expectedLength: number;
}

/** The type of an additional header segment that carries bytes 16 and up of a long CDB (RFC 7143 11.2.2.1). */
const extendedCdb = 1;

export function decodeCommand(header: Buffer, additionalHeader: Buffer): CommandPdu {
  const flags = header.readUInt8(1);
  let cdb = Buffer.from(header.subarray(32, 48));
  if (additionalHeader.length >= 4 && additionalHeader.readUInt8(2) === extendedCdb) {
    const length = additionalHeader.readUInt16BE(0);
    cdb = Buffer.concat([cdb, additionalHeader.subarray(4, 3 + length)]);
  }
  return {
    taskTag: initiatorTaskTag(header),
    lun: Buffer.from(lunField(header)),
    cdb,
    attribute: flags & 7,
    immediate: isImmediate(header),
    final: (flags & 0x80) !== 0,
    read: (flags & readBit) !== 0,
    write: (flags & writeBit) !== 0,
    expectedLength: header.readUInt32BE(20),
  };
}

/** An outstanding task. */
export class Task {
  readonly command: CommandPdu;
  readonly #controller = new AbortController();
  /** Set when an answer must no longer be sent. */
  silent = false;
  /** All data is here and the device works on it. */
  started = false;

  constructor(command: CommandPdu) {
    this.command = command;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the task without a response; a copy that it runs stops at its next step. */
  abort(): void {
    this.silent = true;
    this.#controller.abort();
  }
}
