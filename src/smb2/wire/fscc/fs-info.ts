// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../../nt/filetime.ts";
import type { Reader, Writer } from "../cursor.ts";
import { encodeTail } from "./name-info.ts";

/** Characters of a volume label that are sent (MS-FSCC 2.5.9). */
const MAXIMUM_LABEL = 32;

/** FILE_FS_VOLUME_INFORMATION (MS-FSCC 2.5.9), 18 bytes and the label. */
export interface FileFsVolumeInformation {
  readonly creationTime: FileTime;
  readonly serialNumber: number;
  readonly supportsObjects: boolean;
  readonly label: string;
}

/**
 * Writes at most `room` bytes, the fixed part always; the label's first 32 characters.
 * @returns false where the label was cut short: BUFFER_OVERFLOW
 */
export function encodeFileFsVolumeInformation(
  writer: Writer,
  info: FileFsVolumeInformation,
  room = Number.POSITIVE_INFINITY,
): boolean {
  const label = info.label.slice(0, MAXIMUM_LABEL);
  writer.u64(info.creationTime);
  writer.u32(info.serialNumber);
  writer.u32(label.length * 2);
  writer.u8(info.supportsObjects ? 1 : 0);
  writer.u8(0);
  return encodeTail(writer, label, room - 18);
}

export function decodeFileFsVolumeInformation(reader: Reader): FileFsVolumeInformation {
  const creationTime = reader.u64();
  const serialNumber = reader.u32();
  const labelSize = reader.u32();
  const supportsObjects = reader.u8() !== 0;
  reader.skip(1);
  return { creationTime, serialNumber, supportsObjects, label: reader.utf16(labelSize) };
}

/** FILE_FS_LABEL_INFORMATION (MS-FSCC 2.5.5). */
export function encodeFileFsLabelInformation(writer: Writer, label: string): void {
  writer.u32(label.length * 2);
  writer.utf16(label);
}

/** The label without the NUL that may end it. */
export function decodeFileFsLabelInformation(reader: Reader): string {
  const label = reader.utf16(reader.u32());
  const end = label.indexOf("\0");
  return end < 0 ? label : label.slice(0, end);
}

/** FILE_FS_SIZE_INFORMATION (MS-FSCC 2.5.8), 24 bytes. */
export interface FileFsSizeInformation {
  readonly totalAllocationUnits: number;
  readonly availableAllocationUnits: number;
  readonly sectorsPerAllocationUnit: number;
  readonly bytesPerSector: number;
}

export function encodeFileFsSizeInformation(writer: Writer, info: FileFsSizeInformation): void {
  writer.u64n(info.totalAllocationUnits);
  writer.u64n(info.availableAllocationUnits);
  writer.u32(info.sectorsPerAllocationUnit);
  writer.u32(info.bytesPerSector);
}

export function decodeFileFsSizeInformation(reader: Reader): FileFsSizeInformation {
  return {
    totalAllocationUnits: reader.u64n(),
    availableAllocationUnits: reader.u64n(),
    sectorsPerAllocationUnit: reader.u32(),
    bytesPerSector: reader.u32(),
  };
}

/** FILE_FS_FULL_SIZE_INFORMATION (MS-FSCC 2.5.4), 32 bytes. */
export interface FileFsFullSizeInformation {
  readonly totalAllocationUnits: number;
  readonly callerAvailableAllocationUnits: number;
  readonly actualAvailableAllocationUnits: number;
  readonly sectorsPerAllocationUnit: number;
  readonly bytesPerSector: number;
}

export function encodeFileFsFullSizeInformation(writer: Writer, info: FileFsFullSizeInformation): void {
  writer.u64n(info.totalAllocationUnits);
  writer.u64n(info.callerAvailableAllocationUnits);
  writer.u64n(info.actualAvailableAllocationUnits);
  writer.u32(info.sectorsPerAllocationUnit);
  writer.u32(info.bytesPerSector);
}

