// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileSystemAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import {
  closeAll,
  contentOf,
  exists,
  fails,
  get,
  getFile,
  type Harness,
  has,
  makeDirectory,
  makeFile,
  namesIn,
  openFile,
  openStream,
  put,
  putFile,
} from "./harness.ts";

export function nameCases(harness: Harness): void {
  describe("names", () => {
    it("are found in any case, and given back as stored", async () => {
      await closeAll(await makeDirectory(harness, ["Some Directory"]));
      await closeAll(await makeFile(harness, ["SOME DIRECTORY", "Größe.Txt"]));
      const opened = await harness.volume.open(["some directory", "GRÖßE.TXT"]);
      expect(opened?.path).toEqual(["Some Directory", "Größe.Txt"]);
      await opened?.file.close();
      const made = await harness.volume.create(["sOME dIRECTORY", "New"], { directory: false, attributes: 0 });
      expect(made.path).toEqual(["Some Directory", "New"]);
      await made.file.close();
    });

    it("are folded letter by letter", async () => {
      await closeAll(await makeFile(harness, ["straße"]));
      await closeAll(await makeFile(harness, ["STRASSE"]));
      expect(await exists(harness, ["STRAßE"])).toBe(true);
      expect(await namesIn(harness, [])).toEqual(["STRASSE", "straße"]);
    });

    it.each(["a.", "a ", " a", "...", "a..b", "CON", "nul.txt", "~", "$x", "😀", "e\u0301", "x".repeat(255)])(
      "may be %j",
      async (name) => {
        const made = await harness.volume.create([name], { directory: false, attributes: 0 });
        await made.file.close();
        expect(await namesIn(harness, [])).toEqual([name]);
        const opened = await harness.volume.open([name]);
        expect(opened?.path).toEqual([name]);
        await opened?.file.close();
      },
    );

    it.each(["", ".", "..", "a/b", "../a", "a\0b", "a\\b", "a:b", "x".repeat(256)])("may not be %j", async (name) => {
      await closeAll(await makeDirectory(harness, ["directory"]));
      await fails(() => makeFile(harness, ["directory", name]), NtStatus.OBJECT_NAME_INVALID);
      await fails(() => makeDirectory(harness, ["directory", name]), NtStatus.OBJECT_NAME_INVALID);
      const file = await makeFile(harness, ["file"]);
      const to = ["directory", name];
      await fails(() => harness.volume.rename(file, ["file"], to, false), NtStatus.OBJECT_NAME_INVALID);
      if (has(harness, FileSystemAttribute.SUPPORTS_HARD_LINKS)) {
        await fails(() => harness.volume.link(file, to, false), NtStatus.OBJECT_NAME_INVALID);
      }
      await file.close();
      expect(await namesIn(harness, [])).toEqual(["directory", "file"]);
      expect(await namesIn(harness, ["directory"])).toEqual([]);
    });
  });

  describe("rename", () => {
    it("moves a file, which stays open", async () => {
      await closeAll(await makeDirectory(harness, ["to"]));
      const file = await makeFile(harness, ["from"]);
      await put(file, "content");
      await harness.volume.rename(file, ["from"], ["to", "There"], false);
      expect(await exists(harness, ["from"])).toBe(false);
      expect(await getFile(harness, ["to", "There"])).toBe("content");
      await put(file, "changed");
      expect(await getFile(harness, ["to", "There"])).toBe("changed");
      expect((await file.stat()).links).toBe(1);
      await file.close();
    });

    it("moves a directory with what is in it", async () => {
      const directory = await makeDirectory(harness, ["a"]);
      await closeAll(await makeDirectory(harness, ["a", "b"]), await makeDirectory(harness, ["c"]));
      await putFile(harness, ["a", "b", "file"], "content");
      const inner = await openFile(harness, ["a", "b", "file"]);
      await harness.volume.rename(directory, ["a"], ["c", "moved"], false);
      expect(await getFile(harness, ["c", "moved", "b", "file"])).toBe("content");
      expect(await exists(harness, ["a"])).toBe(false);
      await put(inner, "changed");
      expect(await getFile(harness, ["c", "moved", "b", "file"])).toBe("changed");
      await closeAll(await makeFile(harness, ["c", "moved", "new"]));
      await closeAll(directory, inner);
    });

    it("changes nothing but the case", async () => {
      for (const directory of [false, true]) {
        const file = await (directory ? makeDirectory : makeFile)(harness, ["name"]);
        await harness.volume.rename(file, ["name"], ["NAME"], false);
        expect(await namesIn(harness, [])).toEqual(["NAME"]);
        await harness.volume.rename(file, ["NAME"], ["NAME"], false);
        expect(await namesIn(harness, [])).toEqual(["NAME"]);
        await harness.volume.unlink(file, ["NAME"]);
        await file.close();
      }
    });

    it("finds both names in any case", async () => {
      const file = await makeFile(harness, ["From"]);
      await closeAll(await makeDirectory(harness, ["Directory"]));
      await harness.volume.rename(file, ["FROM"], ["DIRECTORY", "To"], false);
      expect(await namesIn(harness, ["Directory"])).toEqual(["To"]);
      expect(await namesIn(harness, [])).toEqual(["Directory"]);
      await file.close();
    });

    it("refuses a name that is taken", async () => {
      const file = await makeFile(harness, ["from"]);
      await putFile(harness, ["To"], "there before");
      await fails(() => harness.volume.rename(file, ["from"], ["to"], false), NtStatus.OBJECT_NAME_COLLISION);
      expect(await getFile(harness, ["To"])).toBe("there before");
      expect(await exists(harness, ["from"])).toBe(true);
      await file.close();
    });

    it("replaces a file, whose opens keep it", async () => {
      const file = await makeFile(harness, ["from"]);
      await put(file, "new");
      await putFile(harness, ["To"], "old");
      const old = await openFile(harness, ["To"]);
      await harness.volume.rename(file, ["from"], ["to"], true);
      expect(await namesIn(harness, [])).toEqual(["to"]);
      expect(await getFile(harness, ["to"])).toBe("new");
      expect(await get(old)).toBe("old");
      await closeAll(file, old);
      expect(await getFile(harness, ["to"])).toBe("new");
    });

    it("never replaces a directory that holds something", async () => {
      const file = await makeFile(harness, ["file"]);
      const directory = await makeDirectory(harness, ["directory"]);
      await closeAll(await makeDirectory(harness, ["full"]));
      await putFile(harness, ["full", "inner"], "content");
      await fails(() => harness.volume.rename(file, ["file"], ["full"], true));
      await fails(() => harness.volume.rename(directory, ["directory"], ["full"], true));
      expect(await namesIn(harness, [])).toEqual(["directory", "file", "full"]);
      expect(await getFile(harness, ["full", "inner"])).toBe("content");
      await closeAll(file, directory);
    });

    it("refuses to move a directory into itself", async () => {
      const directory = await makeDirectory(harness, ["a"]);
      await closeAll(await makeDirectory(harness, ["a", "b"]));
      await fails(() => harness.volume.rename(directory, ["a"], ["a", "b", "c"], false));
      await fails(() => harness.volume.rename(directory, ["a"], ["A", "c"], false));
      expect(await namesIn(harness, [])).toEqual(["a"]);
      expect(await namesIn(harness, ["a", "b"])).toEqual([]);
      await directory.close();
    });

    it("needs both ways to exist", async () => {
      const file = await makeFile(harness, ["file"]);
      await fails(
        () => harness.volume.rename(file, ["file"], ["nothing", "to"], false),
        NtStatus.OBJECT_PATH_NOT_FOUND,
      );
      await fails(() => harness.volume.rename(file, ["file"], ["file", "to"], false), NtStatus.OBJECT_PATH_NOT_FOUND);
      expect(await exists(harness, ["file"])).toBe(true);
      await file.close();
    });

    it("does not take another file for the one that is open", async () => {
      const file = await makeFile(harness, ["name"]);
      await harness.volume.rename(file, ["name"], ["moved"], false);
      await putFile(harness, ["name"], "another");
      await fails(() => harness.volume.rename(file, ["name"], ["to"], false), NtStatus.OBJECT_NAME_NOT_FOUND);
      expect(await getFile(harness, ["name"])).toBe("another");
      expect(await exists(harness, ["to"])).toBe(false);
      await file.close();
    });
  });

  describe("unlink", () => {
    it("removes a name, and keeps the data for who has it open", async () => {
      const file = await makeFile(harness, ["Name"]);
      await put(file, "content");
      const other = await openFile(harness, ["name"]);
      const stream = await openStream(other);
      await harness.volume.unlink(file, ["NAME"]);
      expect(await exists(harness, ["Name"])).toBe(false);
      expect(await namesIn(harness, [])).toEqual([]);
      await file.close();
      expect(await get(other)).toBe("content");
      await stream.write(7, Buffer.from(" goes on"));
      expect((await contentOf(stream)).toString()).toBe("content goes on");
      expect((await other.stat()).links).toBe(0);
      await closeAll(stream, other);
    });

    it("frees the name for another file", async () => {
      const file = await makeFile(harness, ["name"]);
      await put(file, "old");
      await harness.volume.unlink(file, ["name"]);
      await putFile(harness, ["name"], "new");
      await fails(() => harness.volume.unlink(file, ["name"]), NtStatus.OBJECT_NAME_NOT_FOUND);
      expect(await getFile(harness, ["name"])).toBe("new");
      expect(await get(file)).toBe("old");
      await file.close();
    });

    it("removes an empty directory only", async () => {
      const directory = await makeDirectory(harness, ["directory"]);
      const file = await makeFile(harness, ["directory", "file"]);
      expect(await directory.isEmpty()).toBe(false);
      await fails(() => harness.volume.unlink(directory, ["directory"]), NtStatus.DIRECTORY_NOT_EMPTY);
      await harness.volume.unlink(file, ["directory", "file"]);
      expect(await directory.isEmpty()).toBe(true);
      await harness.volume.unlink(directory, ["directory"]);
      expect(await exists(harness, ["directory"])).toBe(false);
      await closeAll(file, directory);
    });

    it("lets nothing be made in a directory that is gone", async () => {
      const directory = await makeDirectory(harness, ["directory"]);
      await harness.volume.unlink(directory, ["directory"]);
      await fails(() => makeFile(harness, ["directory", "file"]), NtStatus.OBJECT_PATH_NOT_FOUND);
      expect(await directory.isEmpty()).toBe(true);
      await directory.close();
    });
  });

  describe("link", () => {
    it("gives a file another name", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_HARD_LINKS)) return context.skip();
      await closeAll(await makeDirectory(harness, ["directory"]));
      const file = await makeFile(harness, ["one"]);
      await put(file, "content");
      await harness.volume.link(file, ["directory", "two"], false);
      expect((await file.stat()).links).toBe(2);
      const other = await openFile(harness, ["directory", "TWO"]);
      expect(other.fileId).toBe(file.fileId);
      await put(other, "changed");
      expect(await get(file)).toBe("changed");
      await harness.volume.unlink(file, ["one"]);
      expect((await other.stat()).links).toBe(1);
      expect(await getFile(harness, ["directory", "two"])).toBe("changed");
      await closeAll(file, other);
    });

    it("refuses a name that is taken, or replaces it", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_HARD_LINKS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      await put(file, "content");
      await putFile(harness, ["Other"], "other");
      await fails(() => harness.volume.link(file, ["other"], false), NtStatus.OBJECT_NAME_COLLISION);
      expect(await getFile(harness, ["other"])).toBe("other");
      await harness.volume.link(file, ["other"], true);
      expect(await getFile(harness, ["other"])).toBe("content");
      expect((await file.stat()).links).toBe(2);
      expect(await namesIn(harness, [])).toHaveLength(2);
      await file.close();
    });

    it("is for files, and into directories that exist", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_HARD_LINKS)) return context.skip();
      const directory = await makeDirectory(harness, ["directory"]);
      await fails(() => harness.volume.link(directory, ["other"], false), NtStatus.FILE_IS_A_DIRECTORY);
      const file = await makeFile(harness, ["file"]);
      await fails(() => harness.volume.link(file, ["nothing", "x"], false), NtStatus.OBJECT_PATH_NOT_FOUND);
      await closeAll(directory, file);
    });

    it("survives a rename of either name", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_HARD_LINKS)) return context.skip();
      const file = await makeFile(harness, ["one"]);
      await harness.volume.link(file, ["two"], false);
      await harness.volume.rename(file, ["one"], ["three"], false);
      expect(await namesIn(harness, [])).toEqual(["three", "two"]);
      await harness.volume.rename(file, ["three"], ["TWO"], true);
      expect(await namesIn(harness, [])).toHaveLength(1);
      expect((await file.stat()).links).toBe(1);
      await file.close();
    });
  });
}
