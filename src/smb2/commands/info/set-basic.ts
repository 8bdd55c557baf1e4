// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../../nt/attributes.ts";
import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import type { FileTime } from "../../../nt/filetime.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { BasicChange } from "../../../vfs/volume.ts";
import { keepFrozenTimes } from "../../state/frozen-times.ts";
import type { FileOpen } from "../../state/open.ts";
import { reportModified } from "../../state/report-change.ts";
import { showWriteTime } from "../../state/write-time.ts";
import { CompletionFilter } from "../../wire/constants.ts";
import type { FileBasicInformation } from "../../wire/fscc/basic-info.ts";

/** Values of a time that are none (MS-FSCC 2.4.7). */
const KEEP = 0n;
const STOP_UPDATES = -1n;
const RESUME_UPDATES = -2n;

/** FileBasicInformation (MS-FSA 2.1.5.15.2). */
export function setBasic(open: FileOpen, info: FileBasicInformation): Awaitable<void> {
  const { node } = open.file;
  for (const time of [info.creationTime, info.lastAccessTime, info.lastWriteTime, info.changeTime]) {
    if (time < RESUME_UPDATES) throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if ((info.attributes & FileAttribute.DIRECTORY) !== 0 && open.stream.data !== undefined) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if ((info.attributes & FileAttribute.TEMPORARY) !== 0 && node.directory) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  const change: BasicChange = {
    creationTime: timeToSet(info.creationTime),
    lastAccessTime: timeToSet(info.lastAccessTime),
    lastWriteTime: timeToSet(info.lastWriteTime),
    changeTime: timeToSet(info.changeTime),
  };
  const { frozenTimes } = open;
  showWriteTime(open.file);
  // What is frozen from now on keeps the value that it has, or is given here.
  frozenTimes.access = isFrozen(frozenTimes.access, info.lastAccessTime);
  frozenTimes.write = isFrozen(frozenTimes.write, info.lastWriteTime);
  frozenTimes.change = isFrozen(frozenTimes.change, info.changeTime);
  const report = () => reportModified(open, filterOf(info, change));
  if (info.attributes === 0)
    return isEmpty(change)
      ? undefined
      : chain(
          keepFrozenTimes(open, () => node.setBasic(change), change),
          report,
        );
  const changed = keepFrozenTimes(
    open,
    () => chain(settableAttributes(open, info.attributes), (attributes) => node.setBasic({ ...change, attributes })),
    change,
  );
  return chain(changed, report);
}

function filterOf(info: FileBasicInformation, change: BasicChange): number {
  let filter = info.attributes === 0 ? 0 : CompletionFilter.ATTRIBUTES;
  if (change.creationTime !== undefined) filter |= CompletionFilter.CREATION;
  if (change.lastAccessTime !== undefined) filter |= CompletionFilter.LAST_ACCESS;
  if (change.lastWriteTime !== undefined) filter |= CompletionFilter.LAST_WRITE;
  return filter;
}

function timeToSet(time: FileTime): FileTime | undefined {
  return time === KEEP || time === STOP_UPDATES || time === RESUME_UPDATES ? undefined : time;
}

/** A time that the client sets is his from then on, as if he had said -1 too. */
function isFrozen(before: boolean, time: FileTime): boolean {
  return time === KEEP ? before : time !== RESUME_UPDATES;
}

function isEmpty(change: BasicChange): boolean {
  return (
    change.creationTime === undefined &&
    change.lastAccessTime === undefined &&
    change.lastWriteTime === undefined &&
    change.changeTime === undefined
  );
}

/** Nobody hides the root of a share (MS-FSA 2.1.5.15.2). */
function settableAttributes(open: FileOpen, attributes: number): Awaitable<number> {
  if (open.link.path.length > 0) return attributes;
  const kept = FileAttribute.HIDDEN | FileAttribute.SYSTEM;
  return chain(open.file.node.stat(), (stat) => ((attributes & ~kept) | (stat.attributes & kept)) >>> 0);
}
