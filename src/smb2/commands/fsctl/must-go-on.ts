// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import type { FileOpen } from "../../state/open.ts";

/**
 * To be asked between the pieces of what takes long.
 * @throws SmbError CANCELLED, FILE_CLOSED: nobody waits for the rest
 */
export function mustGoOn(request: Request, ...opens: readonly FileOpen[]): void {
  if (request.isCancelled || request.connection.isClosed) throw new SmbError(NtStatus.CANCELLED);
  for (const { closing } of opens) if (closing) throw new SmbError(NtStatus.FILE_CLOSED);
}
