// SPDX-License-Identifier: Apache-2.0

import { SmbError } from "../nt/status.ts";
import type { Request } from "./request.ts";

/** Milliseconds after which a client is told that it takes longer. */
const PATIENCE = 5;

/**
 * Waits for work that may take long: the client gets STATUS_PENDING when it does, and `Request.isCancelled` then tells of its
 * CANCEL and of the end of its connection, which the work is to look at now and then.
 */
export async function withPending<T>(request: Request, work: Promise<T>): Promise<T> {
  const timer = request.server.context.clock.after(PATIENCE, () => {
    try {
      request.goAsync(() => {});
    } catch (error) {
      // Too many are pending already: this one is answered without being announced.
      if (!(error instanceof SmbError)) throw error;
    }
  });
  try {
    return await work;
  } finally {
    timer.cancel();
  }
}
