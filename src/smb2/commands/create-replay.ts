// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { FileOpen } from "../state/open.ts";
import { OplockLevel, ShareAccess } from "../wire/constants.ts";
import type { CreateRequest } from "../wire/create.ts";
import { decodeLease } from "../wire/create-context-data.ts";
import { CreateContextName, findCreateContext } from "../wire/create-contexts.ts";
import type { DurableRequest } from "./durable-contexts.ts";
import { allowsPersistence } from "./durable-grant.ts";
import { takeUp } from "./durable-reconnect.ts";
import { effectiveAccess, effectiveOptions } from "./open-parameters.ts";

/**
 * The handle that a CREATE with this CreateGuid has opened before, for a client that did not see the answer (MS-SMB2
 * 3.3.5.9, 3.3.5.9.10). `undefined`: the request is new.
 * @throws SmbError DUPLICATE_OBJECTID the CreateGuid is in use and this is no replay, or one of another session
 * @throws SmbError FILE_NOT_AVAILABLE the first request has not been answered yet
 * @throws SmbError ACCESS_DENIED the handle is another user's, or was asked for in another way
 * @throws SmbError INVALID_PARAMETER the handle is persistent, and was asked for as durable only
 */
export function findReplayed(request: Request, message: CreateRequest, asked: DurableRequest): FileOpen | undefined {
  const { server, connection, session } = request;
  if (asked.createGuid === undefined) return undefined;
  const open = server.createReplays.find(connection.clientGuid, asked.createGuid);
  if (open === undefined || (open.isDisconnected && open.durability?.kind === "persistent")) {
    return findPersistent(request, message, asked, asked.createGuid);
  }
  if (!request.isReplay) throw new SmbError(NtStatus.DUPLICATE_OBJECTID);
  const owner = open.durability?.owner ?? open.session.identity?.sid;
  if (session.identity?.sid !== owner) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (open.session !== session) throw new SmbError(NtStatus.DUPLICATE_OBJECTID);
  if (message.requestedOplockLevel === OplockLevel.LEASE && !namesSameLease(message, open)) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  if (open.durability?.kind === "persistent" && !asked.persistent) throw new SmbError(NtStatus.INVALID_PARAMETER);
  open.connection = connection;
  return open;
}

function namesSameLease(message: CreateRequest, { lease }: FileOpen): boolean {
  const data = findCreateContext(message.contexts, CreateContextName.REQUEST_LEASE);
  return lease !== undefined && (data === undefined || decodeLease(data).leaseKey.equals(lease.leaseKey));
}

/**
 * A persistent handle whose client lost the connection before it saw the answer, to be taken up.
 * @throws SmbError DUPLICATE_OBJECTID the CreateGuid is in use and this is no replay
 * @throws SmbError FILE_NOT_AVAILABLE the connection that it was opened on has not gone yet
 * @throws SmbError CONTEXT_MISMATCH it was opened for something else
 */
function findPersistent(
  request: Request,
  message: CreateRequest,
  asked: DurableRequest,
  createGuid: Buffer,
): FileOpen | undefined {
  if (!asked.persistent || !allowsPersistence(request)) return undefined;
  const open = request.server.persistentOpens?.find(createGuid);
  if (open === undefined) return undefined;
  if (!request.isReplay) throw new SmbError(NtStatus.DUPLICATE_OBJECTID);
  if (!open.isDisconnected) throw new SmbError(NtStatus.FILE_NOT_AVAILABLE);
  if (request.session.identity?.sid !== open.durability?.owner) throw new SmbError(NtStatus.ACCESS_DENIED);
  const same =
    open.createOptions === effectiveOptions(request, message) &&
    open.desiredAccess === effectiveAccess(message) &&
    // Others may have been left more than was asked for (`grantedSharing`).
    (open.shareAccess | ShareAccess.READ) === (message.shareAccess | ShareAccess.READ) &&
    foldName(open.fileName) === foldName(message.name) &&
    open.tree.files === request.tree.files;
  if (!same) throw new SmbError(NtStatus.CONTEXT_MISMATCH);
  takeUp(request, open);
  return open;
}

/** Marks a CREATE as under way until the function returned runs. @throws SmbError as {@link findReplayed} */
export function beginCreate(request: Request, createGuid: Buffer): () => void {
  const { createReplays } = request.server;
  const { clientGuid } = request.connection;
  if (!createReplays.begin(clientGuid, createGuid)) {
    throw new SmbError(request.isReplay ? NtStatus.FILE_NOT_AVAILABLE : NtStatus.DUPLICATE_OBJECTID);
  }
  return () => createReplays.end(clientGuid, createGuid);
}
