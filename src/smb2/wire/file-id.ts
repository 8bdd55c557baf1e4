// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";

/** SMB2_FILEID, the name of an Open on the wire (MS-SMB2 2.2.14.1). */
export interface FileId {
  readonly persistent: bigint;
  readonly volatile: bigint;
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** The FileId of requests without an Open, and, in a related compound, of the Open before (MS-SMB2 3.3.5.2.7.2). */
export const NO_FILE_ID: FileId = Object.freeze({ persistent: ALL_ONES, volatile: ALL_ONES });

/** Whether the FileId is {@link NO_FILE_ID}, as in FSCTL_DFS_GET_REFERRALS (MS-SMB2 3.2.4.20.3). */
export function isNoFileId(fileId: FileId): boolean {
  return fileId.volatile === ALL_ONES && fileId.persistent === ALL_ONES;
}

/** Reads an SMB2_FILEID of 16 bytes (MS-SMB2 2.2.14.1). */
export function decodeFileId(reader: Reader): FileId {
  return { persistent: reader.u64(), volatile: reader.u64() };
}

/** Writes an SMB2_FILEID of 16 bytes (MS-SMB2 2.2.14.1). */
export function encodeFileId(writer: Writer, fileId: FileId): void {
  writer.u64(fileId.persistent);
  writer.u64(fileId.volatile);
}
