// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Lease } from "./lease.ts";
import type { FileOpen } from "./open.ts";
import { oplockLevelOf } from "./oplock.ts";
import type { KeptLease, PersistentOpen, PersistentOpenStore } from "./persistent-open.ts";
import type { SharedFile } from "./shared-file.ts";

/**
 * The persistent handles of a server that keeps any (Open.IsPersistent, MS-SMB2 3.3.1.10). What changes about one is stored
 * before the client is told that it has changed.
 */
export class PersistentOpens {
  readonly #store: PersistentOpenStore;
  readonly #failed: (error: unknown, open: FileOpen) => void;
  readonly #byCreateGuid = new Map<string, FileOpen>();

  /** @param failed a handle could not be stored, or not be removed */
  constructor(store: PersistentOpenStore, failed: (error: unknown, open: FileOpen) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  get size(): number {
    return this.#byCreateGuid.size;
  }

  /** By Open.CreateGuid, whichever client asks. */
  find(createGuid: Buffer): FileOpen | undefined {
    return this.#byCreateGuid.get(keyOf(createGuid));
  }

  /** What the store holds from before a restart. */
  load(): readonly PersistentOpen[] {
    return this.#store.load();
  }

  /** Takes a handle that has become persistent into the table; {@link save} stores it. */
  add(open: FileOpen): void {
    if (open.createGuid !== undefined) this.#byCreateGuid.set(keyOf(open.createGuid), open);
  }

  /**
   * Stores a handle as it is now.
   * @param expected what it is about to get of cache rights, at most
   * @throws SmbError IO_DEVICE_ERROR
   */
  async save(open: FileOpen, expected?: CacheRights): Promise<void> {
    const record = recordOf(open, expected);
    if (record === undefined || open.closing) return;
    try {
      await this.#store.put(record);
    } catch (error) {
      this.#failed(error, open);
      throw new SmbError(NtStatus.IO_DEVICE_ERROR);
    }
  }

  /** Stores what is persistent among the handles of a file, whose name or fate has changed. */
  saveFile(file: SharedFile): Awaitable<void> {
    if (this.#byCreateGuid.size === 0) return;
    const opens = [...file.opens].filter(({ durability }) => durability?.kind === "persistent");
    if (opens.length === 0) return;
    return chain(Promise.all(opens.map((open) => this.save(open))), () => {});
  }

  /** A handle is closed for good. */
  async forget(open: FileOpen): Promise<void> {
    this.release(open);
    try {
      await this.#store.remove(open.persistentId);
    } catch (error) {
      this.#failed(error, open);
    }
  }

  /** A handle is closed by the end of the server, and stays in the store. */
  release(open: FileOpen): void {
    if (open.createGuid !== undefined && this.find(open.createGuid) === open) {
      this.#byCreateGuid.delete(keyOf(open.createGuid));
    }
  }

  /** A record from before a restart whose file is gone. */
  async drop(record: PersistentOpen): Promise<void> {
    await this.#store.remove(record.persistentId);
  }
}

function keyOf(createGuid: Buffer): string {
  return createGuid.toString("latin1");
}

/** What a handle may cache, by an oplock or by a lease. */
export type CacheRights = Pick<PersistentOpen, "oplockLevel" | "lease">;

function keptLease(lease: Lease | undefined): KeptLease | undefined {
  if (lease === undefined) return undefined;
  const { leaseKey, version, parentLeaseKey, state, epoch } = lease;
  return { leaseKey, version, parentLeaseKey, state, epoch };
}

function rightsOf(open: FileOpen): CacheRights {
  return { oplockLevel: oplockLevelOf(open), lease: keptLease(open.lease) };
}

/** `undefined`: the handle is none that can be kept. */
function recordOf(open: FileOpen, expected: CacheRights = rightsOf(open)): PersistentOpen | undefined {
  const { durability, createGuid, stream, link, tree } = open;
  if (durability?.kind !== "persistent" || createGuid === undefined) return undefined;
  return {
    persistentId: open.persistentId,
    share: tree.shareName,
    path: link.path,
    stream: stream.name,
    fileId: open.file.node.fileId,
    reference: open.file.node.reference?.(),
    owner: durability.owner,
    timeout: durability.timeout,
    clientGuid: open.clientGuid,
    createGuid,
    fileName: open.fileName,
    desiredAccess: open.desiredAccess,
    grantedAccess: open.grantedAccess,
    maximalAccess: open.maximalAccess,
    shareMaximalAccess: tree.maximalAccess,
    shareAccess: open.shareAccess,
    createOptions: open.createOptions,
    createAction: open.createAction,
    mode: open.mode,
    deleteOnClose: open.deleteOnClose,
    deletePending: link.deletePending || stream.deletePending,
    position: open.position,
    oplockLevel: expected.oplockLevel,
    lease: expected.lease,
    appInstance: open.appInstance,
    locks: [...stream.locks.heldBy(open)],
    lockSequences: open.lockSequences.entries,
  };
}
