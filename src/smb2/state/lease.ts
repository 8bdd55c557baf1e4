// SPDX-License-Identifier: Apache-2.0

import type { FileOpen } from "./open.ts";
import type { Break } from "./oplock.ts";
import type { Link, SharedStream } from "./shared-file.ts";

/** Names a lease in the server: keys are unique for a client only (MS-SMB2 3.3.1.11). */
export type LeaseId = string;

/** @param clientGuid 16 bytes @param leaseKey 16 bytes */
export function leaseId(clientGuid: Buffer, leaseKey: Buffer): LeaseId {
  return clientGuid.toString("latin1") + leaseKey.toString("latin1");
}

/** Cache rights that all opens of a client with one key share (Lease, MS-SMB2 3.3.1.12). */
export class Lease {
  readonly kind = "lease";
  readonly id: LeaseId;
  /** 16 bytes. */
  readonly clientGuid: Buffer;
  /** 16 bytes. */
  readonly leaseKey: Buffer;
  readonly version: 1 | 2;
  /** 16 bytes, where the client has named the lease of the directory (Lease.ParentLeaseKey). */
  readonly parentLeaseKey: Buffer | undefined;
  /** What is cached. */
  readonly stream: SharedStream;
  /** Its name (Lease.Filename); renames change the path in it. */
  readonly link: Link;
  /** `LeaseState` bits that the client holds; while a break is under way, those before it. */
  state = 0;
  /** Under way, to be acknowledged (Lease.Breaking, Lease.BreakToLeaseState). */
  breaking: Break | undefined;
  /** 16 bits, another one with each change of the state; only clients of version 2 see it. */
  epoch: number;
  /** Lease.LeaseOpens. */
  readonly opens = new Set<FileOpen>();

  constructor(options: {
    clientGuid: Buffer;
    leaseKey: Buffer;
    version: 1 | 2;
    parentLeaseKey: Buffer | undefined;
    epoch: number;
    stream: SharedStream;
    link: Link;
  }) {
    this.id = leaseId(options.clientGuid, options.leaseKey);
    this.clientGuid = options.clientGuid;
    this.leaseKey = options.leaseKey;
    this.version = options.version;
    this.parentLeaseKey = options.parentLeaseKey;
    this.epoch = options.epoch;
    this.stream = options.stream;
    this.link = options.link;
  }

  /** The lease that its client holds on the directory, if it has said which. */
  get parentId(): LeaseId | undefined {
    return this.parentLeaseKey === undefined ? undefined : leaseId(this.clientGuid, this.parentLeaseKey);
  }

  /** Lease.FileDeleteOnClose: the key may already be used for another file. */
  get fileDeleteOnClose(): boolean {
    for (const open of this.opens) if (open.deleteOnClose) return true;
    return this.link.deletePending || this.stream.deletePending;
  }

  /** The state has changed (Lease.Epoch). */
  advanceEpoch(): void {
    this.epoch = (this.epoch + 1) & 0xffff;
  }
}

/**
 * The leases of all clients, each found by its client's ClientGuid and its key (GlobalLeaseTableList, MS-SMB2 3.3.1.5). A
 * lease lives as long as it has opens, so that their number bounds the table.
 */
export class LeaseTable {
  readonly #leases = new Map<LeaseId, Lease>();

  get size(): number {
    return this.#leases.size;
  }

  find(id: LeaseId): Lease | undefined {
    return this.#leases.get(id);
  }

  /** Adds a lease. One with the same key whose file is about to be deleted makes way: it lives on with its opens. */
  add(lease: Lease): void {
    this.#leases.set(lease.id, lease);
  }

  /** The last open of a lease is gone. */
  remove(lease: Lease): void {
    if (this.#leases.get(lease.id) === lease) this.#leases.delete(lease.id);
  }
}
