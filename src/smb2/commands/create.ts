// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { FileAttribute } from "../../nt/attributes.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { toSafeLength } from "../../nt/length.ts";
import { parseSharePath, type SharePath } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { FileOpen } from "../state/open.ts";
import { CreateAction, CreateDisposition, CreateOption, ImpersonationLevel } from "../wire/constants.ts";
import { type CreateRequest, decodeCreateRequest } from "../wire/create.ts";
import { decodeAllocationSize, decodeTimewarpToken } from "../wire/create-context-data.ts";
import { CreateContextName, findCreateContext } from "../wire/create-contexts.ts";
import { decodeFullEaList } from "../wire/fscc/ea-info.ts";
import { appInstanceOf, closeFormerInstance } from "./app-instance.ts";
import { serverQueryOf } from "./apple.ts";
import { command } from "./command.ts";
import { acquireLease, expectedLease, type LeaseRequest, leaseRequest } from "./create-lease.ts";
import { createPipe } from "./create-pipe.ts";
import { beginCreate, findReplayed } from "./create-replay.ts";
import { maximalAccessQueryOf, respondWithOpen, writeResponse } from "./create-response.ts";
import { type DurableRequest, durableContextsOf } from "./durable-contexts.ts";
import { grantDurability, grantPersistence } from "./durable-grant.ts";
import { reconnectOpen } from "./durable-reconnect.ts";
import { factsOf } from "./file-facts.ts";
import { openFile } from "./open-file.ts";
import { effectiveAccess, effectiveOptions, type OpenParameters, type OpenResult } from "./open-parameters.ts";
import { giveUp } from "./register-open.ts";

/** SMB2 CREATE (MS-SMB2 3.3.5.9). */
export const create = command({
  decode: decodeCreateRequest,
  handle,
  session: true,
  tree: true,
});

/** Reserved access bits (MS-FSA 2.1.5.1, phase 1). */
const RESERVED_ACCESS = 0x0ce0fe00;
/** CreateOptions without meaning (MS-SMB2 2.2.13). */
const INVALID_OPTIONS = 0xff000000;
/** CREATE_TREE_CONNECTION, OPEN_BY_FILE_ID and RESERVE_OPFILTER are refused by name (MS-SMB2 2.2.13). */
const UNSUPPORTED_OPTIONS = 0x00000080 | CreateOption.OPEN_BY_FILE_ID | CreateOption.RESERVE_OPFILTER;
/** FileAttributes that a client may send; ENCRYPTED is known, but cannot be had. */
const KNOWN_ATTRIBUTES = 0x00007fb7;
const VALID_DIRECTORY_OPTIONS =
  CreateOption.DIRECTORY_FILE |
  CreateOption.SYNCHRONOUS_IO_ALERT |
  CreateOption.SYNCHRONOUS_IO_NONALERT |
  CreateOption.WRITE_THROUGH |
  CreateOption.OPEN_REMOTE_INSTANCE |
  CreateOption.COMPLETE_IF_OPLOCKED |
  CreateOption.OPEN_FOR_BACKUP_INTENT |
  CreateOption.DELETE_ON_CLOSE |
  CreateOption.OPEN_FOR_FREE_SPACE_QUERY |
  CreateOption.NO_COMPRESSION |
  CreateOption.OPEN_REPARSE_POINT |
  CreateOption.OPEN_REQUIRING_OPLOCK |
  CreateOption.SEQUENTIAL_ONLY |
  CreateOption.RANDOM_ACCESS |
  CreateOption.NO_EA_KNOWLEDGE |
  CreateOption.OPEN_NO_RECALL |
  CreateOption.DISALLOW_EXCLUSIVE |
  CreateOption.NO_INTERMEDIATE_BUFFERING;

async function handle(request: Request, message: CreateRequest): Promise<void> {
  request.chain.fileId = undefined;
  const durable = request.tree.files === undefined ? undefined : durableContextsOf(request, message.contexts);
  if (durable !== undefined) checkQueries(message);
  // Nothing but the contexts counts then: clients leave the rest of the request empty.
  if (durable?.reconnect !== undefined) return reconnectOpen(request, message, durable.reconnect);
  if (message.impersonationLevel > ImpersonationLevel.DELEGATE) throw new SmbError(NtStatus.BAD_IMPERSONATION_LEVEL);
  if (durable === undefined) {
    createPipe(request, message);
    return;
  }
  checkParameters(message);
  if (message.name.startsWith("\\")) throw new SmbError(NtStatus.INVALID_PARAMETER);
  // No name holds a slash; clients on systems where it separates names send it for a backslash.
  const path = parseSharePath(message.name.replaceAll("/", "\\"));
  if (path.trailingSeparator && (message.createOptions & CreateOption.NON_DIRECTORY_FILE) !== 0) {
    throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  }
  const timewarp = findCreateContext(message.contexts, CreateContextName.TIMEWARP_TOKEN);
  if (timewarp !== undefined) {
    decodeTimewarpToken(timewarp);
    // No volume keeps snapshots, so that no file exists at an earlier time (MS-SMB2 3.3.5.9.4).
    throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  }
  if (durable.request?.createGuid === undefined) return openAndRespond(request, message, path, durable.request);
  const replayed = findReplayed(request, message, durable.request);
  if (replayed !== undefined)
    return respondWithOpen(request, message, replayed, replayed.createAction, durable.request);
  const end = beginCreate(request, durable.request.createGuid);
  request.outlivesChannel = true;
  try {
    await openAndRespond(request, message, path, durable.request);
  } finally {
    end();
  }
}

