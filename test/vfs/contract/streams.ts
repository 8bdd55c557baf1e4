// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileSystemAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import {
  closeAll,
  contentOf,
  fails,
  get,
  type Harness,
  has,
  makeDirectory,
  makeFile,
  namesIn,
  openFile,
  openStream,
  put,
} from "./harness.ts";

export function streamCases(harness: Harness): void {
  describe("streams", () => {
    it("are one at first, none in a directory", async () => {
      const file = await makeFile(harness, ["file"]);
      await put(file, "12345");
      expect(await file.streams()).toMatchObject([{ name: "", size: 5 }]);
      expect(await file.openStream("missing")).toBeUndefined();
      const directory = await makeDirectory(harness, ["directory"]);
      expect(await directory.streams()).toEqual([]);
      expect(await directory.openStream("")).toBeUndefined();
      await closeAll(file, directory);
    });

    it("hold data of their own", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      await put(file, "default");
      await put(file, "first stream", "First");
      await put(file, "2", "Second");
      expect(await get(file)).toBe("default");
      expect(await get(file, "First")).toBe("first stream");
      expect((await file.stat()).endOfFile).toBe(7);
      const streams = [...(await file.streams())].sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(streams).toMatchObject([
        { name: "", size: 7 },
        { name: "First", size: 12 },
        { name: "Second", size: 1 },
      ]);
      expect(await namesIn(harness, [])).toEqual(["file"]);
      await file.close();
      const again = await openFile(harness, ["file"]);
      expect(await get(again, "second")).toBe("2");
      await again.close();
    });

    it("are found in any case, and keep it", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      const made = await file.createStream("Größe.Info");
      expect(made.name).toBe("Größe.Info");
      const found = await openStream(file, "GRÖßE.INFO");
      expect(found.name).toBe("Größe.Info");
      await fails(() => file.createStream("größe.info"), NtStatus.OBJECT_NAME_COLLISION);
      await fails(() => file.createStream(""), NtStatus.OBJECT_NAME_COLLISION);
      await made.write(0, Buffer.from("shared"));
      expect((await contentOf(found)).toString()).toBe("shared");
      await closeAll(made, found, file);
    });

    it("may have names that files may not", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      const names = ["?Stream*", "\x05SummaryInformation", "{4c8cc155-6c1e-11d1-8e41-00c04fb9386d}", "a|b<c>\"d'"];
      for (const name of names) await put(file, name, name);
      for (const name of names) expect(await get(file, name)).toBe(name);
      expect((await file.streams()).map((stream) => stream.name).sort()).toEqual(["", ...names].sort());
      for (const name of ["a/b", "a\0", "a\\b", "a:b", "x".repeat(256)]) {
        await fails(() => file.createStream(name), NtStatus.OBJECT_NAME_INVALID);
      }
      await file.close();
    });

    it("are there in directories too", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const directory = await makeDirectory(harness, ["directory"]);
      await put(directory, "of a directory", "stream");
      expect(await directory.streams()).toMatchObject([{ name: "stream", size: 14 }]);
      expect(await get(directory, "STREAM")).toBe("of a directory");
      expect(await directory.isEmpty()).toBe(true);
      expect((await directory.stat()).endOfFile).toBe(0);
      await directory.close();
    });

    it("can be large", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      const stream = await file.createStream("large");
      await stream.write(0, Buffer.from("small"));
      await stream.write(200_000, Buffer.from("large"));
      expect((await stream.size()).endOfFile).toBe(200_005);
      const expected = Buffer.alloc(200_005);
      expected.write("small", 0);
      expected.write("large", 200_000);
      expect((await contentOf(stream)).equals(expected)).toBe(true);
      await stream.setEndOfFile(3);
      expect((await contentOf(stream)).toString()).toBe("sma");
      await stream.zero({ offset: 1, length: 1 });
      expect((await contentOf(stream)).toString()).toBe("s\0a");
      expect(await namesIn(harness, [])).toEqual(["file"]);
      await closeAll(stream, file);
    });

    it("can be removed", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      await put(file, "content", "Stream");
      await file.removeStream("STREAM");
      expect(await file.openStream("Stream")).toBeUndefined();
      expect(await file.streams()).toMatchObject([{ name: "" }]);
      await fails(() => file.removeStream("Stream"), NtStatus.OBJECT_NAME_NOT_FOUND);
      await put(file, "again", "Stream");
      expect(await get(file, "Stream")).toBe("again");
      await file.close();
    });

    it("can be renamed", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      await put(file, "one", "One");
      await put(file, "two", "Two");
      await file.renameStream("ONE", "Three", false);
      expect(await get(file, "three")).toBe("one");
      expect(await file.openStream("One")).toBeUndefined();
      await fails(() => file.renameStream("Three", "TWO", false), NtStatus.OBJECT_NAME_COLLISION);
      await file.renameStream("Three", "TWO", true);
      expect(await get(file, "two")).toBe("one");
      await file.renameStream("two", "TWO", false);
      expect((await file.streams()).map((stream) => stream.name).sort()).toEqual(["", "TWO"]);
      await fails(() => file.renameStream("missing", "x", false), NtStatus.OBJECT_NAME_NOT_FOUND);
      await fails(() => file.renameStream("TWO", "a/b", false), NtStatus.OBJECT_NAME_INVALID);
      await file.close();
    });

    it("go where their file goes", async (context) => {
      if (!has(harness, FileSystemAttribute.NAMED_STREAMS)) return context.skip();
      const file = await makeFile(harness, ["file"]);
      await put(file, "content", "stream");
      await harness.volume.rename(file, ["file"], ["moved"], false);
      expect(await get(file, "stream")).toBe("content");
      await harness.volume.unlink(file, ["moved"]);
      await file.close();
      const other = await makeFile(harness, ["moved"]);
      expect(await other.streams()).toMatchObject([{ name: "", size: 0 }]);
      await other.close();
    });
  });
}
