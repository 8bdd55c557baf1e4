// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { DirectoryNames } from "../../../src/vfs/posix/directory-names.ts";
import { AT_FDCWD, close, OpenFlag, openOwn } from "../../../src/vfs/posix/native/files.ts";
import { type Statx, statOpen } from "../../../src/vfs/posix/native/stat.ts";
import { temporaryFolder } from "./support.ts";

const opened: number[] = [];

afterEach(() => {
  for (const fd of opened.splice(0)) close(fd);
});

interface Folder {
  readonly path: string;
  readonly fd: number;
  /** What statx would say, with a change time of so many milliseconds since 1970. */
  stat(changed: number): Statx;
}

function folder(path: string, ...names: string[]): Folder {
  mkdirSync(path, { recursive: true });
  for (const name of names) writeFileSync(join(path, name), "");
  const fd = openOwn(AT_FDCWD, path, OpenFlag.PATH | OpenFlag.DIRECTORY);
  opened.push(fd);
  return {
    path,
    fd,
    stat: (changed) => {
      const stat = statOpen(fd);
      if (typeof stat === "number") throw new Error(`errno ${-stat}`);
      return {
        ...stat,
        changeSeconds: Math.floor(changed / 1000),
        changeNanoseconds: (changed % 1000) * 1e6,
        writeSeconds: 1,
        writeNanoseconds: 0,
        size: 4096,
      };
    },
  };
}

describe("names of directories", () => {
  it("are read once while the directory stays as it is", () => {
    const { fd, stat } = folder(temporaryFolder(), "One", "Two");
    const names = new DirectoryNames(100, () => 10_000);
    expect(names.find(fd, 1, stat(5000), "ONE")).toBe("One");
    expect(names.find(fd, 1, stat(5000), "two")).toBe("Two");
    expect(names.find(fd, 1, stat(5000), "three")).toBeUndefined();
    expect(names.scans).toBe(1);
    expect(names.find(fd, 1, stat(5001), "two")).toBe("Two");
    expect(names.scans).toBe(2);
  });

  it("are read again when the directory changed within a tick of the clock before", () => {
    const { fd, path, stat } = folder(temporaryFolder(), "One");
    let now = 10_000;
    const names = new DirectoryNames(100, () => now);
    expect(names.find(fd, 1, stat(9_990), "two")).toBeUndefined();
    writeFileSync(join(path, "Two"), "");
    expect(names.find(fd, 1, stat(9_990), "two")).toBe("Two");
    now = 10_100;
    expect(names.find(fd, 1, stat(9_990), "two")).toBe("Two");
    expect(names.scans).toBe(3);
    names.find(fd, 1, stat(9_990), "two");
    expect(names.scans).toBe(3);
  });

  it("take changes of our own, and are read again some time after", () => {
    const { fd, stat } = folder(temporaryFolder(), "One");
    let now = 10_000;
    const names = new DirectoryNames(10_000, () => now);
    names.find(fd, 1, stat(5000), "x");
    for (let index = 0; index < 5000; index++) {
      expect(names.isCurrent(1, stat(5000 + index))).toBe(true);
      names.changed(1, stat(5001 + index), undefined, `Made${index}`);
      expect(names.find(fd, 1, stat(5001 + index), `MADE${index}`)).toBe(`Made${index}`);
    }
    expect(names.scans).toBe(1);
    names.changed(1, stat(10_001), "One", undefined);
    expect(names.find(fd, 1, stat(10_001), "ONE")).toBeUndefined();
    now = 12_000;
    expect(names.find(fd, 1, stat(10_001), "ONE")).toBe("One");
    expect(names.scans).toBe(2);
  });

  it("are bounded in number, and work without room", () => {
    const root = temporaryFolder();
    const folders = ["a", "b", "c"].map((name) => folder(join(root, name), "1", "2", "3", "4"));
    const names = new DirectoryNames(9, () => 10_000);
    for (const [key, { fd, stat }] of folders.entries()) expect(names.find(fd, key, stat(5000), "4")).toBe("4");
    expect(names.scans).toBe(3);
    const [first, , last] = folders;
    if (first === undefined || last === undefined) throw new Error("no folders");
    names.find(last.fd, 2, last.stat(5000), "1");
    expect(names.scans).toBe(3);
    names.find(first.fd, 0, first.stat(5000), "1");
    expect(names.scans).toBe(4);
    const none = new DirectoryNames(0, () => 10_000);
    expect(none.find(first.fd, 0, first.stat(5000), "1")).toBe("1");
  });

  it("that differ in case only are not lost when one goes", () => {
    const { fd, stat } = folder(temporaryFolder(), "name", "NAME");
    const names = new DirectoryNames(100, () => 10_000);
    const found = names.find(fd, 1, stat(5000), "Name");
    expect(["name", "NAME"]).toContain(found);
    names.changed(1, stat(5001), found, undefined);
    expect(names.isCurrent(1, stat(5001))).toBe(false);
  });
});

it("utimes do not hide a change: the change time tells", () => {
  const path = temporaryFolder();
  const fd = openOwn(AT_FDCWD, path, OpenFlag.PATH | OpenFlag.DIRECTORY);
  opened.push(fd);
  const stat = (): Statx => {
    const result = statOpen(fd);
    if (typeof result === "number") throw new Error(`errno ${-result}`);
    return result;
  };
  const names = new DirectoryNames(100, Date.now);
  expect(names.find(fd, 1, stat(), "one")).toBeUndefined();
  const { writeSeconds } = stat();
  writeFileSync(join(path, "One"), "");
  utimesSync(path, writeSeconds, writeSeconds);
  expect(names.find(fd, 1, stat(), "one")).toBe("One");
});
