// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import type { Awaitable } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { type PipeOpen, requireAccess } from "../../state/open.ts";
import { FileInformationClass } from "../../wire/fscc/classes.ts";
import {
  encodeFileAccessInformation,
  encodeFileEaInformation,
  encodeFileModeInformation,
} from "../../wire/fscc/open-info.ts";
import {
  encodeFilePipeInformation,
  encodeFilePipeLocalInformation,
  PipeCompletionMode,
  PipeConfiguration,
  PipeEnd,
  PipeMode,
  PipeState,
} from "../../wire/fscc/pipe-info.ts";
import { encodeFileStandardInformation } from "../../wire/fscc/size-info.ts";
import type { QueryInfoRequest } from "../../wire/query-info.ts";
import { respond } from "./respond.ts";

/** Bytes that a pipe is said to buffer, and space that it is said to take. */
const QUOTA = 4096;
const UNLIMITED_INSTANCES = 0xffffffff;

/** SMB2_0_INFO_FILE of a named pipe (MS-SMB2 3.3.5.20.1). */
export function queryPipe(request: Request, open: PipeOpen, message: QueryInfoRequest): Awaitable<void> {
  switch (message.fileInfoClass) {
    case FileInformationClass.FileStandardInformation:
      return respond(request, (writer) =>
        encodeFileStandardInformation(writer, {
          allocationSize: QUOTA,
          endOfFile: 0,
          numberOfLinks: 1,
          // A pipe vanishes with its last handle, and Windows says so.
          deletePending: true,
          directory: false,
        }),
      );
    case FileInformationClass.FileAccessInformation:
      return respond(request, (writer) => encodeFileAccessInformation(writer, open.grantedAccess));
    case FileInformationClass.FileEaInformation:
      return respond(request, (writer) => encodeFileEaInformation(writer, 0));
    case FileInformationClass.FileModeInformation:
      return respond(request, (writer) => encodeFileModeInformation(writer, 0));
    case FileInformationClass.FilePipeInformation:
      requireAccess(open, Access.READ_ATTRIBUTES);
      return respond(request, (writer) =>
        encodeFilePipeInformation(writer, {
          readMode: PipeMode.MESSAGE,
          completionMode: PipeCompletionMode.QUEUE_OPERATION,
        }),
      );
    case FileInformationClass.FilePipeLocalInformation:
      requireAccess(open, Access.READ_ATTRIBUTES);
      return respond(request, (writer) =>
        encodeFilePipeLocalInformation(writer, {
          namedPipeType: PipeMode.MESSAGE,
          namedPipeConfiguration: PipeConfiguration.FULL_DUPLEX,
          maximumInstances: UNLIMITED_INSTANCES,
          currentInstances: 1,
          inboundQuota: QUOTA,
          readDataAvailable: open.pipe.peek().available,
          outboundQuota: QUOTA,
          writeQuotaAvailable: QUOTA,
          namedPipeState: PipeState.CONNECTED,
          namedPipeEnd: PipeEnd.CLIENT,
        }),
      );
    default:
      throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}
