// SPDX-License-Identifier: Apache-2.0

import { foldName } from "./names.ts";

/** ASCII without space and dot, and without what MS-DOS gives a meaning of its own. */
const LEGAL = /^[A-Za-z0-9!#$%&'()@^_`{}~-]{1,8}(\.[A-Za-z0-9!#$%&'()@^_`{}~-]{1,3})?$/;
const SHAPE = /^[A-Z0-9!#$%&'()@^_`{}-][0-9A-Z]{5}~[0-9A-Z](\.[A-Z0-9!#$%&'()@^_`{}~-]{1,3})?$/i;
const ILLEGAL_UNITS = /[^A-Z0-9!#$%&'()@^_`{}-]/g;

const HASH_DIGITS = 6;
const HASH_RANGE = 36 ** HASH_DIGITS;

/** FNV-1a over UTF-16 code units with a final avalanche, reduced to six base-36 digits. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    value = Math.imul(value ^ (unit & 0xff), 0x01000193);
    value = Math.imul(value ^ (unit >>> 8), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  value ^= value >>> 16;
  return ((value >>> 0) % HASH_RANGE).toString(36).toUpperCase().padStart(HASH_DIGITS, "0");
}

/** Whether `name` is an 8.3 name as it stands, in whatever case (MS-FSCC 2.1.5.2.1). */
export function isShortName(name: string): boolean {
  return LEGAL.test(name);
}

/**
 * The 8.3 name of a file (MS-FSCC 2.1.5.2.1): `""` where the name is one already, else a first letter, six digits of a
 * hash around a tilde, and the extension: `Q2K9XZ~7.TXT`. It depends on the name alone, without regard to case, so that
 * it is stable and needs no store; two names of one directory share it with a probability of one in 2·10⁹.
 */
export function shortNameOf(name: string): string {
  if (isShortName(name)) return "";
  const folded = foldName(name);
  const dot = folded.lastIndexOf(".");
  const hasExtension = dot > 0 && dot < folded.length - 1;
  const clean = (text: string): string => text.replace(/[ .]/g, "").replace(ILLEGAL_UNITS, "_");
  const first = clean(hasExtension ? folded.slice(0, dot) : folded).charAt(0) || "_";
  const extension = hasExtension ? clean(folded.slice(dot + 1)).slice(0, 3) : "";
  const digits = hash(folded);
  const base = `${first}${digits.slice(0, HASH_DIGITS - 1)}~${digits.slice(HASH_DIGITS - 1)}`;
  return extension === "" ? base : `${base}.${extension}`;
}

/**
 * Whether `name` could be a name that {@link shortNameOf} makes, in whatever case: a volume that does not find it
 * looks for an entry whose short name it is.
 */
export function isShortNameShape(name: string): boolean {
  return SHAPE.test(name);
}
