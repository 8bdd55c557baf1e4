// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, type Reader, type Writer } from "../cursor.ts";

/** A smaller output buffer is INVALID_PARAMETER (MS-SMB2 3.3.5.15.1). */
export const SNAPSHOT_ARRAY_MINIMUM_OUTPUT = 16;

/** Bytes before SnapShots. */
const FIXED_LENGTH = 12;

/** SRV_SNAPSHOT_ARRAY (MS-SMB2 2.2.32.2). */
export interface SrvSnapshotArray {
  readonly numberOfSnapShots: number;
  /** Bytes that the array takes, or would take. */
  readonly snapShotArraySize: number;
  /** `@GMT-YYYY.MM.DD-HH.MM.SS`; none where they did not all fit. */
  readonly snapShots: readonly string[];
}

/**
 * All snapshots where they fit into `room` bytes, else only their number and the size that they need (and two zero bytes,
 * as Windows sends them). Each token ends in a NUL and the array in one more.
 */
export function encodeSrvSnapshotArray(writer: Writer, snapShots: readonly string[], room: number): void {
  let size = 2;
  for (const token of snapShots) size += token.length * 2 + 2;
  const returned = FIXED_LENGTH + size <= room ? snapShots.length : 0;
  writer.u32(snapShots.length);
  writer.u32(returned);
  writer.u32(size);
  if (returned > 0) {
    for (const token of snapShots) {
      writer.utf16(token);
      writer.u16(0);
    }
  }
  writer.u16(0);
}

/** @throws MalformedPacketError also where the number of tokens is not NumberOfSnapShotsReturned */
export function decodeSrvSnapshotArray(reader: Reader): SrvSnapshotArray {
  const numberOfSnapShots = reader.u32();
  const returned = reader.u32();
  const snapShotArraySize = reader.u32();
  if (returned === 0) return { numberOfSnapShots, snapShotArraySize, snapShots: [] };
  const snapShots = reader
    .utf16(snapShotArraySize)
    .split("\0")
    .filter((token) => token !== "");
  if (snapShots.length !== returned) throw new MalformedPacketError(`${snapShots.length} snapshots of ${returned}`);
  return { numberOfSnapShots, snapShotArraySize, snapShots };
}
