// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { type PipeOpen, requireAccess } from "../../state/open.ts";
import { Reader } from "../../wire/cursor.ts";
import { FileInformationClass } from "../../wire/fscc/classes.ts";
import { decodeFilePipeInformation, PipeCompletionMode, PipeMode } from "../../wire/fscc/pipe-info.ts";
import type { SetInfoRequest } from "../../wire/set-info.ts";

/** SMB2_0_INFO_FILE of a named pipe: only the modes that pipes have anyway can be set (MS-FSCC 2.4.37). */
export function setPipe(open: PipeOpen, message: SetInfoRequest): void {
  if (message.fileInfoClass !== FileInformationClass.FilePipeInformation) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  requireAccess(open, Access.WRITE_ATTRIBUTES);
  const { readMode, completionMode } = decodeFilePipeInformation(new Reader(message.input));
  if (readMode > PipeMode.MESSAGE || completionMode > PipeCompletionMode.COMPLETE_OPERATION) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (readMode !== PipeMode.MESSAGE || completionMode !== PipeCompletionMode.QUEUE_OPERATION) {
    throw new SmbError(NtStatus.NOT_SUPPORTED);
  }
}
