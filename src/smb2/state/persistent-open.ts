// SPDX-License-Identifier: Apache-2.0

import type { NtPath } from "../../vfs/volume.ts";

/** A byte-range lock that a handle holds. */
export interface HeldLock {
  readonly offset: bigint;
  readonly length: bigint;
  readonly exclusive: boolean;
}

/** The lease of a persistent handle. */
export interface KeptLease {
  /** 16 bytes. */
  readonly leaseKey: Buffer;
  readonly version: 1 | 2;
  /** 16 bytes. */
  readonly parentLeaseKey: Buffer | undefined;
  /** `LeaseState` bits. */
  readonly state: number;
  readonly epoch: number;
}

/** What is kept of a persistent handle, to open it again after a restart of the server (MS-SMB2 3.3.1.10). */
export interface PersistentOpen {
  readonly persistentId: bigint;
  /** Name of the share. */
  readonly share: string;
  readonly path: NtPath;
  /** `""` is the default data stream. */
  readonly stream: string;
  /** Id of the file in its volume: another file under the same name is not the one that was open. */
  readonly fileId: bigint;
  /** What finds the file in its volume under another name (`VolumeFile.reference`), where it needs more than the id. */
  readonly reference?: Buffer | undefined;
  /** SID of the user who may take the handle up again. */
  readonly owner: string;
  /** Milliseconds that the server waits for the client. */
  readonly timeout: number;
  /** 16 bytes. */
  readonly clientGuid: Buffer;
  /** 16 bytes. */
  readonly createGuid: Buffer;
  /** The name as the client gave it. */
  readonly fileName: string;
  readonly desiredAccess: number;
  readonly grantedAccess: number;
  readonly maximalAccess: number;
  /** What the share granted to the user. */
  readonly shareMaximalAccess: number;
  readonly shareAccess: number;
  readonly createOptions: number;
  readonly createAction: number;
  readonly mode: number;
  readonly deleteOnClose: boolean;
  /** The file, or the stream, goes with its last handle. */
  readonly deletePending: boolean;
  readonly position: bigint;
  /** `OplockLevel` value of an oplock; a lease is told apart. */
  readonly oplockLevel: number;
  readonly lease: KeptLease | undefined;
  readonly appInstance:
    | { readonly id: Buffer; readonly version: { high: bigint; low: bigint } | undefined }
    | undefined;
  readonly locks: readonly HeldLock[];
  /** Entries of Open.LockSequenceArray. */
  readonly lockSequences: Uint8Array | undefined;
}

/**
 * Where persistent handles are kept. What a promise tells as done outlives the process; changes take effect in the order of the
 * calls.
 */
export interface PersistentOpenStore {
  /** What was there when the process started. */
  load(): readonly PersistentOpen[];
  /** Adds, or takes the place of what was kept under this FileId.Persistent. */
  put(open: PersistentOpen): Promise<void>;
  remove(persistentId: bigint): Promise<void>;
}