export function decodeFileFsFullSizeInformation(reader: Reader): FileFsFullSizeInformation {
  return {
    totalAllocationUnits: reader.u64n(),
    callerAvailableAllocationUnits: reader.u64n(),
    actualAvailableAllocationUnits: reader.u64n(),
    sectorsPerAllocationUnit: reader.u32(),
    bytesPerSector: reader.u32(),
  };
}

/** DeviceType (MS-FSCC 2.5.10). */
export const DeviceType = { CD_ROM: 0x00000002, DISK: 0x00000007 } as const;

/** Characteristics (MS-FSCC 2.5.10). */
export const DeviceCharacteristic = {
  REMOVABLE_MEDIA: 0x00000001,
  READ_ONLY_DEVICE: 0x00000002,
  REMOTE_DEVICE: 0x00000010,
  DEVICE_IS_MOUNTED: 0x00000020,
  VIRTUAL_VOLUME: 0x00000040,
  DEVICE_SECURE_OPEN: 0x00000100,
} as const;

/** FILE_FS_DEVICE_INFORMATION (MS-FSCC 2.5.10), 8 bytes. */
export interface FileFsDeviceInformation {
  /** {@link DeviceType}. */
  readonly deviceType: number;
  /** {@link DeviceCharacteristic} bits. */
  readonly characteristics: number;
}

export function encodeFileFsDeviceInformation(writer: Writer, info: FileFsDeviceInformation): void {
  writer.u32(info.deviceType);
  writer.u32(info.characteristics);
}

export function decodeFileFsDeviceInformation(reader: Reader): FileFsDeviceInformation {
  return { deviceType: reader.u32(), characteristics: reader.u32() };
}

/** FILE_FS_ATTRIBUTE_INFORMATION (MS-FSCC 2.5.1), 12 bytes and the name. */
export interface FileFsAttributeInformation {
  /** `FileSystemAttribute` bits. */
  readonly attributes: number;
  /** Characters. */
  readonly maximumComponentNameLength: number;
  readonly fileSystemName: string;
}

/**
 * Writes at most `room` bytes, the fixed part always.
 * @returns false where the name was cut short: BUFFER_OVERFLOW
 */
export function encodeFileFsAttributeInformation(
  writer: Writer,
  info: FileFsAttributeInformation,
  room = Number.POSITIVE_INFINITY,
): boolean {
  writer.u32(info.attributes);
  writer.u32(info.maximumComponentNameLength);
  writer.u32(info.fileSystemName.length * 2);
  return encodeTail(writer, info.fileSystemName, room - 12);
}

export function decodeFileFsAttributeInformation(reader: Reader): FileFsAttributeInformation {
  const attributes = reader.u32();
  const maximumComponentNameLength = reader.u32();
  return { attributes, maximumComponentNameLength, fileSystemName: reader.utf16(reader.u32()) };
}

/** FileSystemControlFlags (MS-FSCC 2.5.2). */
export const FileSystemControlFlag = {
  QUOTA_TRACK: 0x00000001,
  QUOTA_ENFORCE: 0x00000002,
  CONTENT_INDEX_DISABLED: 0x00000008,
  LOG_QUOTA_THRESHOLD: 0x00000010,
  LOG_QUOTA_LIMIT: 0x00000020,
  LOG_VOLUME_THRESHOLD: 0x00000040,
  LOG_VOLUME_LIMIT: 0x00000080,
  QUOTAS_INCOMPLETE: 0x00000100,
  QUOTAS_REBUILDING: 0x00000200,
} as const;

/** DefaultQuotaThreshold and DefaultQuotaLimit where none is set. */
export const NO_QUOTA_LIMIT = 0xffff_ffff_ffff_ffffn;

/** FILE_FS_CONTROL_INFORMATION (MS-FSCC 2.5.2), 48 bytes. Sizes in bytes. */
export interface FileFsControlInformation {
  readonly freeSpaceStartFiltering: bigint;
  readonly freeSpaceThreshold: bigint;
  readonly freeSpaceStopFiltering: bigint;
  readonly defaultQuotaThreshold: bigint;
  readonly defaultQuotaLimit: bigint;
  /** {@link FileSystemControlFlag} bits. */
  readonly fileSystemControlFlags: number;
}

