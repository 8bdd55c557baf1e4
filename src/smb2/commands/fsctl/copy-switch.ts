// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, isPromise } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError, statusName } from "../../../nt/status.ts";
import type { CopyOperation } from "../../../offload/operations.ts";
import { CopyRefusedError } from "../../../offload/refusal.ts";
import type { Request } from "../../request.ts";

/** What a volume answers that cannot: clients remember it and copy by themselves. */
const SWITCHED_OFF: Readonly<Record<CopyOperation, NtStatus>> = {
  odx: NtStatus.NOT_SUPPORTED, // MS-FSA 2.1.5.10.20: Volume.IsOffloadReadSupported is FALSE
  copychunk: NtStatus.NOT_SUPPORTED, // MS-SMB2 3.3.5.15: not allowed on the server
  clone: NtStatus.INVALID_DEVICE_REQUEST, // MS-FSA 2.1.5.10.4: not implemented by the file system
};

/** Whether the share of a request offers a kind of copy: by its configuration of now, not of when it was connected to. */
export function offers({ tree, server }: Request, operation: CopyOperation): boolean {
  const { share } = tree;
  return share === undefined || (server.context.findShare(share.name) ?? share).offload[operation];
}

/** Runs a request for a copy where the share offers it, and counts it where it fails. */
export function runCopy<T>(request: Request, operation: CopyOperation, run: () => Awaitable<T>): Awaitable<T> {
  const { metrics } = request.server.context;
  const failed = (error: unknown): never => {
    metrics.copyRefused(operation, reasonOf(error));
    throw error;
  };
  const done = (result: T): T => {
    // A copy that ended halfway says so in the status of a whole response.
    if (request.status !== NtStatus.SUCCESS) metrics.copyRefused(operation, statusName(request.status));
    return result;
  };
  try {
    if (!offers(request, operation)) throw new CopyRefusedError(SWITCHED_OFF[operation], "switched off");
    const result = run();
    return isPromise(result) ? result.then(done, failed) : done(result);
  } catch (error) {
    return failed(error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CopyRefusedError) return error.reason;
  return statusName(error instanceof SmbError ? error.status : NtStatus.INTERNAL_ERROR);
}
