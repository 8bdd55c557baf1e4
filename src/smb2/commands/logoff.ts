// SPDX-License-Identifier: Apache-2.0

import type { Request } from "../request.ts";
import { decodeLogoffRequest, encodeLogoffResponse } from "../wire/logoff.ts";
import { command } from "./command.ts";

/** SMB2 LOGOFF (MS-SMB2 3.3.5.6). */
export const logoff = command({
  decode: decodeLogoffRequest,
  handle,
  session: true,
  unauthenticated: true,
  tree: false,
});

async function handle(request: Request): Promise<void> {
  // The response is signed with the session's key, which is gone from the tables by then.
  request.responseSigner =
    request.isSigned || request.session.signingRequired
      ? request.session.channels.get(request.connection)?.signer
      : undefined;
  await request.server.closeSession(request.session);
  encodeLogoffResponse(request.writer);
}
