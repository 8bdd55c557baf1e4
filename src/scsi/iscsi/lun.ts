// SPDX-License-Identifier: Apache-2.0

/**
 * The 64-bit LUN for a unit number (SAM-5 4.7): peripheral device addressing below 256, flat space addressing below 16384,
 * as initiators in use do.
 * @throws RangeError
 */
export function encodeLun(unit: number): bigint {
  if (!Number.isInteger(unit) || unit < 0 || unit >= 0x4000) throw new RangeError(`LUN ${unit} is not 0 to 16383`);
  const address = unit < 256 ? unit : 0x4000 | unit;
  return BigInt(address) << 48n;
}

/** A LUN for people: its unit number where it has one on a single level, else `0x` and 16 hexadecimal digits. */
export function formatLun(lun: bigint): string {
  const address = Number(lun >> 48n);
  const method = address >> 14;
  if ((lun & 0xffff_ffff_ffffn) === 0n) {
    if (method === 0 && address < 256) return String(address);
    if (method === 1) return String(address & 0x3fff);
  }
  return `0x${lun.toString(16).padStart(16, "0")}`;
}

/** Reads what {@link formatLun} writes. @returns undefined for anything else */
export function parseLun(text: string): bigint | undefined {
  if (/^0x[0-9a-f]{16}$/i.test(text)) return BigInt(text);
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const unit = Number(text);
  return unit < 0x4000 ? encodeLun(unit) : undefined;
}
