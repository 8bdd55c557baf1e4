// SPDX-License-Identifier: Apache-2.0
/** What the copy manager can do and how far: reported in VPD page 8Fh. */

/** ROD types (SPC-4 table "ROD type"). */
export const RodType = {
  ACCESS_UPON_REFERENCE: 0x0001_0000,
  POINT_IN_TIME: 0x0080_0000,
  POINT_IN_TIME_CHANGE_VULNERABLE: 0x0080_0001,
  POINT_IN_TIME_PERSISTENT: 0x0080_0002,
  POINT_IN_TIME_COPY_ON_WRITE: 0x0080_0003,
  POINT_IN_TIME_ANY: 0x0080_ffff,
  BLOCK_DEVICE_ZERO: 0xffff_0001,
} as const;

export interface OdxOptions {
  /** False: an array that does not know the token commands. */
  readonly enabled: boolean;
  /** What may be asked for; the first is the default. */
  readonly rodTypes: readonly number[];
  /** 0: not reported. */
  readonly maxRangeDescriptors: number;
  /** Seconds. */
  readonly maxInactivityTimeout: number;
  readonly defaultInactivityTimeout: number;
  /** Seconds that a token lives at most, however busy; 0 for as long as it is used. */
  readonly maxTokenLifetime: number;
  /** Blocks of one POPULATE TOKEN or WRITE USING TOKEN; 0: no limit. */
  readonly maxTransferBlocks: number;
  /** OPTIMAL TRANSFER COUNT in blocks; 0: not reported. */
  readonly optimalTransferBlocks: number;
  /** The token limits come first in VPD page 8Fh: Windows looks for them nowhere else. */
  readonly tokenLimitsFirst: boolean;
  readonly maxTokens: number;
  /** Copy operations of one I_T nexus whose results are kept. */
  readonly maxOperations: number;
  /** How fast the array copies; 0: as fast as it can. */
  readonly bytesPerSecond: number;
}

export const defaultOdxOptions: OdxOptions = {
  enabled: true,
  rodTypes: [
    RodType.POINT_IN_TIME,
    RodType.POINT_IN_TIME_CHANGE_VULNERABLE,
    RodType.POINT_IN_TIME_COPY_ON_WRITE,
    RodType.ACCESS_UPON_REFERENCE,
  ],
  maxRangeDescriptors: 64,
  maxInactivityTimeout: 600,
  defaultInactivityTimeout: 60,
  maxTokenLifetime: 0,
  maxTransferBlocks: 0x20_0000,
  optimalTransferBlocks: 0x8_0000,
  tokenLimitsFirst: true,
  maxTokens: 1024,
  maxOperations: 256,
  bytesPerSecond: 0,
};
