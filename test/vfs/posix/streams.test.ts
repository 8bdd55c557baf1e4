// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from "node:child_process";
import { existsSync, linkSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import { fails } from "../contract/harness.ts";
import { makeFile, makeFolder, mustOpen, mustOpenStream, namesOf, read, temporaryVolume } from "./support.ts";

const LARGE = 300_000;
const FOLDER = ".tessera-streams";

async function makeLarge(volume: PosixVolume, name: string, stream = "Large"): Promise<void> {
  const file = makeFile(volume, name);
  const made = await file.createStream(stream);
  await made.write(0, Buffer.alloc(LARGE, name));
  await made.close();
  await file.close();
}

function spilled(root: string): string[] {
  return existsSync(join(root, FOLDER)) ? readdirSync(join(root, FOLDER)) : [];
}

describe("streams too large for an attribute", () => {
  it("live beside the files, out of sight", async () => {
    const { volume, root } = await temporaryVolume();
    await makeLarge(volume, "file");
    expect(spilled(root)).toHaveLength(1);
    expect(await namesOf(mustOpen(volume))).toEqual(["file"]);
    expect(volume.open([FOLDER])).toBeUndefined();
    await fails(() => volume.open([FOLDER.toUpperCase(), "x"]), NtStatus.OBJECT_PATH_NOT_FOUND);
    await fails(() => makeFolder(volume, FOLDER), NtStatus.ACCESS_DENIED);
    await fails(() => volume.rename(mustOpen(volume, "file"), ["file"], [FOLDER, "x"], false), NtStatus.ACCESS_DENIED);
  });

  it("are there after a restart, under the name they were given", async () => {
    const { volume, root } = await temporaryVolume();
    await makeLarge(volume, "file");
    const again = await PosixVolume.open({ root });
    const file = mustOpen(again, "FILE");
    expect(await file.streams()).toMatchObject([{ name: "" }, { name: "Large", size: LARGE }]);
    const stream = await mustOpenStream(file, "LARGE");
    expect(stream.name).toBe("Large");
    expect((await read(stream)).equals(Buffer.alloc(LARGE, "file"))).toBe(true);
    again.close();
  });

  it("keep what was in the attribute when they move", async () => {
    const { volume } = await temporaryVolume();
    const file = makeFile(volume, "file");
    const first = await file.createStream("stream");
    const second = await mustOpenStream(mustOpen(volume, "file"), "STREAM");
    await first.write(0, Buffer.from("small"));
    await second.write(LARGE, Buffer.from("end"));
    await first.write(5, Buffer.from(" and more"));
    expect((await read(first)).subarray(0, 14).toString()).toBe("small and more");
    expect((await second.size()).endOfFile).toBe(LARGE + 3);
    await file.renameStream("stream", "renamed", false);
    expect(first.name).toBe("renamed");
    await second.write(0, Buffer.from("S"));
    expect((await read(first)).subarray(0, 5).toString()).toBe("Small");
    await file.removeStream("renamed");
    await fails(() => first.read(0, Buffer.alloc(1)), NtStatus.FILE_DELETED);
    expect(await file.streams()).toHaveLength(1);
  });

  it("may have a name too long for an attribute", async () => {
    const { volume } = await temporaryVolume();
    const file = makeFile(volume, "file");
    const name = "ä".repeat(255);
    const stream = await file.createStream(name);
    await stream.write(0, Buffer.from("x"));
    expect((await file.streams()).map((one) => one.name)).toEqual(["", name]);
    expect((await read(await mustOpenStream(file, "Ä".repeat(255)))).toString()).toBe("x");
    await file.renameStream(name, "short", false);
    expect((await file.streams()).map((one) => one.name)).toEqual(["", "short"]);
    await file.renameStream("short", name, false);
    await file.removeStream(name);
    expect(await file.streams()).toHaveLength(1);
  });

  it("replace each other wherever they are", async () => {
    const { volume, root } = await temporaryVolume();
    const file = makeFile(volume, "file");
    const put = async (name: string, data: Buffer): Promise<void> => {
      const stream = await file.createStream(name);
      await stream.write(0, data);
      await stream.close();
    };
    await put("large", Buffer.alloc(LARGE, 1));
    await put("small", Buffer.from("2"));
    await file.renameStream("small", "LARGE", true);
    expect(await file.streams()).toMatchObject([{ name: "" }, { name: "LARGE", size: 1 }]);
    expect(spilled(root)).toEqual([]);
    await put("other", Buffer.alloc(LARGE, 3));
    await file.renameStream("other", "large", true);
    expect(await file.streams()).toMatchObject([{ name: "" }, { name: "large", size: LARGE }]);
    expect(await file.streams()).toHaveLength(2);
  });

  it("go with their file", async () => {
    const { volume, root } = await temporaryVolume();
    await makeLarge(volume, "removed");
    await makeLarge(volume, "replaced");
    await makeLarge(volume, "kept");
    linkSync(join(root, "kept"), join(root, "link"));
    volume.unlink(mustOpen(volume, "removed"), ["removed"]);
    expect(spilled(root)).toHaveLength(2);
    const other = makeFile(volume, "other");
    volume.rename(other, ["other"], ["REPLACED"], true);
    expect(spilled(root)).toHaveLength(1);
    volume.unlink(mustOpen(volume, "kept"), ["kept"]);
    expect(await mustOpen(volume, "link").streams()).toHaveLength(2);
  });

  it("are collected when their file was removed from outside", async () => {
    const { volume, root } = await temporaryVolume();
    await makeLarge(volume, "gone");
    makeFolder(volume, "folder");
    await makeLarge(volume, "stays");
    volume.rename(mustOpen(volume, "stays"), ["stays"], ["folder", "stays"], false);
    rmSync(join(root, "gone"));
    expect(await volume.collectOrphanedStreams()).toBe(1);
    expect(spilled(root)).toHaveLength(1);
    expect(await volume.collectOrphanedStreams()).toBe(0);
    expect(await mustOpen(volume, "folder", "stays").streams()).toHaveLength(2);
  });

  it("are not collected while files move about", async () => {
    const { volume, root } = await temporaryVolume();
    await makeLarge(volume, "gone");
    rmSync(join(root, "gone"));
    const file = makeFile(volume, "file");
    for (let index = 0; index < 40; index++) makeFolder(volume, `folder${index}`);
    const collecting = volume.collectOrphanedStreams();
    volume.rename(file, ["file"], ["folder3", "file"], false);
    expect(await collecting).toBe(0);
    expect(await volume.collectOrphanedStreams()).toBe(1);
  });

  it("are refused in a folder that others may write to", async () => {
    const { volume, root } = await temporaryVolume();
    execFileSync("mkdir", ["-m", "777", join(root, FOLDER)]);
    const file = makeFile(volume, "file");
    const stream = await file.createStream("stream");
    await fails(() => stream.write(LARGE, Buffer.from("x")), NtStatus.ACCESS_DENIED);
  });
});

describe("streams in attributes", () => {
  it("are kept as Samba keeps them", async () => {
    const { volume, root } = await temporaryVolume();
    const file = makeFile(volume, "file");
    const stream = await file.createStream("Zone.Identifier");
    await stream.write(0, Buffer.from("[ZoneTransfer]"));
    const value = await file.extendedAttributes();
    expect(value).toEqual([]);
    expect(await (await mustOpenStream(file, "zone.identifier")).size()).toMatchObject({ endOfFile: 14 });
    expect(readdirSync(root)).toEqual(["file"]);
  });

  it("can be copied to and from each other", async () => {
    const { volume } = await temporaryVolume();
    const file = makeFile(volume, "file");
    const [a, b] = [await file.createStream("a"), await file.createStream("b")];
    await a.write(0, Buffer.from("0123456789"));
    expect(await b.copyFrom(a, 2, 1, 100)).toBe(8);
    expect((await read(b)).toString()).toBe("\x0023456789");
    expect(await a.copyFrom(a, 0, 3, 7)).toBe(7);
    expect((await read(a)).toString()).toBe("0120123456");
  });
});
