// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import type { Writer } from "../../wire/cursor.ts";
import { beginOutputBuffer, endOutputBuffer } from "../../wire/output-buffer.ts";

/**
 * Writes a QUERY_INFO response straight into the frame. `encode` returns false where something did not fit: the answer
 * is then BUFFER_OVERFLOW with what did (MS-SMB2 3.3.5.20.1).
 */
export function respond(request: Request, encode: (writer: Writer) => unknown): void {
  const { writer } = request;
  const start = beginOutputBuffer(writer);
  const complete = encode(writer);
  endOutputBuffer(writer, start);
  if (complete === false) request.status = NtStatus.BUFFER_OVERFLOW;
}

/** Refuses an information class, and leaves its number in the log for who wonders what the client wants. */
export function refuseClass(request: Request, infoType: number, informationClass: number, error: unknown): never {
  if (error instanceof SmbError) {
    request.server.context.log.debug(
      { client: request.connection.remoteAddress, infoType, informationClass, reason: error.message },
      "information class refused",
    );
  }
  throw error;
}
