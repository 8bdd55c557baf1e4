// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";
import type { Request } from "./request.ts";

/** The status to answer with, for whatever a handler has thrown; logs what is a bug. */
export function statusOf(error: unknown, request: Request): number {
  if (error instanceof SmbError) return error.status;
  request.server.context.log.error(
    { err: error, command: request.header.command, client: request.connection.remoteAddress },
    "a request failed inside the server",
  );
  return NtStatus.INTERNAL_ERROR;
}
