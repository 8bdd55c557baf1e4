// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { reportPending } from "../state/report-change.ts";
import { showWriteTime } from "../state/write-time.ts";
import { decodeFlushRequest, encodeFlushResponse } from "../wire/flush.ts";
import { command } from "./command.ts";

/** SMB2 FLUSH (MS-SMB2 3.3.5.11): answers when the data are stable. */
export const flush = command({
  decode: decodeFlushRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
});

async function handle(request: Request): Promise<void> {
  const { open } = request;
  if (open.kind === "file") {
    // A directory may be flushed by who may add to it (MS-FSA 2.1.5.7).
    const sufficient = Access.WRITE_DATA | Access.APPEND_DATA;
    if ((open.grantedAccess & sufficient) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
    showWriteTime(open.file);
    await (open.stream.data ?? open.file.node).flush();
    reportPending(open);
  }
  encodeFlushResponse(request.writer);
}
