// SPDX-License-Identifier: Apache-2.0

import type { SharePath } from "../../nt/names.ts";
import type { ExtendedAttribute } from "../../vfs/volume.ts";
import type { FileOpen } from "../state/open.ts";
import type { LeaseRequest } from "./create-lease.ts";

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
