// SPDX-License-Identifier: Apache-2.0

import { FileSystemAttribute } from "../../../nt/attributes.ts";
import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { VolumeInfo, VolumeSpace } from "../../../vfs/volume.ts";
import type { Request } from "../../request.ts";
import type { FileOpen } from "../../state/open.ts";
import type { Writer } from "../../wire/cursor.ts";
import { FileSystemInformationClass } from "../../wire/fscc/classes.ts";
import {
  DeviceCharacteristic,
  DeviceType,
  encodeFileFsAttributeInformation,
  encodeFileFsControlInformation,
  encodeFileFsDeviceInformation,
  encodeFileFsFullSizeInformation,
  encodeFileFsObjectIdInformation,
  encodeFileFsSectorSizeInformation,
  encodeFileFsSizeInformation,
  encodeFileFsVolumeInformation,
  NO_QUOTA_LIMIT,
  SectorSizeFlag,
} from "../../wire/fscc/fs-info.ts";
import type { QueryInfoRequest } from "../../wire/query-info.ts";
import { offers } from "../fsctl/copy-switch.ts";
import { respond } from "./respond.ts";

const Class = FileSystemInformationClass;

/** SMB2_0_INFO_FILESYSTEM (MS-SMB2 3.3.5.20.2, MS-FSA 2.1.5.13). */
export function queryFileSystem(request: Request, open: FileOpen, message: QueryInfoRequest): Awaitable<void> {
  const { volume } = open.file;
  const { info } = volume;
  const room = message.outputBufferLength;
  const readOnly = info.readOnly || request.tree.share?.readOnly === true;
  switch (message.fileInfoClass) {
    case Class.FileFsVolumeInformation:
      return respond(request, (writer) =>
        encodeFileFsVolumeInformation(
          writer,
          {
            creationTime: info.creationTime,
            serialNumber: info.serialNumber,
            supportsObjects: (info.attributes & FileSystemAttribute.SUPPORTS_OBJECT_IDS) !== 0,
            label: info.label,
          },
          room,
        ),
      );
    case Class.FileFsSizeInformation:
      return chain(volume.space(), (space) => respond(request, (writer) => encodeSize(writer, info, space)));
    case Class.FileFsFullSizeInformation:
      return chain(volume.space(), (space) => respond(request, (writer) => encodeFullSize(writer, info, space)));
    case Class.FileFsDeviceInformation:
      return respond(request, (writer) =>
        encodeFileFsDeviceInformation(writer, {
          deviceType: DeviceType.DISK,
          characteristics:
            DeviceCharacteristic.DEVICE_IS_MOUNTED | (readOnly ? DeviceCharacteristic.READ_ONLY_DEVICE : 0),
        }),
      );
    case Class.FileFsAttributeInformation:
      return respond(request, (writer) => {
        // Opening by file id is not part of SMB2 (MS-SMB2 3.3.5.20.2).
        let attributes = info.attributes & ~FileSystemAttribute.SUPPORTS_OPEN_BY_FILE_ID;
        if (!offers(request, "clone")) attributes &= ~FileSystemAttribute.SUPPORTS_BLOCK_REFCOUNTING;
        return encodeFileFsAttributeInformation(
          writer,
          {
            attributes: readOnly ? attributes | FileSystemAttribute.READ_ONLY_VOLUME : attributes,
            maximumComponentNameLength: info.maximumComponentLength,
            fileSystemName: info.fileSystemName,
          },
          room,
        );
      });
    case Class.FileFsControlInformation:
      return respond(request, (writer) =>
        encodeFileFsControlInformation(writer, {
          freeSpaceStartFiltering: 0n,
          freeSpaceThreshold: 0n,
          freeSpaceStopFiltering: 0n,
          defaultQuotaThreshold: NO_QUOTA_LIMIT,
          defaultQuotaLimit: NO_QUOTA_LIMIT,
          fileSystemControlFlags: 0,
        }),
      );
    case Class.FileFsObjectIdInformation:
      return respond(request, (writer) => encodeFileFsObjectIdInformation(writer, objectIdOf(info)));
    case Class.FileFsSectorSizeInformation:
      return respond(request, (writer) => encodeSectorSize(writer, info));
    default:
      throw new SmbError(NtStatus.NOT_SUPPORTED);
  }
}

function encodeSize(writer: Writer, info: VolumeInfo, space: VolumeSpace): void {
  encodeFileFsSizeInformation(writer, {
    totalAllocationUnits: Math.floor(space.total / info.allocationUnit),
    availableAllocationUnits: Math.floor(space.available / info.allocationUnit),
    sectorsPerAllocationUnit: info.allocationUnit / info.logicalSectorSize,
    bytesPerSector: info.logicalSectorSize,
  });
}

function encodeFullSize(writer: Writer, info: VolumeInfo, space: VolumeSpace): void {
  encodeFileFsFullSizeInformation(writer, {
    totalAllocationUnits: Math.floor(space.total / info.allocationUnit),
    callerAvailableAllocationUnits: Math.floor(space.available / info.allocationUnit),
    actualAvailableAllocationUnits: Math.floor(space.free / info.allocationUnit),
    sectorsPerAllocationUnit: info.allocationUnit / info.logicalSectorSize,
    bytesPerSector: info.logicalSectorSize,
  });
}

function encodeSectorSize(writer: Writer, info: VolumeInfo): void {
  encodeFileFsSectorSizeInformation(writer, {
    logicalBytesPerSector: info.logicalSectorSize,
    physicalBytesPerSectorForAtomicity: info.physicalSectorSize,
    physicalBytesPerSectorForPerformance: info.physicalSectorSize,
    fileSystemEffectivePhysicalBytesPerSectorForAtomicity: info.physicalSectorSize,
    // FSCTL_FILE_LEVEL_TRIM gives blocks back to the file system.
    flags: SectorSizeFlag.ALIGNED_DEVICE | SectorSizeFlag.PARTITION_ALIGNED_ON_DEVICE | SectorSizeFlag.TRIM_ENABLED,
    byteOffsetForSectorAlignment: 0,
    byteOffsetForPartitionAlignment: 0,
  });
}

/** A volume has no stored object ID: it is made of what tells volumes apart, so that it stays the same. */
function objectIdOf(info: VolumeInfo): { objectId: Buffer; extendedInfo: Buffer } {
  const objectId = Buffer.alloc(16);
  objectId.writeUInt32LE(info.serialNumber >>> 0, 0);
  objectId.writeBigUInt64LE(info.creationTime, 8);
  return { objectId, extendedInfo: Buffer.alloc(48) };
}
