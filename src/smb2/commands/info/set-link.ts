// SPDX-License-Identifier: Apache-2.0

import { parseSharePath } from "../../../nt/names.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { awaitRevocation } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import { archive } from "../../state/archive.ts";
import { keepFrozenTimes } from "../../state/frozen-times.ts";
import type { FileOpen } from "../../state/open.ts";
import { reportLink } from "../../state/report-change.ts";
import { samePath } from "../../state/shared-file.ts";
import type { FileRenameInformation } from "../../wire/fscc/rename-info.ts";
import { checkDestination } from "../parent-directory.ts";
import { checkReplacement } from "./replace-target.ts";

/** FileLinkInformation: a further name for the file (MS-FSA 2.1.5.15.7). */
export async function setLink(request: Request, open: FileOpen, info: FileRenameInformation): Promise<void> {
  if (info.rootDirectory !== 0n || info.fileName === "") {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  const { file } = open;
  const { files } = open.tree;
  if (files === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  // Names are the file's, not a stream's.
  if (open.stream.name !== "") throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (file.node.directory) throw new SmbError(NtStatus.FILE_IS_A_DIRECTORY);
  if (open.link.deletePending) throw new SmbError(NtStatus.ACCESS_DENIED);
  // The path is relative to the share, yet some clients begin it with a backslash.
  const path = parseSharePath(info.fileName.replace(/^\\/, ""));
  if (path.stream !== "" || path.type !== "" || path.trailingSeparator || path.components.length === 0) {
    throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  }
  const target = path.components;
  const { mayDeleteChild } = await checkDestination(request, file.volume, files, target, false);
  await awaitRevocation(request, () => open.stream.oplock.breakForRename(open));
  const existing = await file.volume.open(target);
  try {
    if (existing !== undefined) {
      const isSame = existing.file.fileId === file.node.fileId;
      // The link is there already, in this very spelling or in another.
      if (isSame && (samePath(existing.path, open.link.path) || info.replaceIfExists)) return;
      await checkReplacement(request, files, existing.file, {
        replaceIfExists: info.replaceIfExists,
        ignoresReadOnly: false,
        posixSemantics: false,
        mayDeleteChild,
      });
    }
    if (open.closing) throw new SmbError(NtStatus.FILE_CLOSED);
    await keepFrozenTimes(open, () => file.volume.link(file.node, target, info.replaceIfExists));
    reportLink(files, target, existing?.path, open.lease?.parentId);
    await keepFrozenTimes(open, () => archive(file));
  } finally {
    await existing?.file.close();
  }
}
