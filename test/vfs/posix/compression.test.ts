// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileAttribute, FileSystemAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus, SmbError } from "../../../src/nt/status.ts";
import { makeFile, makeFolder, temporaryFolder, temporaryVolume } from "./support.ts";

/** A folder on a file system with reflinks, where the machine has one: btrfs compresses, XFS does not. */
const reflinkFolder = process.env["TESSERA_REFLINK_FOLDER"];

describe.each([undefined, reflinkFolder].filter((folder, index) => index === 0 || folder !== undefined))(
  "compression by the file system of %s",
  (folder) => {
    it("works exactly where it is promised", async () => {
      const { volume } = await temporaryVolume({ root: temporaryFolder(folder) });
      const promised = (volume.info.attributes & FileSystemAttribute.FILE_COMPRESSION) !== 0;
      const directory = makeFolder(volume, "folder");
      const isCompressed = async (file: typeof directory) =>
        ((await file.stat()).attributes & FileAttribute.COMPRESSED) !== 0;
      expect(await isCompressed(directory)).toBe(false);
      if (!promised) {
        const refused = expect.objectContaining({ status: NtStatus.INVALID_DEVICE_REQUEST });
        await expect(async () => directory.setCompressed?.(true)).rejects.toEqual(refused);
        await expect(async () => directory.setCompressed?.(true)).rejects.toBeInstanceOf(SmbError);
        return;
      }
      await directory.setCompressed?.(true);
      expect(await isCompressed(directory)).toBe(true);
      const file = makeFile(volume, "folder", "file");
      expect(await isCompressed(file)).toBe(true);
      // It is the file system's state: what is stored of attributes does not touch it.
      await file.setBasic({ attributes: FileAttribute.HIDDEN });
      expect((await file.stat()).attributes).toBe(FileAttribute.HIDDEN | FileAttribute.COMPRESSED);
      await file.setCompressed?.(false);
      expect((await file.stat()).attributes).toBe(FileAttribute.HIDDEN);
    });
  },
);

describe("a read-only volume", () => {
  it("promises no compression", async () => {
    const { volume } = await temporaryVolume({ root: temporaryFolder(reflinkFolder), readOnly: true });
    expect(volume.info.attributes & FileSystemAttribute.FILE_COMPRESSION).toBe(0);
  });
});
