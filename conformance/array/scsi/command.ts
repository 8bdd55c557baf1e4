// SPDX-License-Identifier: Apache-2.0
/** A SCSI command on its way, and the rows of the command table. */

import type { Effects } from "../faults.ts";
import type { CopyManager } from "../odx/copy-manager.ts";
import type { Nexus } from "./nexus.ts";
import { invalidFieldInCdb, lbaOutOfRange, parameterListLengthError } from "./sense.ts";
import type { LogicalUnit } from "./unit.ts";

export type Awaitable<T> = T | Promise<T>;

export interface Command {
  readonly cdb: Buffer;
  /** What the initiator sent: as much as the CDB asks for, or less. */
  readonly dataOut: Buffer;
  /** Bytes that the initiator said it would transfer. */
  readonly expectedLength: number;
  readonly nexus: Nexus;
  readonly unit: LogicalUnit;
  readonly array: ArrayServices;
  /** What the fault switches do to this one. */
  readonly effects: Effects;
  /** Aborted with the task. */
  readonly signal: AbortSignal;
}

/** What commands need of the array around their unit. */
export interface ArrayServices {
  readonly copyManager: CopyManager;
  /** 1 for the first portal group, and so on (SPC-4 3.1.110). */
  readonly targetPorts: readonly TargetPort[];
  /** Establishes a unit attention for all nexuses that reach the unit, except one. */
  attention(unit: LogicalUnit, kind: "MODE_PARAMETERS_CHANGED", except: Nexus): void;
}

/** A target port group with its one port: the portals of one portal group (SPC-4 5.15). */
export interface TargetPort {
  readonly portalGroup: number;
  /** RELATIVE TARGET PORT IDENTIFIER. */
  readonly relativeId: number;
  readonly state: AccessState;
}

/** Asymmetric access states (SPC-4 6.37). */
export const AccessState = {
  ACTIVE_OPTIMIZED: 0x0,
  ACTIVE_NON_OPTIMIZED: 0x1,
  STANDBY: 0x2,
  UNAVAILABLE: 0x3,
} as const;
export type AccessState = (typeof AccessState)[keyof typeof AccessState];

export interface CommandRow {
  /** As in the standards, for the switches: `READ(16)`. */
  readonly name: string;
  readonly opcode: number;
  readonly serviceAction?: number;
  /** Which bits of the CDB are looked at (SPC-4 6.35.3); its length is the CDB's. */
  readonly usage: readonly number[];
  /** Bytes that the initiator is asked for. */
  readonly dataOut?: (cdb: Buffer, unit: LogicalUnit) => number;
  /** Runs while a unit attention is pending, and without a ready unit (SPC-4 5.14). */
  readonly always?: boolean;
  /** Runs in the asymmetric access states in which the medium cannot be reached (SPC-4 5.15.2.4). */
  readonly inStandby?: boolean;
  /** Runs on a unit that is not ready. */
  readonly notReady?: boolean;
  /** Changes the medium: refused where the unit is write protected. */
  readonly writes?: boolean;
  readonly run: (command: Command) => Awaitable<Buffer | undefined>;
}

/** A 64-bit field as a number; what no unit can have is given as infinity, so that range checks fail. */
export function readU64(buffer: Buffer, offset: number): number {
  const high = buffer.readUInt32BE(offset);
  return high > 0x1fffff ? Number.POSITIVE_INFINITY : high * 0x1_0000_0000 + buffer.readUInt32BE(offset + 4);
}

export function writeU64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset);
  buffer.writeUInt32BE(value >>> 0, offset + 4);
}

/** The data as far as the ALLOCATION LENGTH allows (SPC-4 4.2.5.6). */
export function allocated(data: Buffer, allocationLength: number): Buffer {
  return data.length > allocationLength ? data.subarray(0, allocationLength) : data;
}

/** Throws unless the blocks exist. */
export function checkRange(unit: LogicalUnit, lba: number, count: number): void {
  if (lba > unit.medium.blocks || lba + count > unit.medium.blocks) throw lbaOutOfRange();
}

/** Throws where protection information is asked for: there is none (SBC-3 4.22). */
export function checkProtect(cdb: Buffer): void {
  if ((cdb.readUInt8(1) & 0xe0) !== 0) throw invalidFieldInCdb(1);
}

/**
 * Throws where the initiator wants to send another amount than the CDB asks for, by commands that are all or nothing:
 * part of their data would mean something else.
 */
export function checkExpectedLength(command: Command, bytes: number): void {
  if (command.expectedLength !== bytes) throw invalidFieldInCdb(0);
}

/** The parameter list; throws where less arrived than the CDB announced. */
export function parameterList(command: Command, length: number): Buffer {
  if (command.dataOut.length < length) throw parameterListLengthError();
  return command.dataOut.subarray(0, length);
}
