// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { breakForChange } from "../oplock-break.ts";
import type { Request } from "../request.ts";
import type { FileOpen } from "../state/open.ts";
import { Dialect, GlobalCapability, LockFlag } from "../wire/constants.ts";
import { decodeLockRequest, encodeLockResponse, type LockElement, type LockRequest } from "../wire/lock.ts";
import { command } from "./command.ts";

/** SMB2 LOCK (MS-SMB2 3.3.5.14). */
export const lock = command({
  decode: decodeLockRequest,
  handle,
  session: true,
  unauthenticated: true,
  tree: true,
  fileId: (message) => message.fileId,
});

const VALID_FLAGS = LockFlag.SHARED_LOCK | LockFlag.EXCLUSIVE_LOCK | LockFlag.UNLOCK | LockFlag.FAIL_IMMEDIATELY;
const LOCK_KIND = LockFlag.SHARED_LOCK | LockFlag.EXCLUSIVE_LOCK;

function handle(request: Request, message: LockRequest): Awaitable<void> {
  const open = request.fileOpen;
  const { locks } = message;
  const first = locks[0];
  if (first === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (open.stream.data === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if ((open.grantedAccess & (Access.READ_DATA | Access.WRITE_DATA)) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  const { lockSequenceIndex: index, lockSequenceNumber: number } = message;
  const counted = isSequenceVerified(request, open);
  if (counted && open.lockSequences.isReplay(index, number)) {
    encodeLockResponse(request.writer);
    return;
  }
  return chain(carryOut(request, open, locks, first), () => {
    if (counted) open.lockSequences.record(index, number);
    const stored = open.durability?.kind === "persistent" ? keepPersistent(request, open, message) : undefined;
    return chain(stored, () => encodeLockResponse(request.writer));
  });
}

/** What cannot be stored is not locked. @throws SmbError IO_DEVICE_ERROR */
async function keepPersistent(request: Request, open: FileOpen, message: LockRequest): Promise<void> {
  try {
    await request.server.persistentOpens?.save(open);
  } catch (error) {
    open.lockSequences.forget(message.lockSequenceIndex);
    for (const { offset, length, flags } of message.locks) {
      if ((flags & LockFlag.UNLOCK) === 0) open.stream.locks.unlock(open, offset, length);
    }
    throw error;
  }
}

/** Whether the client may send the request again, and it must not be carried out twice then (MS-SMB2 3.3.5.14). */
function isSequenceVerified({ connection }: Request, open: FileOpen): boolean {
  if (connection.dialect === Dialect.SMB_2_0_2) return false;
  if (open.durability !== undefined) return true;
  const multichannel = (connection.serverCapabilities & GlobalCapability.MULTI_CHANNEL) !== 0;
  return connection.dialect >= Dialect.SMB_3_0 && multichannel;
}

function carryOut(
  request: Request,
  open: FileOpen,
  locks: readonly LockElement[],
  first: LockElement,
): Awaitable<void> {
  if ((first.flags & LockFlag.UNLOCK) === 0) {
    return chain(breakForChange(request, open), () => lockAll(request, open, locks));
  }
  unlockAll(open, locks);
}

/** MS-SMB2 3.3.5.14.1: what was unlocked before a failure stays unlocked. */
function unlockAll(open: FileOpen, locks: readonly LockElement[]): void {
  for (const element of locks) {
    if (element.flags !== LockFlag.UNLOCK) {
      throw new SmbError(NtStatus.INVALID_PARAMETER);
    }
    if (!open.stream.locks.unlock(open, element.offset, element.length)) {
      throw new SmbError(NtStatus.RANGE_NOT_LOCKED);
    }
  }
}

/** MS-SMB2 3.3.5.14.2: all or none; only a request for a single lock may wait. */
function lockAll(request: Request, open: FileOpen, elements: readonly LockElement[]): Awaitable<void> {
  const { locks } = open.stream;
  let taken = 0;
  const giveBack = () => locks.undo(taken);
  if (locks.count(open) + elements.length > request.server.context.options.maxLocksPerOpen) {
    throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
  }
  for (const element of elements) {
    const kind = element.flags & LOCK_KIND;
    const invalid =
      (element.flags & ~VALID_FLAGS) !== 0 ||
      (element.flags & LockFlag.UNLOCK) !== 0 ||
      kind === 0 ||
      kind === LOCK_KIND ||
      (elements.length > 1 && (element.flags & LockFlag.FAIL_IMMEDIATELY) === 0);
    if (invalid) {
      giveBack();
      throw new SmbError(NtStatus.INVALID_PARAMETER);
    }
    const exclusive = kind === LockFlag.EXCLUSIVE_LOCK;
    let granted: boolean;
    try {
      granted = locks.tryLock(open, element.offset, element.length, exclusive);
    } catch (error) {
      giveBack();
      throw error;
    }
    if (granted) {
      taken++;
      continue;
    }
    if ((element.flags & LockFlag.FAIL_IMMEDIATELY) === 0) return waitFor(request, open, element, exclusive);
    giveBack();
    throw new SmbError(NtStatus.LOCK_NOT_GRANTED);
  }
}

function waitFor(request: Request, open: FileOpen, element: LockElement, exclusive: boolean): Promise<void> {
  if (!request.chain.isLast) throw new SmbError(NtStatus.INTERNAL_ERROR);
  return new Promise<void>((resolve, reject) => {
    const stop = (status: NtStatus) => () => {
      giveUp();
      open.onClose.delete(closed);
      reject(new SmbError(status));
    };
    // The handle's end releases its locks, waited for or held (MS-SMB2 3.3.5.10).
    const closed = stop(NtStatus.RANGE_NOT_LOCKED);
    const giveUp = open.stream.locks.wait(open, element.offset, element.length, exclusive, () => {
      open.onClose.delete(closed);
      resolve();
    });
    open.onClose.add(closed);
    try {
      request.goAsync(stop(NtStatus.CANCELLED));
    } catch (error) {
      giveUp();
      open.onClose.delete(closed);
      reject(error);
    }
  });
}
