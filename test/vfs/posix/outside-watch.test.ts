// SPDX-License-Identifier: Apache-2.0

import { chmodSync, mkdirSync, readFileSync, renameSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { OutsideChange } from "../../../src/vfs/outside-changes.ts";
import type { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import type { NtPath, VolumeFile } from "../../../src/vfs/volume.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { makeFile, makeFolder, mustOpen, mustOpenStream, temporaryVolume } from "./support.ts";

function describeChange(change: OutsideChange): string {
  const name = (path: NtPath) => path.join("\\");
  switch (change.kind) {
    case "lost":
      return "lost";
    case "written":
      return "written";
    case "renamed":
      return `renamed ${name(change.from)} ${name(change.path)}`;
    case "modified":
      return `${change.data ? "data" : "metadata"} ${name(change.path)}`;
    default:
      return `${change.kind} ${change.directory ? "directory " : ""}${name(change.path)}`;
  }
}

describe("changes by others", () => {
  let clock: FakeClock;
  let volume: PosixVolume;
  let root: string;
  let heard: string[];
  let warnings: string[];

  beforeEach(async () => {
    clock = new FakeClock();
    heard = [];
    warnings = [];
    const logger = { debug: () => {}, warn: (_: object, message: string) => void warnings.push(message) };
    ({ volume, root } = await temporaryVolume({ after: (ms, action) => clock.after(ms, action), logger }));
    volume.outside.listen((changes) => heard.push(...changes.map(describeChange)));
  });

  const at = (...names: string[]) => join(root, ...names);
  /** What has happened up to now. */
  const news = async (): Promise<string[]> => {
    clock.advance(250);
    await Promise.resolve();
    return heard.splice(0);
  };
  const watch = (file: VolumeFile, path: NtPath, tree: boolean): (() => void) => {
    const end = volume.outside.watchDirectory(file, () => path, tree);
    if (end === undefined) throw new Error("not watched");
    clock.advance(100);
    return end;
  };

  it("are names that come and go, renames and what becomes of files", async () => {
    const end = watch(mustOpen(volume), [], false);
    writeFileSync(at("a"), "");
    mkdirSync(at("d"));
    expect(await news()).toEqual(["added a", "added directory d"]);
    writeFileSync(at("a"), "data");
    chmodSync(at("a"), 0o600);
    renameSync(at("a"), at("b"));
    expect(await news()).toEqual(["data a", "metadata a", "renamed a b"]);
    renameSync(at("b"), at("d", "b"));
    expect(await news()).toEqual(["removed b"]);
    renameSync(at("d", "b"), at("c"));
    unlinkSync(at("c"));
    rmdirSync(at("d"));
    expect(await news()).toEqual(["added c", "removed c", "removed directory d"]);
    end();
    writeFileSync(at("e"), "");
    expect(await news()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("are told with the names that clients see, where the directory is now", async () => {
    const directory = makeFolder(volume, "d");
    let path: NtPath = ["d"];
    volume.outside.watchDirectory(directory, () => path, false);
    volume.rename(directory, ["d"], ["e"], false);
    path = ["e"];
    writeFileSync(at("e", "a:b"), "");
    writeFileSync(at("e", ".tessera-streams"), "");
    expect(await news()).toEqual(["added e\\a\uf022b"]);
  });

  it("are not those of the volume itself", async () => {
    watch(mustOpen(volume), [], true);
    const file = makeFile(volume, "f");
    const directory = makeFolder(volume, "d");
    makeFile(volume, "d", "g");
    volume.link(file, ["h"], false);
    volume.link(file, ["d", "g"], true);
    volume.rename(file, ["f"], ["d", "F"], false);
    volume.rename(directory, ["d"], ["D"], false);
    const stream = await mustOpenStream(file);
    await stream.write(0, Buffer.alloc(9 << 20, 1));
    await stream.setEndOfFile(5);
    file.setBasic({ attributes: 2 });
    await file.createStream("stream");
    volume.unlink(file, ["h"]);
    expect(await news()).toEqual([]);
    writeFileSync(at("D", "F"), "others");
    expect(await news()).toEqual(["data D\\F"]);
  });

  it("are told apart from those of the volume that happen beside them", async () => {
    watch(mustOpen(volume), [], false);
    writeFileSync(at("a"), "");
    unlinkSync(at("a"));
    makeFile(volume, "a");
    expect(await news()).toEqual(["added a", "removed a"]);
    const stream = await mustOpenStream(mustOpen(volume, "a"));
    writeFileSync(at("b"), "b");
    await stream.write(0, Buffer.from("mine"));
    expect(await news()).toEqual(["added b", "data b"]);
  });

  it("in a tree are those at any depth, also of directories that have just been made or moved", async () => {
    mkdirSync(at("x", "y"), { recursive: true });
    const end = watch(mustOpen(volume), [], true);
    writeFileSync(at("x", "y", "f"), "");
    expect(await news()).toEqual(["added x\\y\\f"]);
    mkdirSync(at("n", "m", "o"), { recursive: true });
    writeFileSync(at("n", "m", "g"), "");
    const made = await news();
    expect(made[0]).toBe("added directory n");
    expect([...made].sort()).toEqual([
      "added directory n",
      "added directory n\\m",
      "added directory n\\m\\o",
      "added n\\m\\g",
    ]);
    writeFileSync(at("n", "m", "o", "h"), "");
    renameSync(at("n", "m"), at("x", "z"));
    writeFileSync(at("x", "z", "o", "i"), "");
    expect(await news()).toEqual(["added n\\m\\o\\h", "renamed n\\m x\\z", "added x\\z\\o\\i"]);
    makeFolder(volume, "x", "own");
    writeFileSync(at("x", "own", "k"), "");
    expect(await news()).toEqual(["added x\\own\\k"]);
    end();
    writeFileSync(at("x", "y", "l"), "");
    expect(await news()).toEqual([]);
  });

  it("are told once, however many watch, and as long as one does", async () => {
    mkdirSync(at("d", "e"), { recursive: true });
    const ends = [
      watch(mustOpen(volume, "d"), ["d"], false),
      watch(mustOpen(volume, "d"), ["d"], true),
      watch(mustOpen(volume), [], true),
      watch(mustOpen(volume, "d", "e"), ["d", "e"], false),
    ];
    writeFileSync(at("d", "e", "f"), "");
    expect(await news()).toEqual(["added d\\e\\f"]);
    ends[2]?.();
    ends[1]?.();
    writeFileSync(at("d", "g"), "");
    writeFileSync(at("d", "e", "g"), "");
    expect(await news()).toEqual(["added d\\g", "added d\\e\\g"]);
    ends[0]?.();
    writeFileSync(at("d", "h"), "");
    writeFileSync(at("d", "e", "h"), "");
    expect(await news()).toEqual(["added d\\e\\h"]);
    ends[3]?.();
    ends[3]?.();
    writeFileSync(at("d", "e", "i"), "");
    expect(await news()).toEqual([]);
  });

  it("reach who relies on the data of a file, under whatever name", async () => {
    const file = makeFile(volume, "f");
    volume.link(file, ["g"], false);
    const end = volume.outside.watchData(file);
    await (await mustOpenStream(file)).write(0, Buffer.from("own"));
    expect(await news()).toEqual([]);
    writeFileSync(at("g"), "others");
    expect(await news()).toContain("written");
    end?.();
    writeFileSync(at("g"), "again");
    expect(await news()).toEqual([]);
  });

  it("are too many to be told", async () => {
    watch(mustOpen(volume), [], false);
    const limit = Number(readFileSync("/proc/sys/fs/inotify/max_queued_events", "latin1"));
    for (let round = 0; round <= limit / 2; round++) {
      writeFileSync(at("a"), "");
      unlinkSync(at("a"));
    }
    const all = await news();
    expect(all.length).toBe(limit + 1);
    expect(all.at(-1)).toBe("lost");
    writeFileSync(at("b"), "");
    expect(await news()).toEqual(["added b"]);
    expect(warnings).toEqual([]);
  });
});
