// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import { CreateOption } from "../wire/constants.ts";
import type { FileOpen } from "./open.ts";

/** FILE_WRITE_THROUGH: what the handle changes is on the disk when its client hears of it. So is it for all persistent handles. */
export function isWriteThrough(open: FileOpen): boolean {
  return (open.createOptions & CreateOption.WRITE_THROUGH) !== 0;
}

/** Has the disk take what the server itself has written for a handle, where that has FILE_WRITE_THROUGH. */
export function flushWriteThrough(open: FileOpen): Awaitable<void> {
  if (isWriteThrough(open)) return open.stream.data?.flush();
}
