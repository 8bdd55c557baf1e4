// SPDX-License-Identifier: Apache-2.0

/**
 * Names as stored on disk and as clients see them. What Windows does not allow in a name (control characters, `"*:<>?\|`,
 * a dot or a space at the end) shows as a character of the private use area, by the table that macOS clients and Samba
 * use: U+F001 to U+F01F, U+F020 to U+F029. Bytes that are no UTF-8 show as U+F180 to U+F1FF, so that such a file is
 * neither lost nor unreachable. Both directions are the same table; a stored name that itself holds such private
 * characters is found by its directory's listing.
 */

import { isValidFileName } from "../../nt/names.ts";
import { decodeStored, encodeStored } from "./native/path.ts";

/** Stored characters for U+F020 to U+F027; U+F028 and U+F029 are a space and a dot at the end of a name. */
const SPECIAL = '"*:<>?\\|';
const SPECIAL_BASE = 0xf020;
const CONTROL_BASE = 0xf000;
const BYTE_BASE = 0xf100;
/** Where a byte that is no UTF-8 stands in a stored name held as a string. */
const ESCAPE_BASE = 0xdc00;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const STORED_SPECIAL = /[\x01-\x1f"*:<>?\\|\udc80-\udcff]|[ .\uf028\uf029]$/u;
const CLIENT_SPECIAL = /[\uf001-\uf027\uf180-\uf1ff]|[ .\uf028\uf029]$/;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

const SWAPPED = new Map([
  [".", "\uf029"],
  ["\uf029", "."],
  [" ", "\uf028"],
  ["\uf028", " "],
]);

/**
 * A dot or space at the end of a stored name shows as its private character, which is how clients ask for it. A client
 * that nevertheless sends the plain one gets a file of that name, stored with the private character.
 */
function swapLast(name: string): string {
  const swapped = SWAPPED.get(name.slice(-1));
  return swapped === undefined ? name : name.slice(0, -1) + swapped;
}

/** The name that a client sees for a stored one. */
export function clientName(stored: string): string {
  if (!STORED_SPECIAL.test(stored)) return stored;
  let name = "";
  for (let i = 0; i < stored.length; i++) {
    const code = stored.charCodeAt(i);
    const special = SPECIAL.indexOf(stored.charAt(i));
    if (code < 0x20) name += String.fromCharCode(CONTROL_BASE + code);
    else if (special >= 0) name += String.fromCharCode(SPECIAL_BASE + special);
    else if (code >= 0xdc80 && code <= 0xdcff && !followsHigh(stored, i)) {
      name += String.fromCharCode(code - ESCAPE_BASE + BYTE_BASE);
    } else name += stored.charAt(i);
  }
  const swapped = swapLast(name);
  return swapped === "." || swapped === ".." ? name : swapped;
}

function followsHigh(name: string, index: number): boolean {
  const before = index > 0 ? name.charCodeAt(index - 1) : 0;
  return before >= 0xd800 && before <= 0xdbff;
}

/**
 * The name under which a file of this client name is stored when nothing else is known, or `undefined` when no file can
 * have it: what Windows does not allow, half a surrogate pair, or private characters that would make up another name.
 */
export function storedName(name: string): string | undefined {
  if (!isValidFileName(name) || LONE_SURROGATE.test(name)) return undefined;
  if (!CLIENT_SPECIAL.test(name)) return name;
  const swapped = swapLast(name);
  let stored = "";
  for (let i = 0; i < swapped.length; i++) {
    const code = swapped.charCodeAt(i);
    const special = code - SPECIAL_BASE;
    if (code > CONTROL_BASE && code < SPECIAL_BASE) stored += String.fromCharCode(code - CONTROL_BASE);
    else if (special >= 0 && special < SPECIAL.length) stored += SPECIAL.charAt(special);
    else if (code >= BYTE_BASE + 0x80 && code <= BYTE_BASE + 0xff) {
      stored += String.fromCharCode(code - BYTE_BASE + ESCAPE_BASE);
    } else stored += swapped.charAt(i);
  }
  if (stored === "." || stored === "..") return undefined;
  const bytes = encodeStored(stored);
  // Escaped bytes that together are UTF-8 would come back as another name.
  return decodeStored(bytes) === stored ? stored : undefined;
}
