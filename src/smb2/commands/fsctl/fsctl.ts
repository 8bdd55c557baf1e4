// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../../nt/awaitable.ts";
import type { CopyOperation } from "../../../offload/operations.ts";
import type { Request } from "../../request.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";

/** What a handle must be for a control code. */
export type FsctlTarget =
  /** No handle: the FileId is all ones (MS-SMB2 3.3.5.15). */
  "none" | "file" | "pipe" | "any";

/** A row of the FSCTL table: what a control code needs, checked once in ioctl.ts, and who handles it. */
export interface FsctlRow {
  readonly name: string;
  readonly target: FsctlTarget;
  /** The kind of copy that it belongs to: shares can switch it off, and what is refused is counted. */
  readonly copy?: CopyOperation;
  /** Rights of which the handle needs every one. */
  readonly access?: number;
  /** Rights of which the handle needs one at least. */
  readonly anyAccess?: number;
  /** Bytes of input, fewer are refused with INVALID_PARAMETER. */
  readonly minimumInput?: number;
  /** Bytes that the client must accept, fewer are refused with INVALID_PARAMETER. */
  readonly minimumOutput?: number;
  /** Returns the output; one longer than MaxOutputResponse is the row's own to refuse or to cut. */
  handle(request: Request, ioctl: IoctlRequest): Awaitable<Buffer>;
}

export const NO_OUTPUT: Buffer = Buffer.alloc(0);
