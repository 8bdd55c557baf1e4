// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { holdsHandleCaching } from "../state/durability.ts";
import type { FileOpen } from "../state/open.ts";
import { CreateAction } from "../wire/constants.ts";
import type { CreateRequest } from "../wire/create.ts";
import { namesLeaseOf } from "./create-lease.ts";
import { respondWithOpen } from "./create-response.ts";
import type { DurableReconnect } from "./durable-contexts.ts";
import { allowsPersistence } from "./durable-grant.ts";
import { checkHandleLimit } from "./register-open.ts";

/** CreateGuid of a handle that was opened without one. */
const NO_GUID = Buffer.alloc(16);

/** A client takes up a handle that was kept for it (MS-SMB2 3.3.5.9.7, 3.3.5.9.12). */
export function reconnectOpen(request: Request, message: CreateRequest, asked: DurableReconnect): Awaitable<void> {
  const open = findOpen(request, message, asked);
  takeUp(request, open);
  return respondWithOpen(request, message, open, CreateAction.OPENED);
}

/** Gives a handle without a client to the session and tree connect of a request. */
export function takeUp(request: Request, open: FileOpen): void {
  const { server } = request;
  server.durableOpens.reconnect(open, request.session, request.tree, server.allocateFileId());
  open.connection = request.connection;
  open.channelSequence.restart(request.header.channelSequence);
  // The client hears of a break once it has the answer to this request.
  request.onResponse = () => queueMicrotask(() => server.breakNotices.clientIsBack(open));
}

/**
 * @throws SmbError OBJECT_NAME_NOT_FOUND nothing is kept under this FileId for who asks in this way
 * @throws SmbError ACCESS_DENIED it is another user's, or the share no longer grants what the handle holds
 */
function findOpen(request: Request, message: CreateRequest, asked: DurableReconnect): FileOpen {
  const { server, session, tree } = request;
  const open = server.durableOpens.find(asked.persistentId) ?? findPersistent(request, asked);
  const durability = open?.durability;
  if (open === undefined || durability === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  const sameCreate =
    asked.version === 1 || (asked.createGuid !== undefined && (open.createGuid ?? NO_GUID).equals(asked.createGuid));
  if (asked.persistent && durability.kind !== "persistent") throw new SmbError(NtStatus.INVALID_PARAMETER);
  const possible =
    sameCreate &&
    open.isDisconnected &&
    (asked.persistent || durability.kind !== "persistent") &&
    namesLeaseOf(request, message, open) &&
    (durability.kind !== "durable" || holdsHandleCaching(open)) &&
    open.tree.files === tree.files &&
    open.tree.shareName === tree.shareName;
  if (!possible) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  if (session.identity?.kind !== "user" || session.identity.sid !== durability.owner) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  if ((open.grantedAccess & ~open.tree.maximalAccess) !== (open.grantedAccess & ~tree.maximalAccess)) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  checkHandleLimit(request);
  return open;
}

/** A client that did not see the answer to its CREATE knows no FileId (MS-SMB2 3.3.5.9.12). */
function findPersistent(request: Request, { persistent, createGuid }: DurableReconnect): FileOpen | undefined {
  if (!persistent || createGuid === undefined || !allowsPersistence(request)) return undefined;
  return request.server.persistentOpens?.find(createGuid);
}
