// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import type { Request } from "./request.ts";
import type { FileOpen } from "./state/open.ts";

/**
 * Waits until others have given up what they cache, with STATUS_PENDING for the client. Afterwards the caller checks again
 * whatever it had found out before.
 * @throws SmbError CANCELLED, or what has become of session, tree connect or handle meanwhile
 */
export async function untilBroken(request: Request, broken: Promise<void>): Promise<void> {
  const open = request.maybeOpen;
  const onClose = open?.kind === "file" ? open.onClose : undefined;
  let closed: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      void broken.then(resolve);
      closed = () => reject(new SmbError(NtStatus.FILE_CLOSED));
      onClose?.add(closed);
      request.goAsync(() => reject(new SmbError(NtStatus.CANCELLED)));
    });
  } finally {
    if (closed !== undefined) onClose?.delete(closed);
  }
  if (open?.closing) throw new SmbError(NtStatus.FILE_CLOSED);
  if (request.session.state === "closing") throw new SmbError(NtStatus.USER_SESSION_DELETED);
  if (request.tree.closing) throw new SmbError(NtStatus.NETWORK_NAME_DELETED);
}

/**
 * Has others give up what they cache, again and again until nobody has to be waited for.
 * @param revoke one round: `undefined` where nothing is in the way
 * @throws SmbError as {@link untilBroken}
 */
export function awaitRevocation(request: Request, revoke: () => Promise<void> | undefined): Awaitable<void> {
  const broken = revoke();
  if (broken !== undefined) return goOn(request, broken, revoke);
}

async function goOn(request: Request, first: Promise<void>, revoke: () => Promise<void> | undefined): Promise<void> {
  for (let broken: Promise<void> | undefined = first; broken !== undefined; broken = revoke()) {
    await untilBroken(request, broken);
  }
}

/** Others stop reading from their caches what a handle is about to change. @throws SmbError as {@link untilBroken} */
export function breakForChange(request: Request, open: FileOpen): Awaitable<void> {
  const { oplock } = open.stream;
  if (!oplock.isEmpty) return awaitRevocation(request, () => oplock.breakForChange(open));
}
