// SPDX-License-Identifier: Apache-2.0

import { crc32c } from "@node-rs/crc32";

/** Bytes at the start of a LUN that the label has for itself. */
export const LABEL_AREA = 1024 * 1024;
/** Bytes that a label takes; a multiple of every block size. */
export const LABEL_LENGTH = 4096;

const MAGIC = "TESSERA ARRAY LUN";
const VERSION = 1;

/**
 * The first block of a LUN of a volume: tells other programs, and other volumes, to leave it alone.
 *
 * | Byte | Field |
 * |---|---|
 * | 0 | "TESSERA ARRAY LUN", padded with zeros to 32 bytes |
 * | 32 | version, 4 bytes |
 * | 36 | number of the LUN in the volume, 4 bytes |
 * | 40 | number of LUNs when this one was formatted, 4 bytes |
 * | 44 | bytes of an allocation unit, 4 bytes |
 * | 48 | volume identifier, 16 bytes |
 * | 4092 | CRC32C of all bytes before |
 *
 * Numbers are big-endian.
 */
export interface LunLabel {
  readonly lun: number;
  readonly luns: number;
  readonly allocationUnit: number;
  readonly volumeId: Buffer;
}

export function encodeLabel({ lun, luns, allocationUnit, volumeId }: LunLabel): Buffer {
  const label = Buffer.alloc(LABEL_LENGTH);
  label.write(MAGIC, "latin1");
  label.writeUInt32BE(VERSION, 32);
  label.writeUInt32BE(lun, 36);
  label.writeUInt32BE(luns, 40);
  label.writeUInt32BE(allocationUnit, 44);
  volumeId.copy(label, 48);
  label.writeUInt32BE(crc32c(label.subarray(0, LABEL_LENGTH - 4)), LABEL_LENGTH - 4);
  return label;
}

/** `undefined`: no label, or one that is damaged or of a later version. */
export function decodeLabel(label: Buffer): LunLabel | undefined {
  if (label.length < LABEL_LENGTH || !label.toString("latin1", 0, 32).startsWith(MAGIC)) return undefined;
  if (label.readUInt32BE(LABEL_LENGTH - 4) !== crc32c(label.subarray(0, LABEL_LENGTH - 4))) return undefined;
  if (label.readUInt32BE(32) !== VERSION) return undefined;
  return {
    lun: label.readUInt32BE(36),
    luns: label.readUInt32BE(40),
    allocationUnit: label.readUInt32BE(44),
    volumeId: Buffer.from(label.subarray(48, 64)),
  };
}
