// SPDX-License-Identifier: Apache-2.0

import { accessCheck } from "../../../nt/access-check.ts";
import { Access } from "../../../nt/access-mask.ts";
import { FileAttribute } from "../../../nt/attributes.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { VolumeFile } from "../../../vfs/volume.ts";
import { awaitRevocation } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import { STRANGER } from "../../state/oplock.ts";
import type { FileTable } from "../../state/shared-file.ts";
import { ShareAccess } from "../../wire/constants.ts";

export interface Replacement {
  readonly replaceIfExists: boolean;
  readonly ignoresReadOnly: boolean;
  /** Handles of the other file stay valid, where they share deletion; its name goes. */
  readonly posixSemantics: boolean;
  /** The caller may delete whatever is in the directory. */
  readonly mayDeleteChild: boolean;
}

const ALL_SHARED = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE;

/**
 * Whether another file that has the wanted name may give way to it (MS-FSA 2.1.5.15.7, 2.1.5.15.12).
 * @throws SmbError OBJECT_NAME_COLLISION, ACCESS_DENIED, DELETE_PENDING, SHARING_VIOLATION
 */
export async function checkReplacement(
  request: Request,
  files: FileTable,
  target: VolumeFile,
  replacement: Replacement,
): Promise<void> {
  if (!replacement.replaceIfExists) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
  if (target.directory) throw new SmbError(NtStatus.ACCESS_DENIED);
  const { attributes } = await target.stat();
  if ((attributes & FileAttribute.READONLY) !== 0 && !replacement.ignoresReadOnly) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  const { identity } = request.session;
  if (identity === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (!replacement.mayDeleteChild && !accessCheck(await target.security(), identity, Access.DELETE).ok) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  const known = files.find(target.fileId);
  if (known?.links.some((link) => link.deletePending && link.removal !== "done"))
    throw new SmbError(NtStatus.DELETE_PENDING);
  if (known === undefined) return;
  for (const { oplock } of known.streams.values())
    await awaitRevocation(request, () => oplock.breakForRename(STRANGER));
  if (known.opens.size === 0) return;
  if (!replacement.posixSemantics) throw new SmbError(NtStatus.ACCESS_DENIED);
  known.checkSharing(undefined, false, Access.DELETE, ALL_SHARED);
}
