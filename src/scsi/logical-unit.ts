// SPDX-License-Identifier: Apache-2.0

/**
 * The contract with a block device that understands SCSI: what the array volume and the copy path need of a logical unit.
 * LBAs and counts are logical blocks, and safe integers: a unit whose capacity in bytes is none is refused when it is opened.
 *
 * Errors: a command rejects with `ScsiError` where the unit answered with a sense code or a status that retrying within
 * bounds did not cure, and with `TransportError` where no answer came. Unit attentions, BUSY, TASK SET FULL and the loss of
 * a path have been handled before that.
 *
 * Buffers belong to the command until its promise settles, and are not touched afterwards, whatever the outcome. A command that
 * changes the medium settles only when it is known to be dead or done; where that cannot be known, it rejects with
 * `FateUnknownError`, which says when it is. Before that the unit carries out no other command: what is written next cannot be
 * overtaken by what was lost.
 */

import type { ThirdPartyCopy } from "./commands/vpd-third-party-copy.ts";

/** Consecutive logical blocks; `blocks` may be 0 only where it is said so. */
export interface BlockRange {
  readonly lba: number;
  readonly blocks: number;
}

export interface CommandOptions {
  /** Ends the command at the array; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds until the command is given up and aborted, retries and failover included; the unit's `commandTimeout` where
   * it is left out. The promise then rejects with `CommandTimeoutError`.
   */
  readonly timeout?: number | undefined;
}

/** One designation descriptor of VPD page 83h (SPC-4 7.8.6.2). */
export interface Designator {
  /** 1 T10 vendor ID, 2 EUI-64, 3 NAA, 4 relative target port, 5 target port group, 8 SCSI name string. */
  readonly type: number;
  /** 0 the logical unit, 1 the target port, 2 the target device. */
  readonly association: number;
  /** 1 binary, 2 ASCII, 3 UTF-8. */
  readonly codeSet: number;
  readonly identifier: Buffer;
}

/** Which unit it is: the same on every path, for as long as the unit exists. */
export interface LogicalUnitIdentity {
  /**
   * `naa.` or `eui.` and hexadecimal digits, else `name.`, `t10.` or `serial.` and text. Units with the same name are one unit.
   * A path whose unit has another name is not used.
   */
  readonly name: string;
  readonly designators: readonly Designator[];
  /** From standard INQUIRY data, without padding. */
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
  /** VPD page 80h; empty where there is none. */
  readonly serialNumber: string;
}

/** READ CAPACITY(16) (SBC-3 5.16). */
export interface Capacity {
  /** Logical blocks. */
  readonly blocks: number;
  /** Bytes in a logical block. */
  readonly blockSize: number;
  /** Bytes in a physical block: a multiple of `blockSize`. */
  readonly physicalBlockSize: number;
  /** The first LBA that begins a physical block. */
  readonly lowestAlignedLba: number;
}

/** VPD page B0h (SBC-3 6.6.4), in blocks. What the unit does not report is `Infinity` as a maximum, and 1 as a granularity. */
export interface BlockLimits {
  readonly maximumTransfer: number;
  /** 0: not reported. */
  readonly optimalTransfer: number;
  readonly optimalGranularity: number;
  readonly maximumWriteSame: number;
  readonly maximumUnmap: number;
  readonly maximumUnmapRanges: number;
  readonly unmapGranularity: number;
  /** The first LBA on the grid of `unmapGranularity`. */
  readonly unmapAlignment: number;
}

/** VPD page B2h and READ CAPACITY(16): what the unit does with blocks that nobody needs. */
export interface Provisioning {
  readonly kind: "fully provisioned" | "resource" | "thin";
  readonly unmap: boolean;
  /** WRITE SAME(16) with the UNMAP bit. */
  readonly writeSameUnmap: boolean;
  /** Unmapped blocks read as zeros (LBPRZ). */
  readonly readsZeros: boolean;
}

/** What a logical unit is and can do, as of its latest connection or unit attention. Replaced, never changed. */
export interface LogicalUnitDescription {
  readonly identity: LogicalUnitIdentity;
  readonly capacity: Capacity;
  readonly limits: BlockLimits;
  readonly provisioning: Provisioning;
  /** VPD page 8Fh; `undefined` where the unit has no token commands. */
  readonly thirdPartyCopy: ThirdPartyCopy | undefined;
  readonly readOnly: boolean;
}

/**
 * What happens to a unit, in the order in which it was noticed. `description` is the new one already.
 * - `online`: usable, at first or again.
 * - `missing`: no path leads to it; commands wait for one until their time is over.
 * - `changed`: capacity, write protection or limits are other ones.
 * - `reset`: a power on, a reset or the loss of an I_T nexus. What was written and not yet synchronized may be lost, tokens and
 *   results of copy operations as well.
 */
export type LogicalUnitEvent =
  | { readonly kind: "online"; readonly description: LogicalUnitDescription }
  | { readonly kind: "missing"; readonly reason: Error }
  | {
      readonly kind: "changed";
      readonly description: LogicalUnitDescription;
      readonly previous: LogicalUnitDescription;
    }
  | { readonly kind: "reset" };

/** 512 bytes, as the copy manager made them (SPC-4 6.4.5). */
export type RodToken = Buffer;

export interface PopulateTokenRequest {
  /** Not overlapping; at most `thirdPartyCopy.limits.maximumRanges`. */
  readonly ranges: readonly BlockRange[];
  /** Seconds without use after which the token ends; 0 leaves it to the array. */
  readonly inactivityTimeout: number;
  /** Asks for a kind of token (`RodType`); left out, the array chooses. */
  readonly rodType?: number | undefined;
}