export function encodeFileFsControlInformation(writer: Writer, info: FileFsControlInformation): void {
  writer.i64(info.freeSpaceStartFiltering);
  writer.i64(info.freeSpaceThreshold);
  writer.i64(info.freeSpaceStopFiltering);
  writer.u64(info.defaultQuotaThreshold);
  writer.u64(info.defaultQuotaLimit);
  writer.u32(info.fileSystemControlFlags);
  writer.u32(0);
}

export function decodeFileFsControlInformation(reader: Reader): FileFsControlInformation {
  const info = {
    freeSpaceStartFiltering: reader.i64(),
    freeSpaceThreshold: reader.i64(),
    freeSpaceStopFiltering: reader.i64(),
    defaultQuotaThreshold: reader.u64(),
    defaultQuotaLimit: reader.u64(),
    fileSystemControlFlags: reader.u32(),
  };
  reader.skip(4);
  return info;
}

/** FILE_FS_OBJECTID_INFORMATION (MS-FSCC 2.5.6), 64 bytes. */
export interface FileFsObjectIdInformation {
  /** 16 bytes. */
  readonly objectId: Buffer;
  /** 48 bytes; zeros where nothing was set. */
  readonly extendedInfo: Buffer;
}

/** @throws RangeError where a member has the wrong length */
export function encodeFileFsObjectIdInformation(writer: Writer, info: FileFsObjectIdInformation): void {
  if (info.objectId.length !== 16 || info.extendedInfo.length !== 48) {
    throw new RangeError("an ObjectId has 16 bytes and its ExtendedInfo 48");
  }
  writer.bytes(info.objectId);
  writer.bytes(info.extendedInfo);
}

/** Both members are views into the request. */
export function decodeFileFsObjectIdInformation(reader: Reader): FileFsObjectIdInformation {
  return { objectId: reader.bytes(16), extendedInfo: reader.bytes(48) };
}

/** Flags of {@link FileFsSectorSizeInformation}. */
export const SectorSizeFlag = {
  ALIGNED_DEVICE: 0x00000001,
  PARTITION_ALIGNED_ON_DEVICE: 0x00000002,
  NO_SEEK_PENALTY: 0x00000004,
  TRIM_ENABLED: 0x00000008,
} as const;

/** FILE_FS_SECTOR_SIZE_INFORMATION (MS-FSCC 2.5.7), 28 bytes. Sizes and offsets in bytes. */
export interface FileFsSectorSizeInformation {
  readonly logicalBytesPerSector: number;
  readonly physicalBytesPerSectorForAtomicity: number;
  readonly physicalBytesPerSectorForPerformance: number;
  readonly fileSystemEffectivePhysicalBytesPerSectorForAtomicity: number;
  /** {@link SectorSizeFlag} bits. */
  readonly flags: number;
  /** 0xFFFFFFFF where it is not known. */
  readonly byteOffsetForSectorAlignment: number;
  readonly byteOffsetForPartitionAlignment: number;
}

export function encodeFileFsSectorSizeInformation(writer: Writer, info: FileFsSectorSizeInformation): void {
  writer.u32(info.logicalBytesPerSector);
  writer.u32(info.physicalBytesPerSectorForAtomicity);
  writer.u32(info.physicalBytesPerSectorForPerformance);
  writer.u32(info.fileSystemEffectivePhysicalBytesPerSectorForAtomicity);
  writer.u32(info.flags);
  writer.u32(info.byteOffsetForSectorAlignment);
  writer.u32(info.byteOffsetForPartitionAlignment);
}

export function decodeFileFsSectorSizeInformation(reader: Reader): FileFsSectorSizeInformation {
  return {
    logicalBytesPerSector: reader.u32(),
    physicalBytesPerSectorForAtomicity: reader.u32(),
    physicalBytesPerSectorForPerformance: reader.u32(),
    fileSystemEffectivePhysicalBytesPerSectorForAtomicity: reader.u32(),
    flags: reader.u32(),
    byteOffsetForSectorAlignment: reader.u32(),
    byteOffsetForPartitionAlignment: reader.u32(),
  };
}
