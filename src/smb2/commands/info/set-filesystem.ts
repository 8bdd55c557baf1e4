// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { type FileOpen, requireAccess } from "../../state/open.ts";

/**
 * SMB2_0_INFO_FILESYSTEM (MS-SMB2 3.3.5.21.2, MS-FSA 2.1.5.16): no volume keeps quota limits or an object ID of the
 * client's choice, so that both classes are refused.
 */
export function setFileSystem(open: FileOpen): never {
  requireAccess(open, Access.WRITE_DATA);
  if (open.file.volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  throw new SmbError(NtStatus.NOT_SUPPORTED);
}
