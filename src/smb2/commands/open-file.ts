// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain, isPromise } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Located, NtPath, Volume } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import { CreateDisposition } from "../wire/constants.ts";
import { checkLeaseName } from "./create-lease.ts";
import { NameGone } from "./make-way.ts";
import { createNew } from "./new-file.ts";
import { checkShareAccess } from "./open-access.ts";
import { openExisting } from "./open-existing.ts";
import type { OpenParameters, OpenResult } from "./open-parameters.ts";
import { checkHandleLimit } from "./register-open.ts";

/** How often an open is begun again because a name has come or gone between two steps. */
const MAX_RACES = 8;

/** Opens or creates a file, directory or stream (MS-FSA 2.1.5.1). */
export async function openFile(request: Request, parameters: OpenParameters): Promise<OpenResult> {
  const { tree } = request;
  if (tree.share === undefined || tree.files === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  const { volume } = tree.share;
  const { disposition, path } = parameters;
  checkShareAccess(request, parameters);
  checkHandleLimit(request);
  for (let attempt = 0; ; attempt++) {
    const locating = locate(volume, path.components, disposition);
    // Without a turn where there is no need for one: a directory is best used while it is as it was found.
    const { opened, directory } = isPromise(locating) ? await locating : locating;
    try {
      checkLeaseName(request, parameters.lease, opened?.path ?? path.components, path.stream);
    } catch (error) {
      await opened?.file.close();
      await directory?.close();
      throw error;
    }
    if (opened !== undefined) {
      try {
        return await openExisting(request, tree.files, opened, parameters);
      } catch (error) {
        if (!(error instanceof NameGone) || attempt >= MAX_RACES) throw error;
        continue;
      }
    }
    if (disposition === CreateDisposition.OPEN || disposition === CreateDisposition.OVERWRITE) {
      throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    }
    try {
      return await createNew(request, volume, tree.files, parameters, directory);
    } catch (error) {
      const collision = error instanceof SmbError && error.status === NtStatus.OBJECT_NAME_COLLISION;
      if (!collision || disposition === CreateDisposition.CREATE || attempt >= MAX_RACES) throw error;
    } finally {
      void directory?.close();
    }
  }
}

/** What is there, and where something is to be created, the open directory for it, of volumes that offer that. */
function locate(volume: Volume, path: NtPath, disposition: number): Awaitable<Partial<Located>> {
  const creates = disposition !== CreateDisposition.OPEN && disposition !== CreateDisposition.OVERWRITE;
  if (creates && path.length > 0 && volume.locate !== undefined) {
    return volume.locate(path, disposition === CreateDisposition.CREATE);
  }
  return chain(volume.open(path), (opened) => (opened === undefined ? {} : { opened }));
}
