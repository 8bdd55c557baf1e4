// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { FileAttribute } from "../../../nt/attributes.ts";
import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { awaitRevocation } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import type { FileOpen } from "../../state/open.ts";
import { reportDirectoryDeleted } from "../../state/report-change.ts";
import { FileDispositionFlag } from "../../wire/fscc/rename-info.ts";

const KNOWN_FLAGS =
  FileDispositionFlag.DELETE |
  FileDispositionFlag.POSIX_SEMANTICS |
  FileDispositionFlag.FORCE_IMAGE_SECTION_CHECK |
  FileDispositionFlag.ON_CLOSE |
  FileDispositionFlag.IGNORE_READONLY_ATTRIBUTE;

/** FileDispositionInformation (MS-FSA 2.1.5.15.3). */
export function setDisposition(request: Request, open: FileOpen, deletePending: boolean): Awaitable<void> {
  if (!deletePending) return mark(open, false, false);
  return chain(checkDeletable(request, open, false), () => mark(open, true, false));
}

/** FileDispositionInformationEx (MS-FSA 2.1.5.15.4, MS-FSCC 2.4.12). */
export function setDispositionEx(request: Request, open: FileOpen, flags: number): Awaitable<void> {
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new SmbError(NtStatus.NOT_SUPPORTED);
  const deletes = (flags & FileDispositionFlag.DELETE) !== 0;
  if ((flags & FileDispositionFlag.ON_CLOSE) !== 0) {
    if (!open.deleteOnClose) throw new SmbError(NtStatus.NOT_SUPPORTED);
    if (!deletes) {
      open.deleteOnClose = false;
      return;
    }
  }
  if (!deletes) return mark(open, false, false);
  const ignoresReadOnly =
    (flags & FileDispositionFlag.IGNORE_READONLY_ATTRIBUTE) !== 0 &&
    (open.grantedAccess & Access.WRITE_ATTRIBUTES) !== 0;
  return chain(checkDeletable(request, open, ignoresReadOnly), () =>
    mark(open, true, (flags & FileDispositionFlag.POSIX_SEMANTICS) !== 0),
  );
}

/** Who caches handles closes them now, so that the file can go with its last handle in use. */
function checkDeletable(request: Request, open: FileOpen, ignoresReadOnly: boolean): Awaitable<void> {
  return chain(mayBeDeleted(open, ignoresReadOnly), () =>
    awaitRevocation(request, () => open.stream.oplock.breakHandles(open)),
  );
}

function mayBeDeleted(open: FileOpen, ignoresReadOnly: boolean): Awaitable<void> {
  const { file, link, stream } = open;
  if (link.path.length === 0 && stream.name === "") throw new SmbError(NtStatus.ACCESS_DENIED);
  return chain(file.node.stat(), (stat) => {
    if (!ignoresReadOnly && (stat.attributes & FileAttribute.READONLY) !== 0) {
      throw new SmbError(NtStatus.CANNOT_DELETE);
    }
    if (stream.name !== "" || !file.node.directory) return;
    return chain(file.node.isEmpty(), (empty) => {
      if (!empty) throw new SmbError(NtStatus.DIRECTORY_NOT_EMPTY);
    });
  });
}

function mark(open: FileOpen, deletePending: boolean, posixSemantics: boolean): void {
  if (open.closing) throw new SmbError(NtStatus.FILE_CLOSED);
  const { link } = open;
  if (open.stream.name !== "") {
    open.stream.deletePending = deletePending;
    return;
  }
  if (link.removal !== "none") {
    // The name has gone by a handle with POSIX semantics, and does not come back.
    if (!deletePending) throw new SmbError(NtStatus.FILE_DELETED);
    return;
  }
  link.deletePending = deletePending;
  link.posixSemantics = posixSemantics;
  if (deletePending) reportDirectoryDeleted(open);
}
