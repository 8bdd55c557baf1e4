// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import {
  attribute,
  closeAll,
  exists,
  fails,
  get,
  type Harness,
  makeDirectory,
  makeFile,
  namesIn,
  openFile,
  put,
} from "./harness.ts";

export function openCases(harness: Harness): void {
  describe("volume", () => {
    it("describes itself", async () => {
      const { info } = harness.volume;
      expect([512, 4096]).toContain(info.logicalSectorSize);
      expect(info.physicalSectorSize).toBeGreaterThanOrEqual(info.logicalSectorSize);
      expect(info.allocationUnit % info.logicalSectorSize).toBe(0);
      expect(info.maximumComponentLength).toBeGreaterThan(0);
      expect(Number.isSafeInteger(info.maximumFileSize)).toBe(true);
      expect(info.readOnly).toBe(false);
      const space = await harness.volume.space();
      expect(space.total).toBeGreaterThan(0);
      expect(space.free).toBeLessThanOrEqual(space.total);
      expect(space.available).toBeLessThanOrEqual(space.free);
      expect(space.available).toBeGreaterThan(0);
    });

    it("opens its root", async () => {
      const opened = await harness.volume.open([]);
      expect(opened?.path).toEqual([]);
      expect(opened?.file.directory).toBe(true);
      const stat = await opened?.file.stat();
      expect(stat?.directory).toBe(true);
      expect((stat?.attributes ?? 0) & FileAttribute.DIRECTORY).toBe(FileAttribute.DIRECTORY);
      await opened?.file.close();
      expect(await namesIn(harness, [])).toEqual([]);
    });
  });

  describe("open and create", () => {
    it("creates a file, and finds it", async () => {
      const made = await harness.volume.create(["File.txt"], { directory: false, attributes: 0 });
      expect(made.path).toEqual(["File.txt"]);
      expect(made.file.directory).toBe(false);
      const stat = await made.file.stat();
      expect(stat).toMatchObject({
        directory: false,
        endOfFile: 0,
        allocationSize: 0,
        links: 1,
        eaSize: 0,
        reparseTag: 0,
      });
      expect(stat.attributes & (FileAttribute.DIRECTORY | FileAttribute.NORMAL)).toBe(0);
      expect(stat.fileId).toBe(made.file.fileId);
      const found = await openFile(harness, ["File.txt"]);
      expect(found.fileId).toBe(made.file.fileId);
      await closeAll(made.file, found);
    });

    it("creates directories and what is in them", async () => {
      const directory = await makeDirectory(harness, ["Directory"]);
      expect(directory.directory).toBe(true);
      const stat = await directory.stat();
      expect(stat).toMatchObject({ directory: true, endOfFile: 0 });
      expect(stat.attributes & FileAttribute.DIRECTORY).toBe(FileAttribute.DIRECTORY);
      const file = await makeFile(harness, ["Directory", "inner"]);
      expect(await exists(harness, ["Directory", "inner"])).toBe(true);
      expect(await exists(harness, ["inner"])).toBe(false);
      await closeAll(directory, file);
    });

    it("tells a missing name from a missing way to it", async () => {
      expect(await harness.volume.open(["nothing"])).toBeUndefined();
      await fails(() => harness.volume.open(["nothing", "more"]), NtStatus.OBJECT_PATH_NOT_FOUND);
      await closeAll(await makeFile(harness, ["file"]));
      await fails(() => harness.volume.open(["file", "more"]), NtStatus.OBJECT_PATH_NOT_FOUND);
      await fails(() => harness.volume.open(["file", "more", "and more"]), NtStatus.OBJECT_PATH_NOT_FOUND);
    });

    it("creates nothing where the way is missing", async () => {
      await fails(() => makeFile(harness, ["nothing", "file"]), NtStatus.OBJECT_PATH_NOT_FOUND);
      await fails(() => makeDirectory(harness, ["nothing", "directory"]), NtStatus.OBJECT_PATH_NOT_FOUND);
      await closeAll(await makeFile(harness, ["file"]));
      await fails(() => makeFile(harness, ["file", "more"]), NtStatus.OBJECT_PATH_NOT_FOUND);
    });

    it("refuses a name that is taken", async () => {
      await closeAll(await makeFile(harness, ["file"]), await makeDirectory(harness, ["directory"]));
      for (const name of ["file", "FILE", "directory", "DIRECTORY"]) {
        await fails(() => makeFile(harness, [name]), NtStatus.OBJECT_NAME_COLLISION);
        await fails(() => makeDirectory(harness, [name]), NtStatus.OBJECT_NAME_COLLISION);
      }
      await fails(() => makeDirectory(harness, []), NtStatus.OBJECT_NAME_COLLISION);
      expect(await namesIn(harness, [])).toEqual(["directory", "file"]);
    });

    it("stores the attributes that can be set", async () => {
      const attributes = FileAttribute.READONLY | FileAttribute.HIDDEN | FileAttribute.SYSTEM | FileAttribute.ARCHIVE;
      const file = await makeFile(harness, ["file"], { attributes: attributes | FileAttribute.NORMAL });
      expect((await file.stat()).attributes).toBe(attributes);
      await file.close();
      const again = await openFile(harness, ["file"]);
      expect((await again.stat()).attributes).toBe(attributes);
      await again.close();
    });

    it("leaves nothing behind where it cannot store everything", async () => {
      const huge = attribute("HUGE", Buffer.alloc(70_000));
      await fails(() => makeFile(harness, ["file"], { extendedAttributes: [attribute("SMALL", "1"), huge] }));
      expect(await exists(harness, ["file"])).toBe(false);
      expect(await namesIn(harness, [])).toEqual([]);
    });

    it("gives every file an id of its own, that stays", async () => {
      const ids = new Set<bigint>();
      for (const name of ["a", "b", "c"]) {
        const file = await makeFile(harness, [name]);
        ids.add(file.fileId);
        await file.close();
      }
      const root = await openFile(harness, []);
      ids.add(root.fileId);
      await root.close();
      expect(ids.size).toBe(4);
      const again = await openFile(harness, ["b"]);
      expect(ids.has(again.fileId)).toBe(true);
      await again.close();
    });

    it("opens by id, where it can", async (context) => {
      const { volume } = harness;
      if (volume.openById === undefined) return context.skip();
      const directory = await makeDirectory(harness, ["Directory"]);
      const file = await makeFile(harness, ["Directory", "File"]);
      await put(file, "content");
      const reference = file.reference?.();
      await volume.rename(directory, ["Directory"], ["Renamed"], false);
      await volume.rename(file, ["Renamed", "File"], ["Renamed", "Other"], false);
      const found = await volume.openById(file.fileId, reference);
      expect(found?.path).toEqual(["Renamed", "Other"]);
      if (found !== undefined) {
        expect(await get(found.file)).toBe("content");
        await found.file.close();
      }
      await volume.unlink(file, ["Renamed", "Other"]);
      expect(await volume.openById(file.fileId, reference)).toBeUndefined();
      await closeAll(file, directory);
      expect(await volume.openById(0xffff_ffff_ffff_fff0n, reference)).toBeUndefined();
    });

    it("gives two opens the same file", async () => {
      const one = await makeFile(harness, ["file"]);
      const two = await openFile(harness, ["file"]);
      await put(one, "first");
      expect(await get(two)).toBe("first");
      await put(two, "second, longer");
      expect((await one.stat()).endOfFile).toBe(14);
      await one.close();
      expect(await get(two)).toBe("second, longer");
      await two.close();
    });

    it("makes everything stable when asked", async () => {
      const file = await makeFile(harness, ["file"]);
      await file.flush();
      const stream = await file.openStream("");
      await stream?.write(0, Buffer.from("x"));
      await stream?.flush();
      await stream?.close();
      const root = await openFile(harness, []);
      await root.flush();
      await closeAll(file, root);
    });
  });
}
