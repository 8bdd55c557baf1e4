// SPDX-License-Identifier: Apache-2.0

/**
 * Names as stored on disk and as clients see them. What Windows does not allow in a name (control characters, `"*:<>?\|`,
 * a dot or a space at the end) shows as a character of the private use area, by the table that macOS clients and Samba
 * use: U+F001 to U+F01F, U+F020 to U+F029. Bytes that are no UTF-8 show as U+F180 to U+F1FF, so that such a file is
 * neither lost nor unreachable. Both directions are the same table; a stored name that itself holds such private
 * characters is found by its directory's listing.
 */

import { decodeStored, encodeStored } from "./native/path.ts";

/** Stored characters for U+F020 to U+F029; the last two only stand at the end of a name. */
const SPECIAL = '"*:<>?\\| .';
const SPECIAL_BASE = 0xf020;
const CONTROL_BASE = 0xf000;
const BYTE_BASE = 0xf100;
/** Where a byte that is no UTF-8 stands in a stored name held as a string. */
const ESCAPE_BASE = 0xdc00;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const STORED_SPECIAL = /[\x01-\x1f"*:<>?\\|\udc80-\udcff]|[ .]$/u;
const CLIENT_SPECIAL = /[\uf001-\uf029\uf180-\uf1ff]/;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** The name that a client sees for a stored one. */
export function clientName(stored: string): string {
  if (!STORED_SPECIAL.test(stored)) return stored;
  let name = "";
  for (let i = 0; i < stored.length; i++) {
    const code = stored.charCodeAt(i);
    const last = i === stored.length - 1;
    const special = SPECIAL.indexOf(stored.charAt(i));
    if (code < 0x20) name += String.fromCharCode(CONTROL_BASE + code);
    else if (special >= 0 && (special < 8 || last)) name += String.fromCharCode(SPECIAL_BASE + special);
    else if (code >= 0xdc80 && code <= 0xdcff && !followsHigh(stored, i)) {
      name += String.fromCharCode(code - ESCAPE_BASE + BYTE_BASE);
    } else name += stored.charAt(i);
  }
  return name;
}

function followsHigh(name: string, index: number): boolean {
  const before = index > 0 ? name.charCodeAt(index - 1) : 0;
  return before >= 0xd800 && before <= 0xdbff;
}

/**
 * The name under which a file of this client name is stored when nothing else is known, or `undefined` when no file can
 * have it: half a surrogate pair, private characters that would make up another name, "." and "..", a slash or a NUL.
 */
export function storedName(name: string): string | undefined {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) return undefined;
  if (LONE_SURROGATE.test(name)) return undefined;
  if (!CLIENT_SPECIAL.test(name)) return name;
  let stored = "";
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    const special = code - SPECIAL_BASE;
    if (code > CONTROL_BASE && code < SPECIAL_BASE) stored += String.fromCharCode(code - CONTROL_BASE);
    else if (special >= 0 && special < 8) stored += SPECIAL.charAt(special);
    else if ((special === 8 || special === 9) && i === name.length - 1) stored += SPECIAL.charAt(special);
    else if (code >= BYTE_BASE + 0x80 && code <= BYTE_BASE + 0xff)
      stored += String.fromCharCode(code - BYTE_BASE + ESCAPE_BASE);
    else stored += name.charAt(i);
  }
  if (stored === "." || stored === "..") return undefined;
  const bytes = encodeStored(stored);
  // Escaped bytes that together are UTF-8 would come back as another name.
  return decodeStored(bytes) === stored ? stored : undefined;
}
