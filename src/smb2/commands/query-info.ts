// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { requireFile } from "../state/open.ts";
import { InfoType } from "../wire/constants.ts";
import { type QueryRule, queryFileRule, queryFileSystemRule } from "../wire/fscc/classes.ts";
import { EMPTY } from "../wire/layout.ts";
import { decodeQueryInfoRequest, type QueryInfoRequest } from "../wire/query-info.ts";
import { command } from "./command.ts";
import { queryFile } from "./info/query-file.ts";
import { queryFileSystem } from "./info/query-filesystem.ts";
import { queryPipe } from "./info/query-pipe.ts";
import { querySecurity } from "./info/query-security.ts";
import { refuseClass } from "./info/respond.ts";

/** SMB2 QUERY_INFO (MS-SMB2 3.3.5.20). */
export const queryInfo = command({
  decode: decodeQueryInfoRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
  payload: (message) => Math.max(message.input.length, message.outputBufferLength),
});

function handle(request: Request, message: QueryInfoRequest): Awaitable<void> {
  const { open } = request;
  const { maxTransactSize } = request.connection;
  if (message.outputBufferLength > maxTransactSize || message.input.length > maxTransactSize) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  switch (message.infoType) {
    case InfoType.FILE:
      checkLength(request, message, queryFileRule);
      return open.kind === "pipe" ? queryPipe(request, open, message) : queryFile(request, open, message);
    case InfoType.FILESYSTEM:
      checkLength(request, message, queryFileSystemRule);
      return queryFileSystem(request, requireFile(open), message);
    case InfoType.SECURITY:
      return querySecurity(request, requireFile(open), message);
    case InfoType.QUOTA:
      // No volume keeps quotas (MS-SMB2 3.3.5.20.4).
      throw new SmbError(NtStatus.NOT_SUPPORTED);
    default:
      throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}

function checkLength(
  request: Request,
  message: QueryInfoRequest,
  ruleOf: (informationClass: number) => QueryRule,
): void {
  let rule: QueryRule;
  try {
    rule = ruleOf(message.fileInfoClass);
  } catch (error) {
    refuseClass(request, message.infoType, message.fileInfoClass, error);
  }
  if (message.outputBufferLength >= rule.minimumLength) return;
  // SMB 3.1.1 has an empty error context here (MS-SMB2 3.3.5.20.1, 3.3.5.20.2).
  request.errorData = EMPTY;
  throw new SmbError(NtStatus.INFO_LENGTH_MISMATCH);
}
