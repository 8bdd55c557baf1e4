// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { disturbsOplocks } from "../state/oplock.ts";
import type { Link, SharedFile } from "../state/shared-file.ts";
import { cacheUser } from "./create-lease.ts";
import type { OpenParameters } from "./open-parameters.ts";

/** The name went while an open waited for its last handle, which was cached: the open begins again. */
export class NameGone extends SmbError {
  constructor() {
    super(NtStatus.DELETE_PENDING);
  }
}

/** A persistent handle without its client comes before all others: they are to come again later (MS-SMB2 3.3.5.9). */
export function waitsForPersistentOpen(file: SharedFile, desired: number, overwrites: boolean): boolean {
  if (!overwrites && !disturbsOplocks(desired)) return false;
  for (const { isDisconnected, durability } of file.opens) {
    if (isDisconnected && durability?.kind === "persistent") return true;
  }
  return false;
}

/**
 * Checks sharing, and has others give up what they cache and what is in the way of this open (MS-FSA 2.1.5.1.2,
 * 2.1.5.1.2.1). `undefined`: the open may go on. Else it waits, and asks again.
 * @throws SmbError DELETE_PENDING, SHARING_VIOLATION
 */
export function makeWay(
  request: Request,
  file: SharedFile,
  link: Link,
  { path, lease, shareAccess }: OpenParameters,
  granted: number,
  desired: number,
  overwrites: boolean,
): Promise<void> | undefined {
  const stream = file.streams.get(foldName(path.stream));
  const oplock = stream === undefined || stream.oplock.isEmpty ? undefined : stream.oplock;
  const user = cacheUser(request, lease);
  if (oplock?.hasBatchOfOthers(user)) {
    const broken = oplock.breakForOpen(user, desired, overwrites);
    if (broken !== undefined) return broken;
  }
  if (link.deletePending && !file.links.includes(link)) throw new NameGone();
  if (link.deletePending || stream?.deletePending) throw new SmbError(NtStatus.DELETE_PENDING);
  if (file.sharingConflicts(stream, path.stream !== "", granted, shareAccess)) {
    const broken = oplock?.breakHandles(user);
    if (broken !== undefined) return broken;
    throw new SmbError(NtStatus.SHARING_VIOLATION);
  }
  return oplock?.breakForOpen(user, desired, overwrites);
}
