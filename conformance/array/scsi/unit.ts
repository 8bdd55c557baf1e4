// SPDX-License-Identifier: Apache-2.0
/** A logical unit: a medium, its identity and its changeable state. */
import { createHash } from "node:crypto";
import type { Medium } from "../storage/medium.ts";
import { Pace } from "../storage/pace.ts";

export interface UnitOptions {
  /** Name within the array, for the switches; also what its identity is made from. */
  readonly id: string;
  /** Physical block = logical block × 2^exponent; 0 to 3. */
  readonly physicalBlockExponent: number;
  /** Thin provisioning: UNMAP gives space back. */
  readonly thin: boolean;
  /** MAXIMUM TRANSFER LENGTH of one READ or WRITE in blocks. */
  readonly maxTransferBlocks: number;
  readonly readOnly: boolean;
  /** How fast data are read and written; 0: as fast as can be. */
  readonly bytesPerSecond: number;
}

/** The first half byte of a locally assigned NAA designator (SPC-4 7.8.6.6.4). */
const naaLocallyAssigned = 0x30;

/** An NAA designator of eight bytes that no other identity gives. */
export function localNaa(identity: string): Buffer {
  const naa = createHash("sha256").update(identity).digest().subarray(0, 8);
  naa.writeUInt8(naaLocallyAssigned | (naa.readUInt8(0) & 0x0f), 0);
  return naa;
}

export class LogicalUnit {
  readonly options: UnitOptions;
  readonly medium: Medium;
  readonly pace: Pace;
  readonly naa: Buffer;
  readonly serial: string;
  /** The administrator's lock. */
  readOnly: boolean;
  /** Not there: LOGICAL UNIT NOT READY. */
  offline = false;
  /** Mode page 0Ah: SWP. */
  softwareWriteProtect = false;
  /** Mode page 0Ah: D_SENSE. */
  descriptorSense = false;
  /** Mode page 08h: WCE. */
  writeCache = true;
  /** Blocks that cannot be read or written. */
  readonly mediumErrors = new Set<number>();

  constructor(arrayIdentity: string, options: UnitOptions, medium: Medium) {
    this.options = options;
    this.medium = medium;
    this.pace = new Pace(options.bytesPerSecond);
    this.readOnly = options.readOnly;
    this.naa = localNaa(`${arrayIdentity}/${options.id}`);
    this.serial = this.naa.toString("hex").toUpperCase();
  }

  get writeProtected(): boolean {
    return this.readOnly || this.softwareWriteProtect;
  }

  /** The first block of the range that has a medium error. */
  mediumErrorIn(lba: number, count: number): number | undefined {
    if (this.mediumErrors.size === 0) return undefined;
    let first: number | undefined;
    for (const bad of this.mediumErrors) {
      if (bad >= lba && bad < lba + count && (first === undefined || bad < first)) first = bad;
    }
    return first;
  }

  /** Mode parameters as after power on: a logical unit reset (SAM-5 6.3.3). */
  reset(): void {
    this.softwareWriteProtect = false;
    this.descriptorSense = false;
    this.writeCache = true;
  }
}
