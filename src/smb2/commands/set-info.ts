// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { requireFile } from "../state/open.ts";
import { InfoType } from "../wire/constants.ts";
import { FileInformationClass, setFileMinimumLength, setFileSystemMinimumLength } from "../wire/fscc/classes.ts";
import { decodeSetInfoRequest, encodeSetInfoResponse, type SetInfoRequest } from "../wire/set-info.ts";
import { command } from "./command.ts";
import { refuseClass } from "./info/respond.ts";
import { setFile } from "./info/set-file.ts";
import { setFileSystem } from "./info/set-filesystem.ts";
import { setPipe } from "./info/set-pipe.ts";
import { setSecurity } from "./info/set-security.ts";

/** SMB2 SET_INFO (MS-SMB2 3.3.5.21). */
export const setInfo = command({
  decode: decodeSetInfoRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
  payload: (message) => message.input.length,
});

function handle(request: Request, message: SetInfoRequest): Awaitable<void> {
  const { length } = message.input;
  if (length === 0 || length > request.connection.maxTransactSize) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  return chain(apply(request, message), () =>
    chain(keepPersistent(request), () => encodeSetInfoResponse(request.writer)),
  );
}

/** Persistent handles of the file may have another name now, or be the last of it. */
function keepPersistent({ open, server }: Request): Awaitable<void> {
  if (open.kind === "file") return server.persistentOpens?.saveFile(open.file);
}

function apply(request: Request, message: SetInfoRequest): Awaitable<void> {
  const { open } = request;
  switch (message.infoType) {
    case InfoType.FILE:
      checkLength(request, message, fileMinimumLength);
      if (open.kind === "pipe") return setPipe(open, message);
      if (open.file.volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
      return setFile(request, open, message);
    case InfoType.FILESYSTEM:
      checkLength(request, message, setFileSystemMinimumLength);
      return setFileSystem(requireFile(open));
    case InfoType.SECURITY:
      return setSecurity(request, requireFile(open), message);
    case InfoType.QUOTA:
      // No volume keeps quotas (MS-SMB2 3.3.5.21.4).
      throw new SmbError(NtStatus.NOT_SUPPORTED);
    default:
      throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}

/** Bytes of a rename up to its name. Clients leave out the padding that follows a short name, and Windows lets them. */
const RENAME_FIXED_LENGTH = 20;

function fileMinimumLength(informationClass: number): number {
  const isRename =
    informationClass === FileInformationClass.FileRenameInformation ||
    informationClass === FileInformationClass.FileRenameInformationEx;
  return isRename ? RENAME_FIXED_LENGTH : setFileMinimumLength(informationClass);
}

function checkLength(request: Request, message: SetInfoRequest, minimum: (informationClass: number) => number): void {
  let length: number;
  try {
    length = minimum(message.fileInfoClass);
  } catch (error) {
    refuseClass(request, message.infoType, message.fileInfoClass, error);
  }
  if (message.input.length < length) throw new SmbError(NtStatus.INFO_LENGTH_MISMATCH);
}
