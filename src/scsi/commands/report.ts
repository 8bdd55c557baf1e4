// SPDX-License-Identifier: Apache-2.0

import { newCdb, requireLength } from "./bytes.ts";

/** REPORT LUNS, all that this initiator may use (SPC-4 6.33). */
export function reportLuns(allocationLength: number): Buffer {
  const cdb = newCdb(12, 0xa0);
  cdb.writeUInt32BE(allocationLength, 6);
  return cdb;
}

/** As many 64-bit LUNs as have come. @throws ProtocolError */
export function decodeReportLuns(data: Buffer): bigint[] {
  requireLength(data, 8, "REPORT LUNS");
  const end = Math.min(data.length, 8 + data.readUInt32BE(0));
  const luns: bigint[] = [];
  for (let at = 8; at + 8 <= end; at += 8) luns.push(data.readBigUInt64BE(at));
  return luns;
}

/** Asymmetric access states (SPC-4 table 249). */
export const AccessState = {
  ACTIVE_OPTIMIZED: 0x0,
  ACTIVE_NON_OPTIMIZED: 0x1,
  STANDBY: 0x2,
  UNAVAILABLE: 0x3,
  OFFLINE: 0xe,
  TRANSITIONING: 0xf,
} as const;

export interface TargetPortGroup {
  readonly group: number;
  /** {@link AccessState}. */
  readonly state: number;
  readonly preferred: boolean;
}

/** REPORT TARGET PORT GROUPS (SPC-4 6.37). */
export function reportTargetPortGroups(allocationLength: number): Buffer {
  const cdb = newCdb(12, 0xa3, 0x0a);
  cdb.writeUInt32BE(allocationLength, 6);
  return cdb;
}

/** As many groups as have come. @throws ProtocolError */
export function decodeTargetPortGroups(data: Buffer): TargetPortGroup[] {
  requireLength(data, 4, "REPORT TARGET PORT GROUPS");
  const end = Math.min(data.length, 4 + data.readUInt32BE(0));
  const groups: TargetPortGroup[] = [];
  for (let at = 4; at + 8 <= end; at += 8 + 4 * (data[at + 7] ?? 0)) {
    groups.push({
      group: data.readUInt16BE(at + 2),
      state: (data[at] ?? 0) & 0x0f,
      preferred: ((data[at] ?? 0) & 0x80) !== 0,
    });
  }
  return groups;
}

export const MODE_SENSE_LENGTH = 4;

/** MODE SENSE(6) of all pages, cut behind the header (SPC-4 6.11). */
export function modeSense6(): Buffer {
  const cdb = newCdb(6, 0x1a);
  cdb[2] = 0x3f;
  cdb[4] = MODE_SENSE_LENGTH;
  return cdb;
}

/** WP of the device-specific parameter (SBC-3 6.4.1). @throws ProtocolError */
export function decodeWriteProtect(data: Buffer): boolean {
  requireLength(data, MODE_SENSE_LENGTH, "MODE SENSE(6)");
  return ((data[2] ?? 0) & 0x80) !== 0;
}
