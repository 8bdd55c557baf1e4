// SPDX-License-Identifier: Apache-2.0

import { foldName, parseSharePath } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NtPath } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import { Lease, type LeaseId, leaseId } from "../state/lease.ts";
import type { FileOpen } from "../state/open.ts";
import type { CacheUser } from "../state/oplock.ts";
import type { KeptLease } from "../state/persistent-open.ts";
import { samePath } from "../state/shared-file.ts";
import { Dialect, LeaseFlag, LeaseState, OplockLevel } from "../wire/constants.ts";
import type { CreateRequest } from "../wire/create.ts";
import { decodeLease, type LeaseContext } from "../wire/create-context-data.ts";
import { CreateContextName, findCreateContext } from "../wire/create-contexts.ts";

/** The lease that a CREATE asks for. */
export interface LeaseRequest {
  readonly id: LeaseId;
  readonly version: 1 | 2;
  /** 16 bytes. */
  readonly clientGuid: Buffer;
  /** 16 bytes. */
  readonly leaseKey: Buffer;
  /** 16 bytes, where the client names the lease of the directory. */
  readonly parentLeaseKey: Buffer | undefined;
  /** `LeaseState` bits. */
  readonly leaseState: number;
  readonly epoch: number;
}

const KNOWN_STATE = LeaseState.READ_CACHING | LeaseState.HANDLE_CACHING | LeaseState.WRITE_CACHING;
const NO_KEY = Buffer.alloc(16);

/**
 * What SMB2_CREATE_REQUEST_LEASE or _V2 asks for, if it is to be looked at (MS-SMB2 3.3.5.9, "Oplock Acquisition").
 * @throws SmbError INVALID_PARAMETER a lease of version 2 in SMB 2.1
 * @throws MalformedPacketError neither version has this length
 */
export function leaseRequest({ connection }: Request, message: CreateRequest): LeaseRequest | undefined {
  if (message.requestedOplockLevel !== OplockLevel.LEASE || connection.dialect < Dialect.SMB_2_1) return undefined;
  const data = findCreateContext(message.contexts, CreateContextName.REQUEST_LEASE);
  if (data === undefined) return undefined;
  const { version, leaseKey, parentLeaseKey, leaseState, flags, epoch } = decodeLease(data);
  if (version === 2 && connection.dialect < Dialect.SMB_3_0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const { clientGuid } = connection;
  const hasParent = version === 2 && (flags & LeaseFlag.PARENT_LEASE_KEY_SET) !== 0;
  return {
    id: leaseId(clientGuid, leaseKey),
    version,
    clientGuid,
    leaseKey: Buffer.from(leaseKey),
    parentLeaseKey: hasParent ? Buffer.from(parentLeaseKey) : undefined,
    leaseState: leaseState & KNOWN_STATE,
    epoch,
  };
}

/**
 * A key stands for one file (MS-SMB2 3.3.5.9.8, 3.3.5.9.11).
 * @throws SmbError INVALID_PARAMETER the client uses it for another one already
 */
export function checkLeaseName(
  { server, tree }: Request,
  wanted: LeaseRequest | undefined,
  path: NtPath,
  stream: string,
): void {
  const lease = wanted === undefined ? undefined : server.leases.find(wanted.id);
  if (lease === undefined) return;
  const same =
    lease.stream.file.volume === tree.share?.volume &&
    samePath(lease.link.path, path) &&
    foldName(lease.stream.name) === foldName(stream);
  if (!same && !lease.fileDeleteOnClose) throw new SmbError(NtStatus.INVALID_PARAMETER);
}

/** The lease that a handle may get at most. */
export function expectedLease(wanted: LeaseRequest | undefined): KeptLease | undefined {
  if (wanted === undefined) return undefined;
  const { leaseKey, version, parentLeaseKey, leaseState, epoch } = wanted;
  return { leaseKey, version, parentLeaseKey, state: leaseState, epoch };
}

/** The lease on the directory that the client says is its own. */
export function parentIdOf(wanted: LeaseRequest | undefined): LeaseId | undefined {
  return wanted?.parentLeaseKey === undefined ? undefined : leaseId(wanted.clientGuid, wanted.parentLeaseKey);
}

/** Who opens, as far as cache rights go. */
export function cacheUser({ server }: Request, wanted: LeaseRequest | undefined): CacheUser {
  return { lease: wanted === undefined ? undefined : server.leases.find(wanted.id) };
}

/**
 * Gives a handle that has just been opened its lease, the one that the client has under this key or a new one, with what can be
 * granted of it.
 * @param allocated bytes: AllocationSize of the stream
 * @throws SmbError INVALID_PARAMETER the key has been used for another file meanwhile
 */
export function acquireLease(request: Request, open: FileOpen, wanted: LeaseRequest, allocated: number): void {
  const { leases } = request.server;
  checkLeaseName(request, wanted, open.link.path, open.stream.name);
  let lease = leases.find(wanted.id);
  if (lease?.stream !== open.stream) {
    lease = new Lease({ ...wanted, stream: open.stream, link: open.link });
    leases.add(lease);
  }
  open.lease = lease;
  lease.opens.add(open);
  const { stream, link, tree } = open;
  stream.oplock.requestLease(lease, wanted.leaseState, allocated);
  if (stream.data === undefined && lease.state !== 0) tree.files?.directoryLeases.add(link, stream.oplock);
}

/**
 * Whether a client that takes a handle up again names the lease of that handle, or none where it has none (MS-SMB2 3.3.5.9.7,
 * 3.3.5.9.12). Besides its present name the file goes by the one under which the client has opened it: somebody may have renamed it.
 * @throws SmbError INVALID_PARAMETER it names another file
 */
export function namesLeaseOf({ connection }: Request, message: CreateRequest, open: FileOpen): boolean {
  const { lease } = open;
  const data = findCreateContext(message.contexts, CreateContextName.REQUEST_LEASE);
  if (lease === undefined || data === undefined) return lease === undefined && data === undefined;
  // The version does not matter: clients ask with either for what they got with the other.
  const { leaseKey } = decodeLease(data);
  if (leaseId(connection.clientGuid, leaseKey) !== lease.id) return false;
  if (!isNamed(lease, message.name) && foldName(message.name) !== foldName(open.fileName) && !lease.fileDeleteOnClose) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  return true;
}

function isNamed({ link, stream }: Lease, name: string): boolean {
  const path = parseSharePath(name.replaceAll("/", "\\"));
  return samePath(path.components, link.path) && foldName(path.stream) === foldName(stream.name);
}

/** SMB2_CREATE_RESPONSE_LEASE or _V2 (MS-SMB2 2.2.14.2.10, 2.2.14.2.11). */
export function leaseResponse(lease: Lease): LeaseContext {
  let flags = lease.breaking === undefined ? 0 : LeaseFlag.BREAK_IN_PROGRESS;
  if (lease.parentLeaseKey !== undefined) flags |= LeaseFlag.PARENT_LEASE_KEY_SET;
  return {
    version: lease.version,
    leaseKey: lease.leaseKey,
    leaseState: lease.state,
    flags,
    parentLeaseKey: lease.parentLeaseKey ?? NO_KEY,
    epoch: lease.epoch,
  };
}
