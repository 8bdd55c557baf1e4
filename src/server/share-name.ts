// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../nt/names.ts";

/** Characters that a share name may not hold, besides control characters (MS-FSCC 2.1.6). */
const ILLEGAL = '"\\/[]:|<>+=;,*?';

/** Characters in a share name (MS-FSCC 2.1.6). */
const MAXIMUM_LENGTH = 80;

/** Names that the server keeps for itself (MS-SRVS 3.1.4.7 refuses `pipe` and `mailslot`). */
const RESERVED = new Set(["ipc$", "pipe", "mailslot"]);

/** Why `name` cannot be the name of a share, as the end of a sentence; `undefined` when it can. */
export function shareNameProblem(name: string): string | undefined {
  if (name === "") {
    return "must not be empty";
  }
  if (name.length > MAXIMUM_LENGTH) {
    return `must not be longer than ${MAXIMUM_LENGTH} characters, and has ${name.length}`;
  }
  for (const character of name) {
    if (character.charCodeAt(0) < 0x20) {
      return "must not contain control characters";
    }
    if (ILLEGAL.includes(character)) {
      return `must not contain any of ${[...ILLEGAL].join(" ")}`;
    }
  }
  if (name.trim() !== name) {
    return "must not begin or end with a space";
  }
  if (RESERVED.has(name.toLowerCase())) {
    return `must not be ${name}, which the server keeps for itself`;
  }
  return undefined;
}

/** The form under which a share name is compared: names that differ only in case are the same share. */
export function shareKey(name: string): string {
  return foldName(name);
}

/** What clients are told is the path of a share. They have no use for the one on the server, and need not know it. */
export function sharePath(name: string): string {
  return `C:\\${name}`;
}
