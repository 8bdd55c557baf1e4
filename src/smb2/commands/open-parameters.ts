// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import type { SharePath } from "../../nt/names.ts";
import type { ExtendedAttribute } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import type { FileOpen } from "../state/open.ts";
import { CreateOption } from "../wire/constants.ts";
import type { CreateRequest } from "../wire/create.ts";
import type { LeaseRequest } from "./create-lease.ts";
import { allowsPersistence } from "./durable-grant.ts";

/** CreateOptions that the server ignores (MS-SMB2 3.3.5.9, Open Execution). */
const IGNORED_OPTIONS =
  CreateOption.COMPLETE_IF_OPLOCKED |
  CreateOption.SYNCHRONOUS_IO_ALERT |
  CreateOption.SYNCHRONOUS_IO_NONALERT |
  CreateOption.OPEN_FOR_FREE_SPACE_QUERY;

/** What a CREATE asks of the object store, already checked for form (MS-FSA 2.1.5.1). */
export interface OpenParameters {
  readonly path: SharePath;
  readonly fileName: string;
  readonly desiredAccess: number;
  readonly shareAccess: number;
  readonly disposition: number;
  readonly options: number;
  readonly attributes: number;
  readonly security: Buffer | undefined;
  readonly extendedAttributes: readonly ExtendedAttribute[] | undefined;
  readonly allocationSize: number | undefined;
  readonly lease: LeaseRequest | undefined;
}

export interface OpenResult {
  readonly open: FileOpen;
  readonly action: number;
}

/** DesiredAccess as it counts: what is not buffered is not appended to (MS-SMB2 3.3.5.9, Open Execution). */
export function effectiveAccess({ desiredAccess, createOptions }: CreateRequest): number {
  const unbuffered = (createOptions & CreateOption.NO_INTERMEDIATE_BUFFERING) !== 0;
  return (unbuffered ? desiredAccess & ~Access.APPEND_DATA : desiredAccess) >>> 0;
}

/** CreateOptions as they count (MS-SMB2 3.3.5.9, Open Execution). */
export function effectiveOptions(request: Request, { createOptions }: CreateRequest): number {
  return (createOptions & ~IGNORED_OPTIONS) | (allowsPersistence(request) ? CreateOption.WRITE_THROUGH : 0);
}
