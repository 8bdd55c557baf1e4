// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileAttribute, FileSystemAttribute } from "../../../src/nt/attributes.ts";
import { createSecurityDescriptor } from "../../../src/nt/inheritance.ts";
import { readSecurityDescriptor, serialiseSecurityDescriptor } from "../../../src/nt/security-descriptor.ts";
import type { VolumeFile } from "../../../src/vfs/volume.ts";
import { ALICE, BOB, STAFF } from "../../nt/security-builders.ts";
import {
  attribute,
  closeAll,
  fails,
  get,
  type Harness,
  has,
  makeDirectory,
  makeFile,
  openFile,
  openStream,
  put,
} from "./harness.ts";

const { READONLY, HIDDEN, SYSTEM, ARCHIVE, DIRECTORY, SPARSE_FILE } = FileAttribute;

/** 2001-02-03 04:05:06.7891234 UTC: something that only a store with a resolution of 100 ns gives back. */
const SOME_TIME = 126_256_395_067_891_234n;

async function attributesOf(file: VolumeFile): Promise<{ name: string; flags: number; value: string }[]> {
  const found = await file.extendedAttributes();
  return found
    .map(({ name, flags, value }) => ({ name: name.toUpperCase(), flags, value: value.toString() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function metadataCases(harness: Harness): void {
  describe("times", () => {
    it("are set one by one, and kept", async () => {
      for (const directory of [false, true]) {
        const path = [directory ? "directory" : "file"];
        const file = await (directory ? makeDirectory : makeFile)(harness, path);
        const before = await file.stat();
        await file.setBasic({ creationTime: SOME_TIME });
        expect(await file.stat()).toMatchObject({ creationTime: SOME_TIME, lastWriteTime: before.lastWriteTime });
        await file.setBasic({ lastWriteTime: SOME_TIME + 1n });
        await file.setBasic({ lastAccessTime: SOME_TIME + 2n });
        await file.close();
        const again = await openFile(harness, path);
        expect(await again.stat()).toMatchObject({
          creationTime: SOME_TIME,
          lastWriteTime: SOME_TIME + 1n,
          lastAccessTime: SOME_TIME + 2n,
        });
        await again.close();
      }
    });

    it("are set at creation", async () => {
      const file = await makeFile(harness, ["file"]);
      const { creationTime, lastAccessTime, lastWriteTime, changeTime } = await file.stat();
      for (const time of [creationTime, lastAccessTime, lastWriteTime, changeTime]) expect(time).toBeGreaterThan(0n);
      expect(creationTime).toBeLessThanOrEqual(lastWriteTime);
      await file.close();
    });

    it("follow writes, and nothing but writes", async () => {
      const file = await makeFile(harness, ["file"]);
      await file.setBasic({ creationTime: SOME_TIME, lastWriteTime: SOME_TIME });
      expect(await get(file)).toBe("");
      await file.setBasic({ attributes: HIDDEN });
      await harness.volume.rename(file, ["file"], ["moved"], false);
      expect(await file.stat()).toMatchObject({ creationTime: SOME_TIME, lastWriteTime: SOME_TIME });
      await put(file, "content");
      const after = await file.stat();
      expect(after.creationTime).toBe(SOME_TIME);
      expect(after.lastWriteTime).toBeGreaterThan(SOME_TIME);
      await file.setBasic({ lastWriteTime: SOME_TIME });
      const stream = await openStream(file);
      await stream.setEndOfFile(3);
      expect((await file.stat()).lastWriteTime).toBeGreaterThan(SOME_TIME);
      await closeAll(stream, file);
    });

    it("include a change time of the client's choice", async () => {
      const file = await makeFile(harness, ["file"]);
      await file.setBasic({ changeTime: SOME_TIME, lastWriteTime: SOME_TIME + 1n });
      expect(await file.stat()).toMatchObject({ changeTime: SOME_TIME, lastWriteTime: SOME_TIME + 1n });
      await file.setBasic({ attributes: HIDDEN });
      expect((await file.stat()).changeTime).toBeGreaterThan(SOME_TIME);
      await file.close();
    });

    it("of a directory follow its entries", async () => {
      const directory = await makeDirectory(harness, ["directory"]);
      const follows = async (change: () => Promise<void>): Promise<void> => {
        await directory.setBasic({ lastWriteTime: SOME_TIME });
        await change();
        expect((await directory.stat()).lastWriteTime).toBeGreaterThan(SOME_TIME);
      };
      let file: VolumeFile | undefined;
      await follows(async () => {
        file = await makeFile(harness, ["directory", "file"]);
      });
      if (file === undefined) throw new Error("no file");
      const made = file;
      await follows(async () => harness.volume.rename(made, ["directory", "file"], ["directory", "moved"], false));
      await follows(async () => harness.volume.unlink(made, ["directory", "moved"]));
      await closeAll(made, directory);
    });
  });

  describe("attributes", () => {
    it("are replaced as far as they can be set", async () => {
      const file = await makeFile(harness, ["file"], { attributes: ARCHIVE });
      await file.setBasic({ attributes: READONLY | HIDDEN | SYSTEM | DIRECTORY | SPARSE_FILE });
      expect((await file.stat()).attributes).toBe(READONLY | HIDDEN | SYSTEM);
      await file.setBasic({ lastWriteTime: SOME_TIME });
      expect((await file.stat()).attributes).toBe(READONLY | HIDDEN | SYSTEM);
      await file.setBasic({ attributes: FileAttribute.NORMAL });
      expect((await file.stat()).attributes).toBe(0);
      await file.close();
      const directory = await makeDirectory(harness, ["directory"]);
      await directory.setBasic({ attributes: HIDDEN });
      expect((await directory.stat()).attributes).toBe(HIDDEN | DIRECTORY);
      await directory.close();
    });

    it("decide about nothing in the volume", async () => {
      const file = await makeFile(harness, ["file"], { attributes: READONLY });
      await put(file, "written all the same");
      await file.close();
      const again = await openFile(harness, ["file"]);
      await put(again, "and again");
      await harness.volume.rename(again, ["file"], ["moved"], false);
      expect(await get(again)).toBe("and again");
      await harness.volume.unlink(again, ["moved"]);
      await again.close();
    });
  });

  describe("security", () => {
    const given = createSecurityDescriptor({ container: false, owner: ALICE, group: STAFF });

    it("is there without having been given", async () => {
      const root = await openFile(harness, []);
      const file = await makeFile(harness, ["file"]);
      for (const one of [root, file]) {
        const descriptor = readSecurityDescriptor(await one.security());
        expect(descriptor.owner).toMatch(/^S-1-/);
        expect(descriptor.group).toMatch(/^S-1-/);
      }
      await closeAll(root, file);
    });

    it("is stored with a new file", async (context) => {
      if (!has(harness, FileSystemAttribute.PERSISTENT_ACLS)) return context.skip();
      const file = await makeFile(harness, ["file"], { security: given });
      expect((await file.security()).equals(given)).toBe(true);
      await file.close();
      const again = await openFile(harness, ["file"]);
      expect((await again.security()).equals(given)).toBe(true);
      await again.close();
    });

    it("is replaced, for every open", async (context) => {
      if (!has(harness, FileSystemAttribute.PERSISTENT_ACLS)) return context.skip();
      const file = await makeFile(harness, ["file"], { security: given });
      const other = await openFile(harness, ["file"]);
      const next = createSecurityDescriptor({ container: false, owner: BOB, group: STAFF });
      await file.setSecurity(next);
      expect((await file.security()).equals(next)).toBe(true);
      expect((await other.security()).equals(next)).toBe(true);
      await closeAll(file, other);
    });

    it("does not change with the buffer that it was given in", async (context) => {
      if (!has(harness, FileSystemAttribute.PERSISTENT_ACLS)) return context.skip();
      const bytes = Buffer.from(given);
      const file = await makeFile(harness, ["file"], { security: bytes });
      bytes.fill(0);
      expect((await file.security()).equals(given)).toBe(true);
      const next = serialiseSecurityDescriptor({ ...readSecurityDescriptor(given), owner: BOB });
      const nextBytes = Buffer.from(next);
      await file.setSecurity(nextBytes);
      nextBytes.fill(0);
      expect((await file.security()).equals(next)).toBe(true);
      await file.close();
    });

    it("is the file's, not the name's", async (context) => {
      if (!has(harness, FileSystemAttribute.PERSISTENT_ACLS)) return context.skip();
      const file = await makeFile(harness, ["file"], { security: given });
      await harness.volume.rename(file, ["file"], ["moved"], false);
      expect((await file.security()).equals(given)).toBe(true);
      await file.close();
    });
  });

  describe("extended attributes", () => {
    it("are set, replaced and removed without regard to case", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      expect(await file.extendedAttributes()).toEqual([]);
      await file.setExtendedAttributes([attribute("ONE", "1"), attribute("Two", "two")]);
      expect(await attributesOf(file)).toEqual([
        { name: "ONE", flags: 0, value: "1" },
        { name: "TWO", flags: 0, value: "two" },
      ]);
      await file.setExtendedAttributes([attribute("tWO", "2"), attribute("one", "")]);
      expect(await attributesOf(file)).toEqual([{ name: "TWO", flags: 0, value: "2" }]);
      await file.setExtendedAttributes([attribute("missing", "")]);
      await file.close();
      const again = await openFile(harness, ["file"]);
      expect(await attributesOf(again)).toEqual([{ name: "TWO", flags: 0, value: "2" }]);
      await again.close();
    });

    it("are counted as a FILE_FULL_EA_INFORMATION list", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      await file.setExtendedAttributes([attribute("A", "12345")]);
      expect((await file.stat()).eaSize).toBe(8 + 2 + 5);
      await file.setExtendedAttributes([attribute("B", "12345")]);
      expect((await file.stat()).eaSize).toBe(16 + 15);
      await file.setExtendedAttributes([attribute("A", ""), attribute("B", "")]);
      expect((await file.stat()).eaSize).toBe(0);
      await file.close();
    });

    it("are stored with a new file or directory", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES)) return context.skip();
      for (const directory of [false, true]) {
        const file = await makeFile(harness, [`${directory}`], {
          directory,
          extendedAttributes: [attribute("ONE", "1"), attribute("TWO", Buffer.from([0, 255, 0]))],
        });
        expect((await file.extendedAttributes()).map((one) => one.value.toString("hex")).sort()).toEqual([
          "00ff00",
          "31",
        ]);
        await file.close();
      }
    });

    it("do not change with the buffer that they were given in", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      const value = Buffer.from("value");
      await file.setExtendedAttributes([{ name: "ONE", flags: 0, value }]);
      value.fill(0);
      expect(await attributesOf(file)).toEqual([{ name: "ONE", flags: 0, value: "value" }]);
      await file.close();
    });

    it("are set all or none", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      await file.setExtendedAttributes([attribute("KEPT", "before"), attribute("OTHER", "x")]);
      const huge = attribute("HUGE", Buffer.alloc(70_000));
      await fails(() =>
        file.setExtendedAttributes([attribute("KEPT", "after"), attribute("OTHER", ""), attribute("NEW", "1"), huge]),
      );
      expect(await attributesOf(file)).toEqual([
        { name: "KEPT", flags: 0, value: "before" },
        { name: "OTHER", flags: 0, value: "x" },
      ]);
      await file.close();
    });
  });
}
