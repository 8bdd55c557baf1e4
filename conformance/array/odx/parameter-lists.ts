// SPDX-License-Identifier: Apache-2.0
/** Parameter lists of POPULATE TOKEN and WRITE USING TOKEN (SBC-3 5.7 and 5.49). */

import type { Extent } from "../scsi/addressing.ts";
import { readU64 } from "../scsi/command.ts";
import { illegal, invalidFieldInList, parameterListLengthError } from "../scsi/sense.ts";
import { rodTokenBytes } from "./rod-token.ts";

const descriptorBytes = 16;
/** Where the range descriptors begin. */
const populateHeader = 16;
const writeHeader = 536;

export interface PopulateTokenList {
  readonly immediate: boolean;
  /** Undefined without RTV: the copy manager chooses. */
  readonly rodType: number | undefined;
  /** Seconds; 0 for the default. */
  readonly inactivityTimeout: number;
  readonly ranges: readonly Extent[];
}

export interface WriteUsingTokenList {
  readonly immediate: boolean;
  readonly deleteToken: boolean;
  /** OFFSET INTO ROD in blocks of the destination. */
  readonly offsetIntoRod: number;
  readonly token: Buffer;
  readonly ranges: readonly Extent[];
}

/** Checks both length fields and reads the block device range descriptors (SBC-3 5.7.3). */
function decodeRanges(list: Buffer, headerBytes: number, maxDescriptors: number): Extent[] {
  if (list.length < headerBytes) throw parameterListLengthError();
  const lengthAt = headerBytes - 2;
  const rangesBytes = list.readUInt16BE(lengthAt);
  if (list.readUInt16BE(0) + 2 > list.length || headerBytes + rangesBytes > list.length) {
    throw parameterListLengthError();
  }
  if (rangesBytes < descriptorBytes || list.readUInt16BE(0) + 2 < headerBytes + rangesBytes) {
    throw invalidFieldInList(lengthAt);
  }
  // What is left over is no descriptor, and is ignored.
  const count = Math.floor(rangesBytes / descriptorBytes);
  // TOO MANY SEGMENT DESCRIPTORS.
  if (maxDescriptors > 0 && count > maxDescriptors) throw illegal(0x26, 0x08);
  return Array.from({ length: count }, (_, index) => {
    const at = headerBytes + index * descriptorBytes;
    return { lba: readU64(list, at), count: list.readUInt32BE(at + 8) };
  });
}

/** @param maxDescriptors 0 for no limit */
export function decodePopulateToken(list: Buffer, maxDescriptors: number): PopulateTokenList {
  const ranges = decodeRanges(list, populateHeader, maxDescriptors);
  const flags = list.readUInt8(2);
  return {
    immediate: (flags & 0x01) !== 0,
    rodType: (flags & 0x02) === 0 ? undefined : list.readUInt32BE(8),
    inactivityTimeout: list.readUInt32BE(4),
    ranges,
  };
}

/** @param maxDescriptors 0 for no limit */
export function decodeWriteUsingToken(list: Buffer, maxDescriptors: number): WriteUsingTokenList {
  const ranges = decodeRanges(list, writeHeader, maxDescriptors);
  const flags = list.readUInt8(2);
  return {
    immediate: (flags & 0x01) !== 0,
    deleteToken: (flags & 0x02) !== 0,
    offsetIntoRod: readU64(list, 8),
    token: Buffer.from(list.subarray(16, 16 + rodTokenBytes)),
    ranges,
  };
}
