// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import { closeAll, fails, type Harness, list, makeDirectory, makeFile, openFile, put, putFile } from "./harness.ts";

const names = (count: number, prefix = "name"): string[] => {
  return Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(4, "0")}`);
};

async function fill(harness: Harness, directory: string, count: number): Promise<string[]> {
  await closeAll(await makeDirectory(harness, [directory]));
  const made = names(count);
  for (const name of made) await closeAll(await makeFile(harness, [directory, name]));
  return made;
}

export function directoryCases(harness: Harness): void {
  describe("directories", () => {
    it("list what is in them, with what is known about it", async () => {
      await putFile(harness, ["File.txt"], "12345");
      const made = await makeDirectory(harness, ["Directory"]);
      await putFile(harness, ["Directory", "inner"], "x");
      const root = await openFile(harness, []);
      const entries = (await list(root)).sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(entries.map((entry) => entry.name)).toEqual(["Directory", "File.txt"]);
      expect(entries[0]?.stat).toEqual(await made.stat());
      const file = await openFile(harness, ["File.txt"]);
      expect(entries[1]?.stat).toEqual(await file.stat());
      expect(entries[1]?.stat.endOfFile).toBe(5);
      await putFile(harness, ["Added"], "");
      expect(await list(root)).toHaveLength(3);
      await harness.volume.unlink(file, ["File.txt"]);
      expect((await list(root)).map((entry) => entry.name).sort()).toEqual(["Added", "Directory"]);
      await closeAll(made, root, file);
    });

    it("are read in portions, everything once", async () => {
      const made = await fill(harness, "directory", 300);
      const directory = await openFile(harness, ["directory"]);
      for (const chunk of [1, 7, 100, 1000]) {
        expect((await list(directory, chunk)).map((entry) => entry.name).sort()).toEqual(made);
      }
      const cursor = await directory.readDirectory();
      const portions = [];
      for (let round = 0; round < 5; round++) portions.push((await cursor.next(90, () => true)).length);
      expect(portions).toEqual([90, 90, 90, 30, 0]);
      cursor.close();
      await directory.close();
    });

    it("are filtered by name", async () => {
      const made = await fill(harness, "directory", 100);
      const directory = await openFile(harness, ["directory"]);
      const cursor = await directory.readDirectory();
      const asked: string[] = [];
      const wanted = (name: string): boolean => {
        asked.push(name);
        return name.endsWith("7");
      };
      const found = [...(await cursor.next(4, wanted)), ...(await cursor.next(100, wanted))];
      expect(found.map((entry) => entry.name).sort()).toEqual(made.filter((name) => name.endsWith("7")));
      expect(asked.sort()).toEqual(made);
      cursor.close();
      await directory.close();
    });

    it("have cursors that know nothing of each other", async () => {
      const made = await fill(harness, "directory", 20);
      const directory = await openFile(harness, ["directory"]);
      const one = await directory.readDirectory();
      const two = await directory.readDirectory();
      const seen: string[][] = [[], []];
      for (let round = 0; round < 5; round++) {
        seen[0]?.push(...(await one.next(5, () => true)).map((entry) => entry.name));
        seen[1]?.push(...(await two.next(4, () => true)).map((entry) => entry.name));
      }
      expect(seen.map((list) => list.sort())).toEqual([made, made]);
      one.close();
      two.close();
      await directory.close();
    });

    it("may change while they are read", async () => {
      const made = await fill(harness, "directory", 200);
      const directory = await openFile(harness, ["directory"]);
      const cursor = await directory.readDirectory();
      const seen = (await cursor.next(50, () => true)).map((entry) => entry.name);
      const removed = new Set<string>();
      for (const name of [...seen.slice(0, 10), ...made.filter((one) => !seen.includes(one)).slice(0, 10)]) {
        const file = await openFile(harness, ["directory", name]);
        await harness.volume.unlink(file, ["directory", name]);
        await file.close();
        removed.add(name);
      }
      for (const name of names(30, "added")) await closeAll(await makeFile(harness, ["directory", name]));
      for (;;) {
        const some = await cursor.next(50, () => true);
        seen.push(...some.map((entry) => entry.name));
        if (some.length < 50) break;
      }
      expect(new Set(seen).size).toBe(seen.length);
      for (const name of made) {
        if (!removed.has(name)) expect(seen).toContain(name);
      }
      cursor.close();
      await directory.close();
    });

    it("can be emptied while they are read", async () => {
      await fill(harness, "directory", 120);
      const directory = await openFile(harness, ["directory"]);
      const cursor = await directory.readDirectory();
      for (;;) {
        const some = await cursor.next(16, () => true);
        for (const { name } of some) {
          const file = await openFile(harness, ["directory", name]);
          await harness.volume.unlink(file, ["directory", name]);
          await file.close();
        }
        if (some.length < 16) break;
      }
      cursor.close();
      expect(await directory.isEmpty()).toBe(true);
      await directory.close();
    });

    it("end, however often what they hold is renamed", async () => {
      await fill(harness, "directory", 40);
      const directory = await openFile(harness, ["directory"]);
      const cursor = await directory.readDirectory();
      let portions = 0;
      for (;;) {
        const some = await cursor.next(8, () => true);
        for (const { name } of some) {
          const file = await openFile(harness, ["directory", name]);
          await harness.volume.rename(file, ["directory", name], ["directory", `${name}.${portions}`], false);
          await file.close();
        }
        if (some.length < 8) break;
        expect(++portions).toBeLessThan(40);
      }
      cursor.close();
      await directory.close();
    });

    it("give short names that open the file", async () => {
      await putFile(harness, ["a rather long name.text"], "content");
      const root = await openFile(harness, []);
      const [entry] = await list(root);
      expect(entry?.name).toBe("a rather long name.text");
      if (entry !== undefined && entry.shortName !== "") {
        expect(entry.shortName).toMatch(/^[^. ]{1,8}(\.[^. ]{1,3})?$/);
        const opened = await harness.volume.open([entry.shortName]);
        expect(opened?.path).toEqual(["a rather long name.text"]);
        expect(opened?.file.fileId).toBe(entry.stat.fileId);
        await opened?.file.close();
      }
      await root.close();
    });

    it("are the only thing that can be read so", async () => {
      const file = await makeFile(harness, ["file"]);
      await put(file, "content");
      await fails(() => file.readDirectory(), NtStatus.NOT_A_DIRECTORY);
      await file.close();
    });
  });
}
