// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { closeOpen } from "../state/close-open.ts";
import type { FileOpen } from "../state/open.ts";
import { settleWriteTime } from "../state/write-time.ts";
import {
  CLOSE_RESPONSE_WITHOUT_ATTRIBUTES,
  type CloseRequest,
  type CloseResponse,
  decodeCloseRequest,
  encodeCloseResponse,
} from "../wire/close.ts";
import { CloseFlag } from "../wire/constants.ts";
import { command } from "./command.ts";
import { factsOf, shownFacts } from "./file-facts.ts";

/** SMB2 CLOSE (MS-SMB2 3.3.5.10). */
export const close = command({
  decode: decodeCloseRequest,
  handle,
  session: true,
  unauthenticated: true,
  tree: true,
  fileId: (message) => message.fileId,
});

function handle(request: Request, message: CloseRequest): Awaitable<void> {
  const { open, server } = request;
  const wantsAttributes = (message.flags & CloseFlag.POSTQUERY_ATTRIB) !== 0;
  if (open.kind === "pipe" || !wantsAttributes) {
    const settling = open.kind === "pipe" ? undefined : settled(open);
    return chain(settling, () => finish(request, closeOpen(server, open), CLOSE_RESPONSE_WITHOUT_ATTRIBUTES));
  }
  return chain(settled(open), () =>
    chain(factsOf(open), (facts) => {
      const shown = shownFacts(facts);
      return finish(request, closeOpen(server, open), {
        flags: CloseFlag.POSTQUERY_ATTRIB,
        creationTime: shown.creationTime,
        lastAccessTime: shown.lastAccessTime,
        lastWriteTime: shown.lastWriteTime,
        changeTime: shown.changeTime,
        allocationSize: shown.allocationSize,
        endOfFile: shown.endOfFile,
        fileAttributes: shown.fileAttributes,
      });
    }),
  );
}

/** The client learns of the end when the storage knows it: a file deleted on close is gone by then. */
function finish(request: Request, closed: Awaitable<void>, response: CloseResponse): Awaitable<void> {
  return chain(closed, () => encodeCloseResponse(request.writer, response));
}

/** A time that cannot be set is no reason to keep the handle open: the one of the last write remains. */
function settled(open: FileOpen): Awaitable<void> {
  const ignore = (error: unknown) => {
    if (!(error instanceof SmbError)) throw error;
  };
  try {
    const settling = settleWriteTime(open);
    return settling instanceof Promise ? settling.catch(ignore) : undefined;
  } catch (error) {
    ignore(error);
  }
}
