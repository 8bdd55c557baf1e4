// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { SecurityInformation, selectSecurityInformation } from "../../../nt/security-information.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { type FileOpen, requireAccess } from "../../state/open.ts";
import { bufferTooSmallData } from "../../wire/error-response.ts";
import { encodeQueryInfoResponse, type QueryInfoRequest } from "../../wire/query-info.ts";

const { OWNER, GROUP, DACL, SACL, LABEL, ATTRIBUTE, SCOPE, BACKUP } = SecurityInformation;

/** SMB2_0_INFO_SECURITY (MS-SMB2 3.3.5.20.3, MS-FSA 2.1.5.14). */
export function querySecurity(request: Request, open: FileOpen, message: QueryInfoRequest): Awaitable<void> {
  const parts = message.additionalInformation;
  if ((parts & (OWNER | GROUP | DACL | LABEL | ATTRIBUTE | BACKUP)) !== 0) requireAccess(open, Access.READ_CONTROL);
  if ((parts & (SACL | SCOPE | BACKUP)) !== 0) requireAccess(open, Access.ACCESS_SYSTEM_SECURITY);
  return chain(open.file.node.security(), (descriptor) => {
    const output = selectSecurityInformation(descriptor, parts);
    if (output.length > message.outputBufferLength) {
      request.errorData = bufferTooSmallData(output.length);
      throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
    }
    encodeQueryInfoResponse(request.writer, { output });
  });
}