export interface PopulatedToken {
  readonly token: RodToken;
  /** Bytes 0-3 of the token: tells whether it promises point in time. */
  readonly rodType: number;
  /** Blocks from the start of the ranges that it stands for: fewer than asked where the array truncated. Never 0. */
  readonly blocks: number;
}

export interface WriteUsingTokenRequest {
  readonly token: RodToken;
  /** Blocks of this unit, from the start of the data that the token stands for. */
  readonly offsetInRod: number;
  readonly ranges: readonly BlockRange[];
  /** The array may forget the token afterwards. Such a command is not tried on another path. */
  readonly deleteToken?: boolean | undefined;
}

/** RECEIVE ROD TOKEN INFORMATION or RECEIVE COPY STATUS(LID4) (SPC-4 6.25). */
export interface RodTokenInformation {
  /** 10h POPULATE TOKEN, 11h WRITE USING TOKEN. */
  readonly responseToServiceAction: number;
  /** `CopyOperationStatus`. */
  readonly status: number;
  /** Milliseconds; `undefined` where the operation is over or the copy manager recommends none. */
  readonly statusUpdateDelay: number | undefined;
  /** SCSI status of the operation. */
  readonly completionStatus: number;
  /** Sense data of the operation; empty for none. */
  readonly senseData: Buffer;
  readonly transferCountUnits: number;
  readonly transferCount: bigint;
  /** A copy; `undefined` where the answer holds none. */
  readonly token: RodToken | undefined;
}

/**
 * The third-party copy commands on one I_T nexus, each by itself. A list identifier is unique on it, and what an operation left
 * behind can be fetched on it alone. Once it is lost every command rejects with `TransportError`.
 */
export interface CopyNexus {
  readonly connected: boolean;
  /** An identifier that no operation of this nexus uses, for all units of the target. */
  takeListIdentifier(): number;
  giveListIdentifier(listIdentifier: number): void;
  populateToken(listIdentifier: number, request: PopulateTokenRequest, options?: CommandOptions): Promise<void>;
  writeUsingToken(listIdentifier: number, request: WriteUsingTokenRequest, options?: CommandOptions): Promise<void>;
  /** The array forgets what it answers: it must not be asked twice. */
  receiveRodTokenInformation(listIdentifier: number, options?: CommandOptions): Promise<RodTokenInformation>;
  copyOperationAbort(listIdentifier: number, options?: CommandOptions): Promise<void>;
}

export interface LogicalUnit {
  /** `iscsi://host:port/target/lun`, for logs and messages. */
  readonly address: string;
  /** `undefined` until the unit has been reached once; the latest one while it is missing. */
  readonly description: LogicalUnitDescription | undefined;
  readonly state: "connecting" | "online" | "missing" | "closed";

  /** Resolves once the unit is online. A unit that is missing is looked for in the background for as long as it is not closed. */
  ready(options?: CommandOptions): Promise<LogicalUnitDescription>;

  /** @returns a function that ends it */
  listen(listener: (event: LogicalUnitEvent) => void): () => void;

  /** Fills all of `target`, whose lengths add up to whole blocks. Split as the limits ask. */
  read(lba: number, target: readonly Buffer[], options?: CommandOptions): Promise<void>;
  /** Not on the medium before {@link synchronizeCache}, unless `forceUnitAccess`. A failure may leave part of it written. */
  write(
    lba: number,
    data: readonly Buffer[],
    options?: CommandOptions & { readonly forceUnitAccess?: boolean | undefined },
  ): Promise<void>;
  /** Waits until everything written before is on the medium. */
  synchronizeCache(options?: CommandOptions): Promise<void>;

  /** A hint that nobody needs these blocks; they read as anything then, unless `provisioning.readsZeros`. */
  unmap(ranges: readonly BlockRange[], options?: CommandOptions): Promise<void>;
  /** The range reads as zeros afterwards. With `unmap` the array may give up the space where its zeros stay true. */
  writeZeros(range: BlockRange, unmap: boolean, options?: CommandOptions): Promise<void>;

  /**
   * POPULATE TOKEN and RECEIVE ROD TOKEN INFORMATION on one path. Tried once more on another path, with a new list
   * identifier, where the path is lost.
   * @throws ScsiError nothing was represented
   */
  populateToken(request: PopulateTokenRequest, options?: CommandOptions): Promise<PopulatedToken>;

  /**
   * One WRITE USING TOKEN, followed to its end.
   * @returns blocks written from the start of the ranges: fewer than asked where the array truncated, or where the time was over
   *   and the array stopped with a part done
   * @throws ScsiError nothing is known to be written; the ranges may hold old data, new data, or some of each
   * @throws FateUnknownError the array may still be writing
   */
  writeUsingToken(request: WriteUsingTokenRequest, options?: CommandOptions): Promise<number>;

  /** Tokens that the copy manager knows: the first 96 bytes of each (SPC-4 6.26). */
  reportAllRodTokens(options?: CommandOptions): Promise<readonly Buffer[]>;

  /**
   * The path that is in use, for single commands of a copy.
   * @throws TransportError no path leads to the unit
   */
  copyNexus(): CopyNexus;

  /** Ends every command on this unit, those of other initiators too. */
  reset(options?: CommandOptions): Promise<void>;

  /** Waits for commands in flight, then gives the paths up. */
  close(): Promise<void>;
}
