// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { type FileTime, fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import type { Clock } from "../server-context.ts";
import { archiveWith } from "./archive.ts";
import { keepFrozenTimes } from "./frozen-times.ts";
import type { FileOpen } from "./open.ts";
import type { SharedFile } from "./shared-file.ts";

/** Milliseconds after the first write until clients see its time. */
const DELAY = 2000;

/**
 * The LastWriteTime that clients see while writes are under way. Storage notes each write at once; clients learn of the
 * first one after two seconds, and of all later ones when the handle that wrote is closed or flushed, or other properties
 * of the file are set (MS-FSA 2.1.4.17 allows to defer it until then). Without that, a client that keeps what it knows of a file by its
 * LastWriteTime would throw away its cache with every write of its own.
 */
export interface DeferredWriteTime {
  readonly shown: FileTime;
  /** Milliseconds since 1970; infinite from the second round on. */
  readonly until: number;
  readonly clock: Clock;
}

/** Writes data through a handle: times that it has frozen stay, others are deferred. */
export function writeDeferred(open: FileOpen, clock: Clock, write: () => Awaitable<void>): Awaitable<void> {
  const { file, frozenTimes } = open;
  if (frozenTimes.write || frozenTimes.change || frozenTimes.access) return keepFrozenTimes(open, write);
  open.hasWritten = true;
  const { deferredWriteTime: deferred } = file;
  if (deferred !== undefined && (deferred.until === Number.POSITIVE_INFINITY || clock.now() < deferred.until)) {
    return write();
  }
  const until = deferred === undefined ? clock.now() + DELAY : Number.POSITIVE_INFINITY;
  return chain(file.node.stat(), ({ lastWriteTime, attributes }) => {
    file.deferredWriteTime = { shown: lastWriteTime, until, clock };
    return chain(archiveWith(file, attributes), write);
  });
}

/**
 * Ends the deferral for a handle that is about to be closed. What was written after the first two seconds takes the time
 * of the closing, as where the file system itself defers.
 */
export function settleWriteTime({ file, hasWritten, link }: FileOpen): Awaitable<void> {
  const { deferredWriteTime: deferred } = file;
  if (!hasWritten || deferred === undefined) return;
  showWriteTime(file);
  if (deferred.until !== Number.POSITIVE_INFINITY || link.deletePending) return;
  // The clock counts whole milliseconds: the end of this one, since the closing is not earlier than the request for it.
  return file.node.setBasic({ lastWriteTime: fileTimeFromMilliseconds(deferred.clock.now() + 1) });
}

/** From here on clients see the LastWriteTime that the storage has. */
export function showWriteTime(file: SharedFile): void {
  file.deferredWriteTime = undefined;
}

/** The LastWriteTime that clients see, instead of that of the storage. */
export function shownWriteTime({ deferredWriteTime: deferred }: SharedFile): FileTime | undefined {
  if (deferred === undefined || deferred.clock.now() >= deferred.until) return undefined;
  return deferred.shown;
}