/** Malformed queries are refused before anything is opened or taken up; create-response.ts answers them. */
function checkQueries({ contexts }: CreateRequest): void {
  if (contexts.length === 0) return;
  serverQueryOf(contexts);
  maximalAccessQueryOf(contexts);
}

async function openAndRespond(
  request: Request,
  message: CreateRequest,
  path: SharePath,
  durable: DurableRequest | undefined,
): Promise<void> {
  const lease = leaseRequest(request, message);
  const eas = findCreateContext(message.contexts, CreateContextName.EA_BUFFER);
  const allocation = findCreateContext(message.contexts, CreateContextName.ALLOCATION_SIZE);
  const security = findCreateContext(message.contexts, CreateContextName.SD_BUFFER);
  const parameters: OpenParameters = {
    path,
    fileName: message.name,
    desiredAccess: effectiveAccess(message),
    shareAccess: message.shareAccess,
    disposition: message.createDisposition,
    options: effectiveOptions(request, message),
    attributes: message.fileAttributes,
    security: security === undefined ? undefined : Buffer.from(security),
    extendedAttributes: eas === undefined || eas.length === 0 ? undefined : decodeFullEaList(Buffer.from(eas)),
    allocationSize: allocation === undefined ? undefined : toSafeLength(decodeAllocationSize(allocation)),
    lease,
  };
  const appInstance = appInstanceOf(request, message.contexts);
  if (appInstance !== undefined) await closeFormerInstance(request, appInstance, path);
  const result = await openFile(request, parameters);
  result.open.createAction = result.action;
  if (appInstance !== undefined) {
    result.open.appInstance = appInstance;
    request.server.appInstances.add(result.open);
  }
  if (durable?.persistent === true) {
    const expected = { oplockLevel: message.requestedOplockLevel, lease: expectedLease(lease) };
    await grantPersistence(request, result.open, durable, expected);
  }
  await finish(request, message, result, lease, durable);
}

/** MS-FSA 2.1.5.1, phase 1, in the order in which Windows answers. */
function checkParameters(message: CreateRequest): void {
  const { createOptions: options, createDisposition: disposition, desiredAccess } = message;
  if ((options & INVALID_OPTIONS) !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if ((options & UNSUPPORTED_OPTIONS) !== 0) throw new SmbError(NtStatus.NOT_SUPPORTED);
  if (disposition > CreateDisposition.OVERWRITE_IF) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if ((message.shareAccess & ~7) !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (desiredAccess === 0 || (desiredAccess & RESERVED_ACCESS) !== 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  if ((message.fileAttributes & ~KNOWN_ATTRIBUTES) !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if ((message.fileAttributes & FileAttribute.ENCRYPTED) !== 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  const directory = (options & CreateOption.DIRECTORY_FILE) !== 0;
  if (directory && (options & CreateOption.NON_DIRECTORY_FILE) !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (directory) {
    const opensOrCreates =
      disposition === CreateDisposition.OPEN ||
      disposition === CreateDisposition.CREATE ||
      disposition === CreateDisposition.OPEN_IF;
    if (!opensOrCreates || (options & ~VALID_DIRECTORY_OPTIONS) !== 0) {
      throw new SmbError(NtStatus.INVALID_PARAMETER);
    }
  }
  const mayDelete = Access.DELETE | Access.GENERIC_ALL | Access.MAXIMUM_ALLOWED;
  if ((options & CreateOption.DELETE_ON_CLOSE) !== 0 && (desiredAccess & mayDelete) === 0) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}

/** "Oplock Acquisition" and "Response Construction" of MS-SMB2 3.3.5.9. Where they fail, the handle goes. */
function finish(
  request: Request,
  message: CreateRequest,
  { open, action }: OpenResult,
  lease: LeaseRequest | undefined,
  durable: DurableRequest | undefined,
): Awaitable<void> {
  const failed = (error: unknown) =>
    chain(giveUp(request, open, action === CreateAction.CREATED), () => Promise.reject(error));
  try {
    const done = chain(factsOf(open), (facts) => {
      // From here to the response nothing else runs, so that no break is sent for a handle that the client does not know yet.
      if (open.closing) throw new SmbError(NtStatus.FILE_CLOSED);
      acquireCache(request, message, open, lease, facts.allocationSize);
      if (durable !== undefined) grantDurability(request, open, durable);
      writeResponse(request, message, open, action, facts, durable);
    });
    return done instanceof Promise ? done.catch(failed) : done;
  } catch (error) {
    return failed(error);
  }
}

function acquireCache(
  request: Request,
  message: CreateRequest,
  open: FileOpen,
  lease: LeaseRequest | undefined,
  allocated: number,
): void {
  const directory = open.stream.data === undefined;
  if (lease === undefined) {
    if (!directory) open.stream.oplock.requestOplock(open, message.requestedOplockLevel, allocated);
    return;
  }
  // Directories are cached by leases of version 2 alone.
  if (!directory || lease.version === 2) acquireLease(request, open, lease, allocated);
}
