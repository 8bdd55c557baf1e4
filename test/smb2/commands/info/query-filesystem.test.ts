// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { FileSystemAttribute } from "../../../../src/nt/attributes.ts";
import { InfoType } from "../../../../src/smb2/wire/constants.ts";
import { Reader } from "../../../../src/smb2/wire/cursor.ts";
import { FileSystemInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import {
  decodeFileFsAttributeInformation,
  decodeFileFsFullSizeInformation,
  decodeFileFsSectorSizeInformation,
  decodeFileFsSizeInformation,
  SectorSizeFlag,
} from "../../../../src/smb2/wire/fscc/fs-info.ts";
import { decodeGetIntegrityInformation } from "../../../../src/smb2/wire/fscc/integrity.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { CloningVolume } from "../../../support/cloning-volume.ts";
import { CompressingVolume } from "../../../support/compressing-volume.ts";
import { ServerHarness } from "../../../support/server-harness.ts";
import type { SmbFile } from "../../../support/smb-client.ts";

const Class = FileSystemInformationClass;

describe("What copy engines ask of a volume before they choose a way", () => {
  let root: SmbFile;

  const query = async <T>(fileInfoClass: number, decode: (reader: Reader) => T, of = root): Promise<T> =>
    decode(new Reader(await of.queryInfo(fileInfoClass, { infoType: InfoType.FILESYSTEM })));

  beforeEach(async () => {
    const harness = await ServerHarness.start({
      volume: new CloningVolume(),
      shares: { packed: { volume: new CompressingVolume() } },
    });
    const tree = await harness.mount();
    root = await tree.create("");
  });

  it("is the same block everywhere: what a clone has to be aligned to", async () => {
    const size = await query(Class.FileFsSizeInformation, decodeFileFsSizeInformation);
    const full = await query(Class.FileFsFullSizeInformation, decodeFileFsFullSizeInformation);
    const integrity = await root.ioctl(Fsctl.GET_INTEGRITY_INFORMATION, undefined, { maxOutputResponse: 16 });
    const { clusterSize } = decodeGetIntegrityInformation(new Reader(integrity));
    expect(clusterSize).toBe(4096);
    expect(size.sectorsPerAllocationUnit * size.bytesPerSector).toBe(clusterSize);
    expect(full.sectorsPerAllocationUnit * full.bytesPerSector).toBe(clusterSize);
  });

  it("are sectors of 512 bytes on blocks of 4096: what offloaded copies have to be aligned to", async () => {
    expect(await query(Class.FileFsSectorSizeInformation, decodeFileFsSectorSizeInformation)).toEqual({
      logicalBytesPerSector: 512,
      physicalBytesPerSectorForAtomicity: 4096,
      physicalBytesPerSectorForPerformance: 4096,
      fileSystemEffectivePhysicalBytesPerSectorForAtomicity: 4096,
      flags: SectorSizeFlag.ALIGNED_DEVICE | SectorSizeFlag.PARTITION_ALIGNED_ON_DEVICE | SectorSizeFlag.TRIM_ENABLED,
      byteOffsetForSectorAlignment: 0,
      byteOffsetForPartitionAlignment: 0,
    });
    const size = await query(Class.FileFsSizeInformation, decodeFileFsSizeInformation);
    expect(size.bytesPerSector).toBe(512);
  });

  it("says that files can be compressed where they can", async () => {
    const packed = await (await root.tree.session.treeConnect("packed")).create("");
    for (const [of, compresses] of [[root, false] as const, [packed, true] as const]) {
      const { attributes } = await query(Class.FileFsAttributeInformation, decodeFileFsAttributeInformation, of);
      expect((attributes & FileSystemAttribute.FILE_COMPRESSION) !== 0).toBe(compresses);
    }
  });
});
