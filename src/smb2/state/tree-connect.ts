// SPDX-License-Identifier: Apache-2.0

import type { Share } from "../server-context.ts";
import type { Session } from "./session.ts";
import type { FileTable } from "./shared-file.ts";

/** A client's use of a share (TreeConnect, MS-SMB2 3.3.1.9). IPC$ has neither share nor file table. */
export class TreeConnect {
  readonly treeId: number;
  readonly session: Session;
  readonly share: Share | undefined;
  readonly files: FileTable | undefined;
  /** Rights that the share grants to this user at most. */
  readonly maximalAccess: number;
  readonly encryptData: boolean;
  closing = false;

  constructor(options: {
    treeId: number;
    session: Session;
    share: Share | undefined;
    files: FileTable | undefined;
    maximalAccess: number;
    encryptData: boolean;
  }) {
    this.treeId = options.treeId;
    this.session = options.session;
    this.share = options.share;
    this.files = options.files;
    this.maximalAccess = options.maximalAccess;
    this.encryptData = options.encryptData;
  }

  get shareName(): string {
    return this.share?.name ?? "IPC$";
  }
}
