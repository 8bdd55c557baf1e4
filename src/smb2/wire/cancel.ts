// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { decodeEmptyBody, encodeEmptyBody } from "./layout.ts";

/** Checks an SMB2 CANCEL Request; what it cancels stands in the header, and it has no response (MS-SMB2 2.2.30). */
export function decodeCancelRequest(reader: Reader): void {
  decodeEmptyBody(reader, "CANCEL request");
}

/** Writes an SMB2 CANCEL Request (MS-SMB2 2.2.30). */
export function encodeCancelRequest(writer: Writer): void {
  encodeEmptyBody(writer);
}
