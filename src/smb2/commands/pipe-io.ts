// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { PipeOpen } from "../state/open.ts";

/**
 * Hands a pipe what the client has written; who waits for an answer looks again, also where there will be none any more.
 * @throws SmbError PIPE_DISCONNECTED, INVALID_PARAMETER
 */
export function writePipe(open: PipeOpen, data: Buffer): void {
  try {
    open.pipe.write(data);
  } finally {
    for (const wake of open.waitingReads.splice(0)) wake();
  }
}

/**
 * Takes up to `maximum` bytes of the next answer of a pipe, or waits for one (MS-SMB2 3.3.5.12, 3.3.5.15.3). The request's
 * status becomes BUFFER_OVERFLOW where the answer has more.
 * @throws SmbError PIPE_DISCONNECTED, CANCELLED
 */
export function nextAnswer(request: Request, open: PipeOpen, maximum: number): Awaitable<Buffer> {
  const take = (): Buffer | undefined => {
    const answer = open.pipe.read(maximum);
    if (answer?.more) request.status = NtStatus.BUFFER_OVERFLOW;
    return answer?.data;
  };
  const ready = take();
  if (ready !== undefined) return ready;
  return new Promise<Buffer>((resolve, reject) => {
    const attempt = () => {
      try {
        if (open.closing) throw new SmbError(NtStatus.PIPE_DISCONNECTED);
        const data = take();
        if (data === undefined) open.waitingReads.push(attempt);
        else resolve(data);
      } catch (error) {
        reject(error);
      }
    };
    const giveUp = () => {
      const index = open.waitingReads.indexOf(attempt);
      if (index >= 0) open.waitingReads.splice(index, 1);
    };
    open.waitingReads.push(attempt);
    try {
      request.goAsync(() => {
        giveUp();
        reject(new SmbError(NtStatus.CANCELLED));
      });
    } catch (error) {
      giveUp();
      reject(error);
    }
  });
}
