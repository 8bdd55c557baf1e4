// SPDX-License-Identifier: Apache-2.0
/** The eight bytes of a logical unit number (SAM-5 4.7). */

/** The REPORT LUNS well-known logical unit (SPC-4 8). */
export const reportLunsWellKnown = "report-luns";

/** Method in the upper two bits: 00b peripheral device, 01b flat space, 11b extended. */
const flatSpace = 0x40;
/** Extended flat space addressing of 24 bits (SAM-5 4.7.7.5). */
const extendedFlat = 0xd2;
const wellKnown = 0xc1;

/** Gives the number; undefined for a format that addresses nothing here. */
export function decodeLun(field: Buffer): number | typeof reportLunsWellKnown | undefined {
  const first = field.readUInt8(0);
  const rest = (from: number) => field.subarray(from, 8).every((byte) => byte === 0);
  if (first === 0x00) return rest(2) ? field.readUInt8(1) : undefined;
  if ((first & 0xc0) === flatSpace) return rest(2) ? field.readUInt16BE(0) & 0x3fff : undefined;
  if (first === extendedFlat) return rest(4) ? field.readUIntBE(1, 3) : undefined;
  if (first === wellKnown) return field.readUInt8(1) === 0x01 && rest(2) ? reportLunsWellKnown : undefined;
  return undefined;
}

/** The shortest form that holds the number; up to 2^24 - 1. */
export function encodeLun(lun: number): Buffer {
  const field = Buffer.alloc(8);
  if (lun < 0x100) field.writeUInt8(lun, 1);
  else if (lun < 0x4000) field.writeUInt16BE((flatSpace << 8) | lun, 0);
  else {
    field.writeUInt8(extendedFlat, 0);
    field.writeUIntBE(lun, 1, 3);
  }
  return field;
}
