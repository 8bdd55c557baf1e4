// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, onTestFinished } from "vitest";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { hasFineTimes } from "../../../src/vfs/posix/fine-times.ts";
import { AT_FDCWD, close, OpenFlag, openOwn } from "../../../src/vfs/posix/native/files.ts";
import { statOpen } from "../../../src/vfs/posix/native/stat.ts";
import { setXattr } from "../../../src/vfs/posix/native/xattr.ts";
import { DOSATTRIB_NAME, serialiseDosAttributes } from "../../../src/vfs/posix/samba-dosattrib.ts";
import { makeFile, namesOf, temporaryFolder, temporaryVolume } from "./support.ts";

/** Enough changes for many of them to fall into one tick of any clock. */
const CHANGES = 200;

function opened(path: string, flags: number): number {
  const fd = openOwn(AT_FDCWD, path, flags, 0o600);
  expect(fd).toBeGreaterThanOrEqual(0);
  onTestFinished(() => close(fd));
  return fd;
}

describe("fine times", () => {
  it("are claimed only where each change shows, however soon it follows a look", () => {
    const folder = temporaryFolder();
    const claimed = hasFineTimes(opened(folder, OpenFlag.PATH | OpenFlag.DIRECTORY));
    const fd = opened(`${folder}/file`, OpenFlag.CREAT | OpenFlag.RDWR);
    const seen = new Set<string>();
    for (let change = 0; change < CHANGES; change++) {
      expect(setXattr(fd, "user.test", Buffer.of(change))).toBe(0);
      const stat = statOpen(fd);
      if (typeof stat === "number") throw new Error(`statx: ${stat}`);
      seen.add(`${stat.changeSeconds}.${stat.changeNanoseconds}`);
    }
    expect(claimed && seen.size < CHANGES).toBe(false);
  });

  it("are claimed nowhere that no file can be made", () => {
    expect(hasFineTimes(opened("/proc", OpenFlag.PATH | OpenFlag.DIRECTORY))).toBe(false);
  });
});

describe("what others change right after a look", () => {
  it("shows in the attributes of a file", async () => {
    const { volume, root } = await temporaryVolume();
    const file = makeFile(volume, "file");
    onTestFinished(() => file.close());
    const fd = opened(`${root}/file`, OpenFlag.RDWR);
    const shown: number[] = [];
    const stored: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      const attributes = change % 2 === 0 ? FileAttribute.HIDDEN : FileAttribute.SYSTEM;
      stored.push(attributes);
      expect(setXattr(fd, DOSATTRIB_NAME, serialiseDosAttributes(attributes, undefined))).toBe(0);
      shown.push((await file.stat()).attributes);
    }
    expect(shown).toEqual(stored);
  });

  it("shows in the names of a folder, in whatever case they are asked for", async () => {
    const { volume, root } = await temporaryVolume();
    const found: (readonly string[] | undefined)[] = [];
    const made: string[][] = [];
    for (let change = 0; change < CHANGES; change++) {
      const name = `File-${change}`;
      expect(volume.open([name.toUpperCase()])).toBeUndefined();
      close(openOwn(AT_FDCWD, `${root}/${name}`, OpenFlag.CREAT | OpenFlag.RDWR, 0o600));
      const now = volume.open([name.toUpperCase()]);
      await now?.file.close();
      found.push(now?.path);
      made.push([name]);
    }
    expect(found).toEqual(made);
    const top = volume.open([]);
    expect(top === undefined ? [] : await namesOf(top.file)).toHaveLength(CHANGES);
    await top?.file.close();
  });
});
