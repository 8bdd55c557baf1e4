// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import { fails } from "../contract/harness.ts";
import { makeFile, makeFolder, mustOpen, namesOf, temporaryFolder, temporaryVolume } from "./support.ts";

describe("symbolic links", () => {
  it("are followed inside the share", async () => {
    const { volume, root } = await temporaryVolume();
    mkdirSync(join(root, "a", "b"), { recursive: true });
    writeFileSync(join(root, "target"), "12345");
    symlinkSync("../../target", join(root, "a", "b", "link"));
    symlinkSync("a/b", join(root, "short"));
    const direct = mustOpen(volume, "target");
    expect(mustOpen(volume, "a", "b", "link").fileId).toBe(direct.fileId);
    expect(mustOpen(volume, "short", "link").fileId).toBe(direct.fileId);
    expect(mustOpen(volume, "SHORT", "LINK").fileId).toBe(direct.fileId);
    expect(await namesOf(mustOpen(volume, "short"))).toEqual(["link"]);
  });

  it("lead nowhere else", async () => {
    const outside = temporaryFolder();
    writeFileSync(join(outside, "secret"), "secret");
    const { volume, root } = await temporaryVolume();
    symlinkSync(outside, join(root, "absolute"));
    symlinkSync("/", join(root, "slash"));
    symlinkSync("../..", join(root, "up"));
    symlinkSync("/proc/self/root", join(root, "magic"));
    symlinkSync("missing", join(root, "dangling"));
    symlinkSync("loop", join(root, "loop"));
    for (const name of ["absolute", "slash", "up", "magic", "dangling", "loop"]) {
      for (const spelling of [name, name.toUpperCase()]) {
        await fails(() => volume.open([spelling]), NtStatus.ACCESS_DENIED);
        await fails(() => volume.open([spelling, "secret"]), NtStatus.ACCESS_DENIED, NtStatus.OBJECT_PATH_NOT_FOUND);
        await fails(
          () => volume.create([spelling, "made"], { directory: false, attributes: 0 }),
          NtStatus.ACCESS_DENIED,
          NtStatus.OBJECT_PATH_NOT_FOUND,
        );
      }
    }
    expect(await namesOf(mustOpen(volume))).toEqual([]);
    expect(readdirSync(outside)).toEqual(["secret"]);
  });

  it("are removed and renamed themselves", async () => {
    const { volume, root } = await temporaryVolume();
    writeFileSync(join(root, "target"), "12345");
    symlinkSync("target", join(root, "link"));
    const file = mustOpen(volume, "link");
    volume.rename(file, ["link"], ["moved"], false);
    expect(readdirSync(root).sort()).toEqual(["moved", "target"]);
    volume.unlink(file, ["moved"]);
    expect(readdirSync(root)).toEqual(["target"]);
  });

  it("do not let a file of the same name through", async () => {
    const { volume, root } = await temporaryVolume();
    writeFileSync(join(root, "target"), "");
    writeFileSync(join(root, "other"), "");
    symlinkSync("target", join(root, "link"));
    const file = mustOpen(volume, "link");
    rmSync(join(root, "link"));
    symlinkSync("other", join(root, "link"));
    await fails(() => volume.unlink(file, ["link"]), NtStatus.OBJECT_NAME_NOT_FOUND);
  });
});

describe("what is neither file nor directory", () => {
  it("is refused and not listed", async () => {
    const { volume, root } = await temporaryVolume();
    execFileSync("mkfifo", [join(root, "fifo")]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, "socket"), resolve));
    try {
      await fails(() => volume.open(["fifo"]), NtStatus.ACCESS_DENIED);
      await fails(() => volume.open(["socket"]), NtStatus.ACCESS_DENIED);
      expect(await namesOf(mustOpen(volume))).toEqual([]);
    } finally {
      server.close();
    }
  });
});

describe("paths", () => {
  it("may be deeper than a path of the kernel is long", async () => {
    const { volume } = await temporaryVolume();
    const path: string[] = [];
    for (let depth = 0; depth < 40; depth++) {
      path.push(`${"d".repeat(200)}${depth}`);
      makeFolder(volume, ...path).close();
    }
    makeFile(volume, ...path, "File").close();
    const opened = volume.open([...path.map((name) => name.toUpperCase()), "FILE"]);
    expect(opened?.path).toEqual([...path, "File"]);
    const file = opened?.file;
    if (file === undefined) throw new Error("not found");
    volume.rename(file, [...path, "file"], [...path, "Other"], false);
    expect(await namesOf(mustOpen(volume, ...path))).toEqual(["Other"]);
    volume.unlink(file, [...path, "other"]);
  });

  it("prefer the exact name among names that differ in case", async () => {
    const { volume, root } = await temporaryVolume();
    writeFileSync(join(root, "name"), "1");
    writeFileSync(join(root, "NAME"), "22");
    expect((await mustOpen(volume, "name").stat()).endOfFile).toBe(1);
    expect((await mustOpen(volume, "NAME").stat()).endOfFile).toBe(2);
    expect((await mustOpen(volume, "Name").stat()).endOfFile).toBeGreaterThan(0);
  });

  it("find what was made, renamed and removed from outside", async () => {
    const { volume, root } = await temporaryVolume();
    makeFile(volume, "Ours").close();
    expect(volume.open(["THEIRS"])).toBeUndefined();
    writeFileSync(join(root, "Theirs"), "");
    expect(volume.open(["THEIRS"])?.path).toEqual(["Theirs"]);
    renameSync(join(root, "Theirs"), join(root, "Renamed"));
    expect(volume.open(["theirs"])).toBeUndefined();
    expect(volume.open(["renamed"])?.path).toEqual(["Renamed"]);
    await fails(() => makeFile(volume, "RENAMED"), NtStatus.OBJECT_NAME_COLLISION);
    rmSync(join(root, "Renamed"));
    expect(volume.open(["renamed"])).toBeUndefined();
  });

  it("may use 8.3 names", async () => {
    const { volume } = await temporaryVolume();
    makeFile(volume, "A long file name.text").close();
    const cursor = await mustOpen(volume).readDirectory();
    const [entry] = await cursor.next(1, () => true);
    cursor.close();
    expect(entry?.shortName).toMatch(/~/);
    expect(volume.open([entry?.shortName.toLowerCase() ?? ""])?.path).toEqual(["A long file name.text"]);
  });

  it("reach names that are no UTF-8, and hide none", async () => {
    const { volume, root } = await temporaryVolume();
    writeFileSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9)]), "latin1");
    writeFileSync(join(root, "a:b "), "1");
    // The private character itself, as a server without this mapping stores it.
    writeFileSync(join(root, "literal\uf022"), "22");
    expect(await namesOf(mustOpen(volume))).toEqual(["a\uf022b\uf028", "caf\uf1e9", "literal\uf022"]);
    for (const [name, size] of [
      ["CAF\uf1e9", 6],
      ["A\uf022b\uf028", 1],
      ["literal\uf022", 2],
    ] as const) {
      expect((await mustOpen(volume, name).stat()).endOfFile).toBe(size);
    }
    const file = mustOpen(volume, "caf\uf1e9");
    volume.unlink(file, ["caf\uf1e9"]);
    expect(readdirSync(root)).toHaveLength(2);
  });
});
