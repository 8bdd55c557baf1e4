// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../auth/auth.ts";

/** A share as the srvsvc interface reports it (MS-SRVS 2.2.4.22). */
export interface ShareListing {
  readonly name: string;
  readonly comment: string;
  /** STYPE_DISKTREE 0 or STYPE_IPC 3, with STYPE_SPECIAL 0x80000000 for administrative ones (MS-SRVS 2.2.2.4). */
  readonly type: number;
  readonly path: string;
  readonly currentUsers: number;
  /** SHI1005_FLAGS (MS-SRVS 2.2.4.29); 0 where absent. */
  readonly flags?: number;
  /** Self-relative descriptor of the share itself; none where absent. */
  readonly securityDescriptor?: Buffer;
}

/** A session as the srvsvc interface reports it (MS-SRVS 2.2.4.15, MS-SMB2 3.3.4.18). */
export interface SessionListing {
  /** Address of the client. */
  readonly client: string;
  /** Empty where nobody has logged on. */
  readonly userName: string;
  readonly guest: boolean;
  /** Handles of files and pipes. */
  readonly opens: number;
  /** Milliseconds since the session began. */
  readonly connectedFor: number;
  /** Milliseconds since its last request. */
  readonly idleFor: number;
}

/** An open file or pipe as the srvsvc interface reports it (MS-SRVS 2.2.4.7, MS-SMB2 3.3.4.20). */
export interface FileListing {
  /** 32 bits. */
  readonly id: number;
  /** PERM_FILE_READ and others (MS-SRVS 2.2.4.7). */
  readonly permissions: number;
  readonly locks: number;
  readonly path: string;
  /** Empty while the handle waits for its client to come back. */
  readonly userName: string;
}

/** What the RPC interfaces may know of the server. */
export interface RpcEnvironment {
  readonly serverName: string;
  readonly domainName: string;
  readonly comment: string;
  /** SID of the server's own account domain, as text. */
  readonly domainSid: string;
  /** Shares that this caller may see. */
  shares(caller: Identity): readonly ShareListing[];
  sessions(): readonly SessionListing[];
  openFiles(): readonly FileListing[];
  /** SID text to account, and back, for lsarpc; `undefined` where unknown. */
  lookupSid(sid: string): { readonly name: string; readonly domain: string; readonly type: number } | undefined;
  lookupName(
    name: string,
  ): { readonly sid: string; readonly name: string; readonly domain: string; readonly type: number } | undefined;
}

/** An open named pipe on IPC$: a byte stream of DCE/RPC fragments in message mode. */
export interface NamedPipe {
  /** Takes what a client wrote. @throws SmbError PIPE_DISCONNECTED, INVALID_PARAMETER after a broken fragment */
  write(data: Buffer): void;
  /**
   * Takes up to `maximum` bytes of the oldest answer. `more` tells that the same message has bytes left
   * (STATUS_BUFFER_OVERFLOW). `undefined`: nothing to read yet.
   */
  read(maximum: number): { readonly data: Buffer; readonly more: boolean } | undefined;
  /** What {@link read} would find. @throws SmbError PIPE_DISCONNECTED when there is nothing, and nothing will come */
  peek(): PipeContents;
  close(): void;
}

/** Answers that wait to be read. */
export interface PipeContents {
  /** What is left of the oldest message: a view, empty where there is none. */
  readonly first: Buffer;
  /** Bytes of all messages. */
  readonly available: number;
  readonly messages: number;
}

export interface PipeService {
  /** Names without a leading backslash, such as `srvsvc`. `undefined`: no such pipe. */
  open(name: string, caller: Identity): NamedPipe | undefined;
}
