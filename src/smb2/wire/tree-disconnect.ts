// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeEmptyBody, encodeEmptyBody } from "./layout.ts";

/** Checks an SMB2 TREE_DISCONNECT Request, which carries no fields (MS-SMB2 2.2.11). */
export function decodeTreeDisconnectRequest(reader: Reader): void {
  decodeEmptyBody(reader, "TREE_DISCONNECT request");
}

/** Writes an SMB2 TREE_DISCONNECT Request (MS-SMB2 2.2.11). */
export function encodeTreeDisconnectRequest(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Writes an SMB2 TREE_DISCONNECT Response (MS-SMB2 2.2.12). */
export function encodeTreeDisconnectResponse(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Checks an SMB2 TREE_DISCONNECT Response, which carries no fields (MS-SMB2 2.2.12). */
export function decodeTreeDisconnectResponse(reader: Reader): void {
  decodeEmptyBody(reader, "TREE_DISCONNECT response");
}
