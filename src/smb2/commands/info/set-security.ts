// SPDX-License-Identifier: Apache-2.0

import { mayAssignOwner } from "../../../nt/access-check.ts";
import { Access } from "../../../nt/access-mask.ts";
import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { readSecurityDescriptor } from "../../../nt/security-descriptor.ts";
import { mergeSecurityInformation, SecurityInformation } from "../../../nt/security-information.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { awaitRevocation } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import { archive } from "../../state/archive.ts";
import { keepFrozenTimes } from "../../state/frozen-times.ts";
import { type FileOpen, requireAccess } from "../../state/open.ts";
import { reportModified } from "../../state/report-change.ts";
import { CompletionFilter } from "../../wire/constants.ts";
import type { SetInfoRequest } from "../../wire/set-info.ts";

const { OWNER, GROUP, DACL, SACL, LABEL, ATTRIBUTE, SCOPE, BACKUP } = SecurityInformation;

/** SMB2_0_INFO_SECURITY (MS-SMB2 3.3.5.21.3, MS-FSA 2.1.5.17). */
export function setSecurity(request: Request, open: FileOpen, message: SetInfoRequest): Awaitable<void> {
  const parts = message.additionalInformation;
  if ((parts & (SACL | SCOPE | BACKUP)) !== 0) requireAccess(open, Access.ACCESS_SYSTEM_SECURITY);
  if ((parts & (DACL | ATTRIBUTE | BACKUP)) !== 0) requireAccess(open, Access.WRITE_DAC);
  if ((parts & (OWNER | GROUP | LABEL | BACKUP)) !== 0) requireAccess(open, Access.WRITE_OWNER);
  const { file } = open;
  const { node, volume } = file;
  if (volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  const { identity } = request.session;
  if (identity === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  const { input } = message;
  const broken = awaitRevocation(request, () => open.stream.oplock.breakHandles(open));
  return chain(
    chain(broken, () => node.security()),
    (current) => {
      const { owner } = readSecurityDescriptor(input);
      if ((parts & (OWNER | BACKUP)) !== 0 && owner !== undefined && owner !== readSecurityDescriptor(current).owner) {
        if (!mayAssignOwner(identity, owner)) throw new SmbError(NtStatus.INVALID_OWNER);
      }
      const merged = mergeSecurityInformation(current, input, parts, node.directory);
      const changed = keepFrozenTimes(open, () => chain(node.setSecurity(merged), () => archive(file)));
      return chain(changed, () => reportModified(open, CompletionFilter.SECURITY));
    },
  );
}
