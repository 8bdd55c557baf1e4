// SPDX-License-Identifier: Apache-2.0

import { TransportError } from "./errors.ts";
import type { SenseData } from "./sense.ts";

/** A command for one logical unit. At most one direction has data; buffers are lent until the result is there. */
export interface ScsiCommand {
  readonly lun: bigint;
  /** 6, 10, 12 or 16 bytes. */
  readonly cdb: Buffer;
  readonly dataIn?: readonly Buffer[] | undefined;
  readonly dataOut?: readonly Buffer[] | undefined;
}

export interface ScsiResult {
  /** `ScsiStatus`. */
  readonly status: number;
  readonly senseData: Buffer;
  /** Bytes that the unit sent, or took. */
  readonly transferred: number;
}

export interface RunningCommand {
  /** Rejects with {@link NexusLostError}, or with the reason of {@link abort}. */
  readonly result: Promise<ScsiResult>;
  /** Ends the command at the unit. The result rejects with `reason` as soon as it is dead, unless it is there before. */
  abort(reason: Error): void;
}

/** The nexus ended before the command was answered. */
export class NexusLostError extends TransportError {
  /** False where the unit cannot have seen the command. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = "NexusLostError";
    this.sent = sent;
  }
}

/** What a nexus tells its owner. */
export interface NexusEvents {
  /** The unit reported something that belongs to no command. */
  attention(lun: bigint, sense: SenseData): void;
  /** Once; `error` is undefined after {@link Nexus.close}. Commands in flight have been rejected. */
  lost(error: Error | undefined): void;
}

/** One I_T nexus: an initiator port and a target port that know each other (SAM-5 4.7). */
export interface Nexus {
  /** For messages: where the target was reached. */
  readonly portal: string;
  /** A nexus of the same name ends every command of an earlier one as it is made. */
  readonly name: string;
  /** False from the moment on from which it takes no further commands. */
  readonly connected: boolean;
  start(command: ScsiCommand): RunningCommand;
  /** LOGICAL UNIT RESET: ends every command on a unit. @throws TransportError it is not known to have worked */
  resetLogicalUnit(lun: bigint): Promise<void>;
  /** Waits for commands in flight, then ends. */
  close(): Promise<void>;
}
