// SPDX-License-Identifier: Apache-2.0

import { read, write } from "node:fs";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { check, errnoOf } from "./errno.ts";

/** Reads on the thread pool; answers the count or a negated error number. */
function readOnPool(fd: number, target: Buffer, start: number, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, target, start, target.length - start, offset, (error, count) => settle(error, count, resolve, reject));
  });
}

/** Writes on the thread pool; answers the count or a negated error number. */
function writeOnPool(fd: number, data: Buffer, start: number, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, data, start, data.length - start, offset, (error, count) => settle(error, count, resolve, reject));
  });
}

function settle(
  error: Error | null,
  count: number,
  resolve: (value: number) => void,
  reject: (error: Error) => void,
): void {
  if (error === null) {
    resolve(count);
    return;
  }
  const errno = errnoOf(error);
  if (errno === undefined) reject(error);
  else resolve(-errno);
}

/** Fills `target` from `start` on; answers how much of it is then filled, less only at the end of the file. */
export async function readFully(fd: number, offset: number, target: Buffer, start = 0): Promise<number> {
  let done = start;
  while (done < target.length) {
    const count = check(await readOnPool(fd, target, done, offset + done), "read");
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes `data` from `start` on, all of it. */
export async function writeFully(fd: number, offset: number, data: Buffer, start = 0): Promise<void> {
  let done = start;
  while (done < data.length) {
    const count = check(await writeOnPool(fd, data, done, offset + done), "write");
    if (count === 0) throw new SmbError(NtStatus.DISK_FULL, "a write made no progress");
    done += count;
  }
}
