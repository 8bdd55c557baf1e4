// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as fs from "../../../../src/smb2/wire/fscc/fs-info.ts";
import { expectFixedLength, expectGolden, hex, wide } from "./codec.ts";

describe("file system information", () => {
  const volume = { creationTime: 0x01d0000000000001n, serialNumber: 0xcafef00d, supportsObjects: false, label: "Data" };
  const volumeHex = `010000000000d001 0df0feca 08000000 00 00 ${wide("Data")}`;

  it("writes the volume, its label at offset 18", () => {
    expectGolden(volumeHex, volume, fs.encodeFileFsVolumeInformation, fs.decodeFileFsVolumeInformation);
    expectFixedLength(18, fs.decodeFileFsVolumeInformation);
  });

  it("cuts the label to the room there is, and to 32 characters", () => {
    const writer = new Writer();
    expect(fs.encodeFileFsVolumeInformation(writer, volume, 24)).toBe(false);
    expect(writer.view().toString("hex")).toBe(hex(volumeHex).subarray(0, 24).toString("hex"));
    const long = new Writer();
    expect(fs.encodeFileFsVolumeInformation(long, { ...volume, label: "x".repeat(40) })).toBe(true);
    expect(fs.decodeFileFsVolumeInformation(new Reader(long.view())).label).toBe("x".repeat(32));
  });

  it("writes a label, and reads it without its NUL", () => {
    expectGolden(`04000000 ${wide("ab")}`, "ab", fs.encodeFileFsLabelInformation, fs.decodeFileFsLabelInformation);
    expect(fs.decodeFileFsLabelInformation(new Reader(hex(`06000000 ${wide("ab\0")}`)))).toBe("ab");
  });

  it("writes sizes", () => {
    expectGolden(
      "0000000001000000 0100000000000000 08000000 00020000",
      {
        totalAllocationUnits: 0x1_0000_0000,
        availableAllocationUnits: 1,
        sectorsPerAllocationUnit: 8,
        bytesPerSector: 512,
      },
      fs.encodeFileFsSizeInformation,
      fs.decodeFileFsSizeInformation,
    );
    expectGolden(
      "0000000001000000 0100000000000000 0200000000000000 08000000 00020000",
      {
        totalAllocationUnits: 0x1_0000_0000,
        callerAvailableAllocationUnits: 1,
        actualAvailableAllocationUnits: 2,
        sectorsPerAllocationUnit: 8,
        bytesPerSector: 512,
      },
      fs.encodeFileFsFullSizeInformation,
      fs.decodeFileFsFullSizeInformation,
    );
    expectFixedLength(24, fs.decodeFileFsSizeInformation);
    expectFixedLength(32, fs.decodeFileFsFullSizeInformation);
  });

  it("writes the device", () => {
    expectGolden(
      "07000000 20000000",
      { deviceType: fs.DeviceType.DISK, characteristics: fs.DeviceCharacteristic.DEVICE_IS_MOUNTED },
      fs.encodeFileFsDeviceInformation,
      fs.decodeFileFsDeviceInformation,
    );
  });

  it("writes attributes and the name of the file system", () => {
    const info = { attributes: 0x0c0400cf, maximumComponentNameLength: 255, fileSystemName: "NTFS" };
    const golden = `cf00040c ff000000 08000000 ${wide("NTFS")}`;
    expectGolden(golden, info, fs.encodeFileFsAttributeInformation, fs.decodeFileFsAttributeInformation);
    const writer = new Writer();
    expect(fs.encodeFileFsAttributeInformation(writer, info, 17)).toBe(false);
    expect(writer.view().toString("hex")).toBe(hex(golden).subarray(0, 16).toString("hex"));
  });

  it("writes quota control", () => {
    expectGolden(
      "0100000000000000 0200000000000000 0300000000000000 ffffffffffffffff ffffffffffffffff 20000000 00000000",
      {
        freeSpaceStartFiltering: 1n,
        freeSpaceThreshold: 2n,
        freeSpaceStopFiltering: 3n,
        defaultQuotaThreshold: fs.NO_QUOTA_LIMIT,
        defaultQuotaLimit: fs.NO_QUOTA_LIMIT,
        fileSystemControlFlags: fs.FileSystemControlFlag.LOG_QUOTA_LIMIT,
      },
      fs.encodeFileFsControlInformation,
      fs.decodeFileFsControlInformation,
    );
    expectFixedLength(48, fs.decodeFileFsControlInformation);
  });

  it("writes the object ID", () => {
    expectGolden(
      `${"11".repeat(16)} ${"22".repeat(48)}`,
      { objectId: Buffer.alloc(16, 0x11), extendedInfo: Buffer.alloc(48, 0x22) },
      fs.encodeFileFsObjectIdInformation,
      fs.decodeFileFsObjectIdInformation,
    );
    const wrong = { objectId: Buffer.alloc(15), extendedInfo: Buffer.alloc(48) };
    expect(() => fs.encodeFileFsObjectIdInformation(new Writer(), wrong)).toThrow(RangeError);
  });

  it("writes sector sizes", () => {
    expectGolden(
      "00020000 00100000 00200000 00400000 03000000 05000000 ffffffff",
      {
        logicalBytesPerSector: 512,
        physicalBytesPerSectorForAtomicity: 4096,
        physicalBytesPerSectorForPerformance: 8192,
        fileSystemEffectivePhysicalBytesPerSectorForAtomicity: 16384,
        flags: fs.SectorSizeFlag.ALIGNED_DEVICE | fs.SectorSizeFlag.PARTITION_ALIGNED_ON_DEVICE,
        byteOffsetForSectorAlignment: 5,
        byteOffsetForPartitionAlignment: 0xffffffff,
      },
      fs.encodeFileFsSectorSizeInformation,
      fs.decodeFileFsSectorSizeInformation,
    );
    expectFixedLength(28, fs.decodeFileFsSectorSizeInformation);
  });
});
