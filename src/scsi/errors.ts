// SPDX-License-Identifier: Apache-2.0

import type { SenseData } from "./sense.ts";
import { describeSense } from "./sense.ts";

/** SCSI status codes (SAM-5 5.3.1). */
export const ScsiStatus = {
  GOOD: 0x00,
  CHECK_CONDITION: 0x02,
  CONDITION_MET: 0x04,
  BUSY: 0x08,
  RESERVATION_CONFLICT: 0x18,
  TASK_SET_FULL: 0x28,
  ACA_ACTIVE: 0x30,
  TASK_ABORTED: 0x40,
} as const;

const statusNames = new Map<number, string>(Object.entries(ScsiStatus).map(([name, value]) => [value, name]));

/** The unit carried a command out, or refused it, and said so: a status that is not GOOD. */
export class ScsiError extends Error {
  /** {@link ScsiStatus}. */
  readonly status: number;
  /** With CHECK CONDITION, where the unit sent any. */
  readonly sense: SenseData | undefined;
  /** For messages: `WRITE USING TOKEN`. */
  readonly command: string;

  constructor(command: string, status: number, sense?: SenseData) {
    const limit = Error.stackTraceLimit;
    // A refused command is ordinary traffic, and must stay cheap.
    Error.stackTraceLimit = 0;
    const what = statusNames.get(status) ?? `status ${status.toString(16).padStart(2, "0")}h`;
    super(`${command}: ${what}${sense === undefined ? "" : `, ${describeSense(sense)}`}`);
    Error.stackTraceLimit = limit;
    this.name = "ScsiError";
    this.command = command;
    this.status = status;
    this.sense = sense;
  }

  /** True for a sense key and additional sense code, and a qualifier unless that is left out. */
  is(key: number, asc: number, ascq?: number): boolean {
    const { sense } = this;
    return sense !== undefined && sense.key === key && sense.asc === asc && (ascq === undefined || sense.ascq === ascq);
  }
}

/** The way to the unit failed: nothing is known of what became of a command, except that it is over. */
export class TransportError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TransportError";
  }
}

/** The target does not follow the protocol; the connection to it is given up. */
export class ProtocolError extends TransportError {
  constructor(message: string) {
    super(message);
    this.name = "ProtocolError";
  }
}

/** The target, or the way to it, refuses us: asking again does not help before somebody changes the settings. */
export class LoginError extends TransportError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LoginError";
  }
}

/** The time given to a command is over. It has been aborted, and is dead. */
export class CommandTimeoutError extends TransportError {
  constructor(message: string) {
    super(message);
    this.name = "CommandTimeoutError";
  }
}

/** A command may still be changing the medium, because the unit can be asked on no path. */
export class FateUnknownError extends TransportError {
  /** Resolves as soon as the command is known to be dead. Never rejects; stays pending when the unit is closed before that. */
  readonly settled: Promise<void>;

  constructor(message: string, settled: Promise<void>, options?: ErrorOptions) {
    super(message, options);
    this.name = "FateUnknownError";
    this.settled = settled;
  }
}
