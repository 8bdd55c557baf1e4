// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import type { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import type { VolumeFile } from "../../../src/vfs/volume.ts";
import { fails } from "../contract/harness.ts";
import { makeFile, makeFolder, temporaryVolume } from "./support.ts";

const file = { directory: false, attributes: 0 };

/** The directory of a name that does not exist. */
function directoryOf(volume: PosixVolume, ...path: string[]): VolumeFile {
  const { directory } = volume.locate(path, true);
  if (directory === undefined) throw new Error(`${path.join("\\")} exists`);
  onTestFinished(() => void directory.close());
  return directory;
}

describe("locating a name", () => {
  it.each([true, false])("opens what has it, in whatever case, expected to be new: %s", async (isNew) => {
    const { volume } = await temporaryVolume();
    makeFolder(volume, "folder");
    const { fileId } = makeFile(volume, "folder", "File");
    for (const name of ["File", "FILE"]) {
      const { opened } = volume.locate(["folder", name], isNew);
      expect(opened).toMatchObject({ file: { fileId }, path: ["folder", "File"] });
      await opened?.file.close();
    }
  });

  it("sees what others have made", async () => {
    const { volume, root } = await temporaryVolume();
    makeFile(volume, "file");
    writeFileSync(join(root, "Other"), "");
    expect(volume.locate(["other"], true).opened?.path).toEqual(["Other"]);
  });

  it("opens the directory where nothing has it, and a file can be made there", async () => {
    const { volume, root } = await temporaryVolume();
    const { fileId } = makeFolder(volume, "Folder");
    const directory = directoryOf(volume, "folder", "file");
    expect(directory.fileId).toBe(fileId);
    expect(volume.create(["folder", "file"], file, directory).path).toEqual(["Folder", "file"]);
    expect(readdirSync(join(root, "Folder"))).toEqual(["file"]);
  });

  it("makes the file where the directory is by then", async () => {
    const { volume, root } = await temporaryVolume();
    makeFolder(volume, "folder");
    const directory = directoryOf(volume, "folder", "file");
    renameSync(join(root, "folder"), join(root, "moved"));
    mkdirSync(join(root, "folder"));
    volume.create(["folder", "file"], file, directory);
    expect(readdirSync(join(root, "moved"))).toEqual(["file"]);
    expect(readdirSync(join(root, "folder"))).toEqual([]);
  });

  it("notices a file that was made meanwhile", async () => {
    const { volume } = await temporaryVolume();
    const directory = directoryOf(volume, "file");
    makeFile(volume, "FILE");
    await fails(() => volume.create(["file"], file, directory), NtStatus.OBJECT_NAME_COLLISION);
    volume.create(["other"], file, directory);
    await fails(() => volume.create(["OTHER"], file, directory), NtStatus.OBJECT_NAME_COLLISION);
  });

  it("fails where the directory does not exist, or the name is the server's", async () => {
    const { volume } = await temporaryVolume();
    await fails(() => volume.locate(["missing", "file"], true), NtStatus.OBJECT_PATH_NOT_FOUND);
    await fails(() => volume.locate([".tessera-streams", "file"], true), NtStatus.OBJECT_PATH_NOT_FOUND);
    await fails(() => volume.locate([".tessera-streams"], true), NtStatus.ACCESS_DENIED);
    const directory = directoryOf(volume, "file");
    await fails(() => volume.create([".tessera-streams"], file, directory), NtStatus.ACCESS_DENIED);
  });
});
