// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeEmptyBody, encodeEmptyBody } from "./layout.ts";

/** Checks an SMB2 LOGOFF Request, which carries no fields (MS-SMB2 2.2.7). */
export function decodeLogoffRequest(reader: Reader): void {
  decodeEmptyBody(reader, "LOGOFF request");
}

/** Writes an SMB2 LOGOFF Request (MS-SMB2 2.2.7). */
export function encodeLogoffRequest(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Writes an SMB2 LOGOFF Response (MS-SMB2 2.2.8). */
export function encodeLogoffResponse(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Checks an SMB2 LOGOFF Response, which carries no fields (MS-SMB2 2.2.8). */
export function decodeLogoffResponse(reader: Reader): void {
  decodeEmptyBody(reader, "LOGOFF response");
}
