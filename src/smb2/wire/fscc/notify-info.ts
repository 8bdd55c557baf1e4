// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, Reader, type Writer } from "../cursor.ts";

/** Action values (MS-FSCC 2.7.1). */
export const FileAction = {
  ADDED: 0x00000001,
  REMOVED: 0x00000002,
  MODIFIED: 0x00000003,
  RENAMED_OLD_NAME: 0x00000004,
  RENAMED_NEW_NAME: 0x00000005,
  ADDED_STREAM: 0x00000006,
  REMOVED_STREAM: 0x00000007,
  MODIFIED_STREAM: 0x00000008,
  REMOVED_BY_DELETE: 0x00000009,
  ID_NOT_TUNNELLED: 0x0000000a,
  TUNNELLED_ID_COLLISION: 0x0000000b,
} as const;

/** One FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1). */
export interface FileNotifyInformation {
  /** {@link FileAction}. */
  readonly action: number;
  /** A path relative to the watched directory. */
  readonly fileName: string;
}

/** Bytes before FileName. */
const FIXED_LENGTH = 12;

/** Bytes of one structure, FileName padded to 4 bytes. */
export function fileNotifyInformationLength(fileName: string): number {
  return (FIXED_LENGTH + fileName.length * 2 + 3) & ~3;
}

/**
 * Writes all changes, or none where they do not fit into `room` bytes: the answer is then NOTIFY_ENUM_DIR
 * (MS-SMB2 3.3.4.4).
 */
export function encodeFileNotifyInformation(
  writer: Writer,
  changes: readonly FileNotifyInformation[],
  room = Number.POSITIVE_INFINITY,
): boolean {
  let total = 0;
  for (const change of changes) total += fileNotifyInformationLength(change.fileName);
  if (total > room) return false;
  for (const [i, change] of changes.entries()) {
    const length = fileNotifyInformationLength(change.fileName);
    const nameSize = change.fileName.length * 2;
    writer.u32(i === changes.length - 1 ? 0 : length);
    writer.u32(change.action);
    writer.u32(nameSize);
    writer.utf16(change.fileName);
    writer.zeros(length - FIXED_LENGTH - nameSize);
  }
  return true;
}

/** The changes of a CHANGE_NOTIFY response. */
export function decodeFileNotifyInformation(buffer: Buffer): FileNotifyInformation[] {
  const changes: FileNotifyInformation[] = [];
  if (buffer.length === 0) return changes;
  for (let start = 0; ; ) {
    const rest = buffer.length - start;
    const next = new Reader(buffer, start).u32();
    if (next !== 0 && (next % 4 !== 0 || next < FIXED_LENGTH || next >= rest)) {
      throw new MalformedPacketError(`NextEntryOffset ${next} of ${rest} bytes`);
    }
    const element = new Reader(buffer.subarray(start, start + (next === 0 ? rest : next)), 4);
    const action = element.u32();
    changes.push({ action, fileName: element.utf16(element.u32()) });
    if (next === 0) return changes;
    start += next;
  }
}
