// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { NamedPipe } from "../../rpc/pipe.ts";
import type { DirectoryCursor, DirectoryEntry } from "../../vfs/volume.ts";
import type { Connection } from "../connection.ts";
import type { AppInstance } from "./app-instance.ts";
import type { ChannelSequence } from "./channel-sequence.ts";
import type { Durability } from "./durability.ts";
import type { Lease } from "./lease.ts";
import type { LockSequences } from "./lock-sequences.ts";
import type { HeldOplock } from "./oplock.ts";
import type { Session } from "./session.ts";
import type { Link, SharedFile, SharedStream } from "./shared-file.ts";
import type { TreeConnect } from "./tree-connect.ts";

/** Where a directory enumeration stands (MS-SMB2 3.3.5.18). */
export interface Enumeration {
  readonly cursor: DirectoryCursor;
  readonly pattern: string;
  readonly matches: (name: string) => boolean;
  /** Entries fetched and not yet sent. */
  pending: DirectoryEntry[];
  /** FileIndex of the next entry: its place in the enumeration, from 1. */
  nextIndex: number;
  /** False in the first query of the handle, or of a reopened one: an empty result is NO_SUCH_FILE then, else NO_MORE_FILES. */
  started: boolean;
  finished: boolean;
}

/** What files and pipes have in common (Open, MS-SMB2 3.3.1.10). */
interface OpenBase {
  /** FileId.Persistent: unique in the server. */
  readonly persistentId: bigint;
  /** FileId.Volatile: unique in the server too. */
  volatileId: bigint;
  /** Of a handle that waits for its client to come back: the ones that it had last. */
  session: Session;
  tree: TreeConnect;
  grantedAccess: number;
  /** Set as the first step of closing: later requests find FILE_CLOSED. */
  closing: boolean;
  /** The name as the client gave it. */
  readonly fileName: string;
}

/** A handle of a file, directory or named stream. */
export interface FileOpen extends OpenBase {
  readonly kind: "file";
  readonly file: SharedFile;
  readonly stream: SharedStream;
  readonly link: Link;
  readonly shareAccess: number;
  readonly createOptions: number;
  /** Open.Lease: what the handle may cache, together with others of the same key. */
  lease: Lease | undefined;
  /** What the handle may cache by an oplock of its own (Open.OplockLevel, Open.OplockState). */
  oplock: HeldOplock | undefined;
  /** FILE_DELETE_ON_CLOSE of this handle. */
  deleteOnClose: boolean;
  /** Rights that the descriptor gives to the caller at most, within the share's. */
  readonly maximalAccess: number;
  /** FilePositionInformation; the protocol itself has no file position. */
  position: bigint;
  /** FileModeInformation bits. */
  mode: number;
  enumeration: Enumeration | undefined;
  /** The end of the last QUERY_DIRECTORY that has come: they run one after the other on a handle. */
  enumerating: Promise<void> | undefined;
  /** LastWriteTime and others that SET_INFO fixed with -1 or -2 (MS-FSCC 2.4.7): writes do not update them. */
  readonly frozenTimes: FrozenTimes;
  /** The LastWriteTime of its writes may still be withheld from clients. */
  hasWritten: boolean;
  /** Runs when the handle closes, such as waiting lock and notify requests. */
  readonly onClose: Set<() => void>;
  resumeKey: Buffer | undefined;
  /** Position for EA enumeration without restart (Open.CurrentEaIndex). */
  eaIndex: number;
  /** Open.Connection: on which it was opened or taken up again; `undefined` once that is gone. */
  connection: Connection | undefined;
  /** ClientGuid of the connection that the handle was opened on, 16 bytes. */
  readonly clientGuid: Buffer;
  /** DesiredAccess as the client asked for it. */
  readonly desiredAccess: number;
  /** CreateAction of the response that the client got. */
  createAction: number;
  /** Tells requests sent again after the loss of a channel from those sent first. */
  readonly channelSequence: ChannelSequence;
  /** LOCK requests already carried out. */
  readonly lockSequences: LockSequences;
  /** What keeps the handle when its client is cut off; `undefined`: it closes then. */
  durability: Durability | undefined;
  /** The client is cut off; the handle belongs to no session until it comes back. */
  isDisconnected: boolean;
  /** Open.CreateGuid, 16 bytes: by which a v2 durable handle is known to its client. */
  createGuid: Buffer | undefined;
  /** The client has not used the handle: the CREATE may be sent again (Open.IsReplayEligible). */
  isReplayEligible: boolean;
  /** The application that opened the handle, where it said so. */
  appInstance: AppInstance | undefined;
}

export interface FrozenTimes {
  creation: boolean;
  access: boolean;
  write: boolean;
  change: boolean;
}

/** A handle of a named pipe on IPC$. */
export interface PipeOpen extends OpenBase {
  readonly kind: "pipe";
  readonly pipe: NamedPipe;
  /** Reads that wait for an answer. */
  readonly waitingReads: Array<() => void>;
}

export type Open = FileOpen | PipeOpen;

/** @throws SmbError INVALID_DEVICE_REQUEST for a pipe */
export function requireFile(open: Open): FileOpen {
  if (open.kind !== "file") throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  return open;
}

/** @throws SmbError ACCESS_DENIED where the handle lacks one of these rights */
export function requireAccess(open: Open, rights: number): void {
  if ((open.grantedAccess & rights) !== rights) throw new SmbError(NtStatus.ACCESS_DENIED);
}

/** @throws SmbError ACCESS_DENIED where the handle has none of these rights */
export function requireAnyAccess(open: Open, rights: number): void {
  if ((open.grantedAccess & rights) === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
}
