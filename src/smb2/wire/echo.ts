// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeEmptyBody, encodeEmptyBody } from "./layout.ts";

/** Checks an SMB2 ECHO Request, which carries no fields (MS-SMB2 2.2.28). */
export function decodeEchoRequest(reader: Reader): void {
  decodeEmptyBody(reader, "ECHO request");
}

/** Writes an SMB2 ECHO Request (MS-SMB2 2.2.28). */
export function encodeEchoRequest(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Writes an SMB2 ECHO Response (MS-SMB2 2.2.29). */
export function encodeEchoResponse(writer: Writer): void {
  encodeEmptyBody(writer);
}

/** Checks an SMB2 ECHO Response, which carries no fields (MS-SMB2 2.2.29). */
export function decodeEchoResponse(reader: Reader): void {
  decodeEmptyBody(reader, "ECHO response");
}
