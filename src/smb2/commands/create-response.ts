// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import type { FileTime } from "../../nt/filetime.ts";
import { NtStatus } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { Durability } from "../state/durability.ts";
import type { FileOpen } from "../state/open.ts";
import { oplockLevelOf } from "../state/oplock.ts";
import { DurableHandleFlag, LeaseState, OplockLevel } from "../wire/constants.ts";
import { type CreateRequest, encodeCreateResponse } from "../wire/create.ts";
import {
  decodeMaximalAccessRequest,
  durableHandleResponseContext,
  durableHandleResponseV2Context,
  leaseContext,
  maximalAccessResponseContext,
  onDiskIdContext,
} from "../wire/create-context-data.ts";
import { type CreateContext, CreateContextName, findCreateContext } from "../wire/create-contexts.ts";
import { answerServerQuery, serverQueryOf } from "./apple.ts";
import { leaseResponse } from "./create-lease.ts";
import type { DurableRequest } from "./durable-contexts.ts";
import { type FileFacts, factsOf, shownFacts } from "./file-facts.ts";

/**
 * Writes the response of a CREATE that has opened, found again or taken up a handle (MS-SMB2 3.3.5.9).
 * @param durable what was asked; the answer tells whether it was granted
 */
export function respondWithOpen(
  request: Request,
  message: CreateRequest,
  open: FileOpen,
  createAction: number,
  durable?: DurableRequest,
): Awaitable<void> {
  return chain(factsOf(open), (facts) => writeResponse(request, message, open, createAction, facts, durable));
}

/** Writes the same where it is known already what is to be said about the file. */
export function writeResponse(
  request: Request,
  message: CreateRequest,
  open: FileOpen,
  createAction: number,
  facts: FileFacts,
  durable: DurableRequest | undefined,
): void {
  const fileId = { persistent: open.persistentId, volatile: open.volatileId };
  const shown = shownFacts(facts);
  request.publishFileId(fileId);
  encodeCreateResponse(request.writer, {
    oplockLevel: oplockLevelIn(request, message, open),
    flags: 0,
    createAction,
    creationTime: shown.creationTime,
    lastAccessTime: shown.lastAccessTime,
    lastWriteTime: shown.lastWriteTime,
    changeTime: shown.changeTime,
    allocationSize: shown.allocationSize,
    endOfFile: shown.endOfFile,
    fileAttributes: shown.fileAttributes,
    fileId,
    contexts: responseContexts(request, message, open, facts, durable),
  });
}

/** A client that asks for less the second time has not counted on more. */
function oplockLevelIn(request: Request, message: CreateRequest, open: FileOpen): number {
  const level = oplockLevelOf(open);
  return request.isReplay && open.lease === undefined ? Math.min(level, message.requestedOplockLevel) : level;
}

/** A durable handle is one for a client only while it believes that it may cache it. */
function isTold(request: Request, message: CreateRequest, open: FileOpen, { kind }: Durability): boolean {
  if (kind !== "durable") return true;
  return open.lease === undefined
    ? oplockLevelIn(request, message, open) === OplockLevel.BATCH
    : (open.lease.state & LeaseState.HANDLE_CACHING) !== 0;
}

/**
 * The query of SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST, with the ChangeTime that the client knows, if any.
 * @throws MalformedPacketError
 */
export function maximalAccessQueryOf(contexts: readonly CreateContext[]): { since: FileTime | undefined } | undefined {
  const data = findCreateContext(contexts, CreateContextName.QUERY_MAXIMAL_ACCESS);
  return data === undefined ? undefined : { since: decodeMaximalAccessRequest(data) };
}

function responseContexts(
  request: Request,
  message: CreateRequest,
  open: FileOpen,
  facts: FileFacts,
  durable: DurableRequest | undefined,
): CreateContext[] {
  const contexts: CreateContext[] = [];
  const query = maximalAccessQueryOf(message.contexts);
  if (query !== undefined) {
    // A client that knows the file since its last change knows the rights as well (MS-SMB2 3.3.5.9.5).
    const unchanged = query.since === facts.changeTime;
    contexts.push(
      maximalAccessResponseContext({
        queryStatus: unchanged ? NtStatus.NONE_MAPPED : NtStatus.SUCCESS,
        maximalAccess: unchanged ? 0 : open.maximalAccess,
      }),
    );
  }
  if (findCreateContext(message.contexts, CreateContextName.QUERY_ON_DISK_ID) !== undefined) {
    contexts.push(
      onDiskIdContext({ diskFileId: facts.fileId, volumeId: BigInt(open.file.volume.info.serialNumber >>> 0) }),
    );
  }
  if (open.lease !== undefined) contexts.push(leaseContext(leaseResponse(open.lease)));
  const serverQuery = serverQueryOf(message.contexts);
  if (serverQuery !== undefined) contexts.push(answerServerQuery(request, serverQuery));
  const { durability } = open;
  if (durable !== undefined && durability !== undefined && isTold(request, message, open, durability)) {
    const { kind, timeout } = durability;
    const flags = kind === "persistent" ? DurableHandleFlag.PERSISTENT : 0;
    contexts.push(
      durable.version === 2 ? durableHandleResponseV2Context({ timeout, flags }) : durableHandleResponseContext(),
    );
  }
  return contexts;
}
