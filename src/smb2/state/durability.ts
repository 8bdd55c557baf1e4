// SPDX-License-Identifier: Apache-2.0

import { LeaseState } from "../wire/constants.ts";
import type { FileOpen } from "./open.ts";

/** What lets a handle outlive its connection (Open.IsDurable, IsResilient and IsPersistent; MS-SMB2 3.3.1.10). */
export interface Durability {
  /**
   * `durable`: kept while the client may cache the handle, given up when that has to end. `resilient`: kept whatever others
   * want. `persistent`: like that, and over a restart of the server.
   */
  readonly kind: "durable" | "resilient" | "persistent";
  /** SID of the user who may take the handle up again (Open.DurableOwner). */
  readonly owner: string;
  /** Milliseconds that the server waits for the client. */
  readonly timeout: number;
}

/** The client may cache the handle itself: by a batch oplock or a lease that is not being broken. */
export function holdsHandleCaching({ lease, oplock }: FileOpen): boolean {
  const holder = lease ?? oplock;
  return holder !== undefined && holder.breaking === undefined && (holder.state & LeaseState.HANDLE_CACHING) !== 0;
}

/** Whether a handle is kept when its client is cut off (MS-SMB2 3.3.7.1, 3.3.5.6). */
export function isToBePreserved(open: FileOpen): boolean {
  if (open.durability === undefined || open.closing) return false;
  return open.durability.kind !== "durable" || holdsHandleCaching(open);
}
