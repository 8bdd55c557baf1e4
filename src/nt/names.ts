// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "./status.ts";

/** UTF-16 code units in a file name or stream name (MS-FSCC 2.1.5.2, 2.1.5.3). */
export const MAXIMUM_COMPONENT = 255;
/** UTF-16 code units in a path (MS-FSCC 2.1.5). */
export const MAXIMUM_PATH = 32_760;

let upcaseTable: Uint16Array | undefined;

/**
 * Upper case of every UTF-16 code unit, after the manner of the NTFS $UpCase table: one unit becomes one unit, and only
 * where the two are a pair; no expansions ("ß"), no look-alikes ("ſ", "ı", the micro sign), no title case forms.
 */
function buildUpcaseTable(): Uint16Array {
  const table = new Uint16Array(0x10000);
  for (let unit = 0; unit < 0x10000; unit++) table[unit] = unit;
  for (let unit = 0; unit < 0x10000; unit++) {
    // Georgian has case in later editions of Unicode only, surrogates are no characters, and "ß" has no capital here.
    if ((unit >= 0xd800 && unit <= 0xdfff) || (unit >= 0x1c90 && unit <= 0x1cbf) || unit === 0x1e9e) continue;
    const character = String.fromCharCode(unit);
    const lower = character.toLowerCase();
    if (lower.length !== 1 || lower === character) continue;
    const upper = lower.toUpperCase();
    table[lower.charCodeAt(0)] = upper.length === 1 ? upper.charCodeAt(0) : unit;
  }
  // Both small sigmas are the small letter of the one capital.
  table[0x3c2] = 0x3a3;
  return table;
}

/**
 * The form in which names are compared without regard to case: each UTF-16 code unit in upper case by itself. Independent
 * of locale, keeps the length, leaves surrogates alone; canonically equivalent spellings stay different, as on NTFS.
 */
export function foldName(name: string): string {
  let lowerCase = false;
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index);
    if (unit > 0x7f) return foldUnits(name);
    if (unit >= 0x61 && unit <= 0x7a) lowerCase = true;
  }
  return lowerCase ? name.toUpperCase() : name;
}

function foldUnits(name: string): string {
  upcaseTable ??= buildUpcaseTable();
  const units = new Uint16Array(name.length);
  let changed = false;
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index);
    const upper = upcaseTable[unit] ?? unit;
    units[index] = upper;
    if (upper !== unit) changed = true;
  }
  // A string within MAXIMUM_PATH is short enough to be spread into arguments.
  if (!changed) return name;
  if (units.length <= MAXIMUM_PATH) return String.fromCharCode(...units);
  let folded = "";
  for (let at = 0; at < units.length; at += MAXIMUM_PATH) {
    folded += String.fromCharCode(...units.subarray(at, at + MAXIMUM_PATH));
  }
  return folded;
}

/** Whether two names are the same without regard to case. */
export function sameName(a: string, b: string): boolean {
  return a === b || (a.length === b.length && foldName(a) === foldName(b));
}

/** `"`, `*`, `/`, `:`, `<`, `>`, `?`, `\`, `|`: what no file name holds besides control characters (MS-FSCC 2.1.5.2). */
export function isForbidden(unit: number): boolean {
  switch (unit) {
    case 0x22:
    case 0x2a:
    case 0x2f:
    case 0x3a:
    case 0x3c:
    case 0x3e:
    case 0x3f:
    case 0x5c:
    case 0x7c:
      return true;
    default:
      return unit < 0x20;
  }
}

/** Whether `name` can be the name of a file or directory (MS-FSCC 2.1.5.2), the dot directory names excluded. */
export function isValidFileName(name: string): boolean {
  if (name.length === 0 || name.length > MAXIMUM_COMPONENT || name === "." || name === "..") return false;
  for (let index = 0; index < name.length; index++) {
    if (isForbidden(name.charCodeAt(index))) return false;
  }
  return true;
}

