// SPDX-License-Identifier: Apache-2.0
/** What connections need of the array behind them. */

import type { Awaitable } from "../scsi/command.ts";
import type { Nexus } from "../scsi/nexus.ts";
import type { ChapOptions } from "./chap.ts";
import type { Connection } from "./connection.ts";
import type { LoginIdentity } from "./login.ts";
import type { IscsiOptions } from "./parameters.ts";
import type { Session } from "./session.ts";

/** A SCSI command with its data, ready to run. */
export interface ScsiRequest {
  readonly nexus: Nexus;
  /** Eight bytes. */
  readonly lun: Buffer;
  readonly cdb: Buffer;
  readonly attribute: number;
  readonly dataOut: Buffer;
  /** Expected Data Transfer Length of a write; 0 of others. */
  readonly expectedLength: number;
  readonly signal: AbortSignal;
}

/** What became of a command. */
export interface ScsiOutcome {
  /** SAM-5 5.3.1 status byte. */
  readonly status: number;
  readonly dataIn?: Buffer;
  /** Sense data of a CHECK CONDITION. */
  readonly sense?: Buffer;
  /** What the transport does instead of, or besides, sending the response. */
  readonly transport?: "drop" | "corruptHeaderDigest" | "corruptDataDigest";
}

/** RFC 7143 11.6.1. */
export const TaskManagementResponse = {
  FUNCTION_COMPLETE: 0,
  TASK_DOES_NOT_EXIST: 1,
  LUN_DOES_NOT_EXIST: 2,
  TASK_REASSIGN_NOT_SUPPORTED: 4,
  NOT_SUPPORTED: 5,
  REJECTED: 255,
} as const;

export interface IscsiHost {
  readonly options: IscsiOptions;
  log(message: string): void;
  /** See `LoginHost.admit`. */
  admit(
    targetName: string | undefined,
    portalGroup: number,
  ): { chap: ChapOptions | undefined; alias: string | undefined } | number;
  /** Enters a session, ending one of the same initiator port first (RFC 7143 6.3.5); a number is a login status. */
  establish(identity: LoginIdentity, connection: Connection): Session | number;
  sessionEnded(session: Session): void;
  connectionEnded(connection: Connection): void;
  /** Answers SendTargets for the given target name, or for all (RFC 7143 appendix C). */
  sendTargets(connection: Connection, targetName: string | undefined): [string, string][];
  /** Bytes of data that the CDB asks to be sent to the device. */
  dataOutLength(request: { readonly nexus: Nexus; readonly lun: Buffer; readonly cdb: Buffer }): number;
  execute(request: ScsiRequest): Awaitable<ScsiOutcome>;
  /** Sense data for an error that the transport found. */
  transportSense(key: number, code: number, qualifier: number): Buffer;
  /** Functions on a whole logical unit or target; ends the tasks of all sessions that it concerns. */
  manage(session: Session, operation: number, lun: Buffer): number;
}