/** Whether `name` can be the name of an alternate stream (MS-FSCC 2.1.5.3). `""`, the default stream, cannot. */
export function isValidStreamName(name: string): boolean {
  if (name.length === 0 || name.length > MAXIMUM_COMPONENT) return false;
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index);
    if (unit === 0 || unit === 0x2f || unit === 0x3a || unit === 0x5c) return false;
  }
  return true;
}

/** Stream types that a client may name (MS-FSCC 2.1.5.4); `""` where the name gives none. */
export type StreamType = "" | "$DATA" | "$INDEX_ALLOCATION";

export interface StreamPath {
  /** Name of the file; `""` in a name that begins with a colon. Its characters are not checked. */
  readonly name: string;
  /** `""` is the default stream. */
  readonly stream: string;
  readonly type: StreamType;
}

/**
 * Splits `name`, `name:stream`, `name:stream:$DATA`, `name::$DATA`, `name::$INDEX_ALLOCATION`,
 * `name:$I30:$INDEX_ALLOCATION`; the stream of a directory index is given as `""` (MS-FSCC 2.1.5, 2.1.5.3, 2.1.5.4).
 * @throws SmbError OBJECT_NAME_INVALID
 */
export function parseStreamPath(component: string): StreamPath {
  const colon = component.indexOf(":");
  if (colon < 0) return { name: component, stream: "", type: "" };
  const invalid = (): SmbError => new SmbError(NtStatus.OBJECT_NAME_INVALID);
  const name = component.slice(0, colon);
  const second = component.indexOf(":", colon + 1);
  const stream = second < 0 ? component.slice(colon + 1) : component.slice(colon + 1, second);
  if (second < 0) {
    if (!isValidStreamName(stream)) throw invalid();
    return { name, stream, type: "" };
  }
  switch (foldName(component.slice(second + 1))) {
    case "$DATA":
      if (stream !== "" && !isValidStreamName(stream)) throw invalid();
      return { name, stream, type: "$DATA" };
    case "$INDEX_ALLOCATION":
      if (stream !== "" && foldName(stream) !== "$I30") throw invalid();
      return { name, stream: "", type: "$INDEX_ALLOCATION" };
    default:
      throw invalid();
  }
}

export interface SharePath {
  /** Names from the share's root; empty for the root itself. Every one is a valid file name. */
  readonly components: readonly string[];
  /** Stream of the last component, `""` for the default stream. */
  readonly stream: string;
  readonly type: StreamType;
  /** The path ends in a backslash: it can only mean a directory. */
  readonly trailingSeparator: boolean;
}

/**
 * Splits a share-relative path `a\b\c:stream` (MS-FSCC 2.1.5). A leading backslash, empty components and `.` are
 * refused, `..` takes the name before it back; a path that is a stream alone (`:stream`) means one of the root directory.
 * @throws SmbError OBJECT_PATH_SYNTAX_BAD a component `..` that leads above the root
 * @throws SmbError OBJECT_NAME_INVALID
 */
export function parseSharePath(path: string): SharePath {
  if (path === "") return { components: [], stream: "", type: "", trailingSeparator: false };
  if (path.length > MAXIMUM_PATH) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  const trailingSeparator = path.endsWith("\\");
  const components = (trailingSeparator ? path.slice(0, -1) : path).split("\\");
  const last = parseStreamPath(components.pop() ?? "");
  if (last.name !== "" || components.length > 0) components.push(last.name);
  else if (last.stream === "" && last.type === "") throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  if (trailingSeparator && last.stream !== "") throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  return { components: withoutParents(components), stream: last.stream, type: last.type, trailingSeparator };
}

/** Takes `..` back with the name before it, by the text alone: no look-up ever leads upwards. */
function withoutParents(names: readonly string[]): string[] {
  const components: string[] = [];
  for (const name of names) {
    if (name === "..") {
      if (components.pop() === undefined) throw new SmbError(NtStatus.OBJECT_PATH_SYNTAX_BAD);
    } else if (isValidFileName(name)) {
      components.push(name);
    } else {
      throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
    }
  }
  return components;
}
