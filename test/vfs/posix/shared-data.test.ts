// SPDX-License-Identifier: Apache-2.0

import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import { makeFile, mustOpen, mustOpenStream, namesOf, read, temporaryFolder, temporaryVolume } from "./support.ts";

const NAME = "00112233445566778899aabbccddeeff";
const PINS = ".tessera-pins";
const LATER = 1_800_000_000_123;

describe("data that servers of one folder share", () => {
  let root: string;
  let volume: PosixVolume;
  let other: PosixVolume;

  beforeEach(async () => {
    root = temporaryFolder();
    volume = (await temporaryVolume({ root })).volume;
    other = (await temporaryVolume({ root })).volume;
  });

  const publish = async (name = NAME, expires = LATER) => {
    const kept = volume.scratch();
    if (kept === undefined) throw new Error("no scratch stream");
    await kept.write(0, Buffer.from("kept"));
    const published = volume.shared.publish(kept, name, expires);
    kept.close();
    return published;
  };
  const pins = () => (existsSync(join(root, PINS)) ? readdirSync(join(root, PINS)) : []);

  it("belong to a folder with an identity of its own", async () => {
    const identity = volume.shared.identity();
    expect(identity).toHaveLength(16);
    expect(other.shared.identity()).toEqual(identity);
    expect((await temporaryVolume()).volume.shared.identity()).not.toEqual(identity);
    expect((await temporaryVolume({ metadata: "none" })).volume.shared.identity()).toBeUndefined();
  });

  it("are found by their name, until their time is over, which others can put off", async () => {
    expect(await publish()).toBe(true);
    const found = other.shared.find(NAME);
    expect(found?.expires).toBe(LATER);
    expect(found === undefined ? "" : (await read(found.stream)).toString()).toBe("kept");
    found?.prolong(LATER + 5000);
    found?.prolong(LATER + 1000);
    await found?.stream.close();
    volume.shared.withdraw(NAME, LATER + 4999);
    expect(pins()).toEqual([NAME]);
    volume.shared.withdraw(NAME, LATER + 5000);
    expect(pins()).toEqual([]);
    expect(other.shared.find(NAME)).toBeUndefined();
  });

  it("are swept by whoever looks, and nothing else is", async () => {
    await publish();
    await publish(NAME.replace("0", "f"), LATER + 10_000);
    writeFileSync(join(root, PINS, "something else"), "");
    expect(other.shared.sweep(LATER - 1)).toBe(0);
    expect(other.shared.sweep(LATER)).toBe(1);
    expect(pins().sort()).toEqual([NAME.replace("0", "f"), "something else"].sort());
    expect((await temporaryVolume()).volume.shared.sweep(LATER)).toBe(0);
  });

  it("go by no name that leads elsewhere", async () => {
    for (const name of ["../file", NAME.toUpperCase(), "", `${NAME}/x`]) {
      expect(() => volume.shared.find(name)).toThrow(RangeError);
      expect(() => volume.shared.withdraw(name, LATER)).toThrow(RangeError);
    }
    await publish();
    symlinkSync(join(root, PINS, NAME), join(root, PINS, NAME.replace("0", "e")));
    expect(() => other.shared.find(NAME.replace("0", "e"))).toThrow();
    mkdirSync(join(root, PINS, NAME.replace("0", "d")));
    expect(other.shared.sweep(Number.MAX_SAFE_INTEGER)).toBe(1);
  });

  it("are in a folder that only the server may use, and clients never see", async () => {
    await publish();
    expect(statSync(join(root, PINS)).mode & 0o777).toBe(0o700);
    expect(statSync(join(root, PINS, NAME)).mode & 0o777).toBe(0o600);
    makeFile(volume, "visible").close();
    expect(await namesOf(mustOpen(volume))).toEqual(["visible"]);
    expect(volume.open([PINS])).toBeUndefined();
    expect(volume.open([PINS.toUpperCase()])).toBeUndefined();
    expect(() => volume.open([PINS, NAME])).toThrow();
    expect(() => volume.create([PINS, "x"], { directory: false, attributes: 0 })).toThrow();
    chmodSync(join(root, PINS), 0o777);
    expect(other.shared.find(NAME)).toBeUndefined();
    await expect(publish(NAME.replace("0", "1"))).rejects.toThrow();
  });

  it("are found no more when the volume is closed", async () => {
    await publish();
    other.close();
    expect(other.shared.find(NAME)).toBeUndefined();
    expect(other.shared.sweep(Number.MAX_SAFE_INTEGER)).toBe(0);
    expect(pins()).toEqual([NAME]);
  });

  describe("in the file where they are", () => {
    const locate = async (room = 400) => {
      const file = mustOpen(volume, "folder", "Käse");
      const stream = await mustOpenStream(file);
      const locator = await volume.shared.locate(stream, room);
      await stream.close();
      file.close();
      return locator;
    };
    const located = async () => {
      const locator = await locate();
      if (locator === undefined) throw new Error("not located");
      return locator;
    };
    const path = () => join(root, "folder", "Käse");

    beforeEach(() => {
      mkdirSync(join(root, "folder"));
      writeFileSync(path(), "content");
    });

    it("are found as long as nobody changes it", async () => {
      const locator = await located();
      const found = other.shared.revisit(locator);
      expect(found === undefined ? "" : (await read(found.stream)).toString()).toBe("content");
      expect(found?.fileId).toBe(mustOpen(volume, "folder", "Käse").fileId);
      expect(found?.isUnchanged).toBe(true);
      appendFileSync(path(), "x");
      expect(found?.isUnchanged).toBe(false);
      await found?.stream.close();
      expect(other.shared.revisit(locator)).toBeUndefined();
    });

    it.each<[string, () => void]>([
      ["its mode", () => chmodSync(path(), 0o600)],
      ["its name", () => renameSync(path(), `${path()}2`)],
      [
        "the file of that name",
        () => {
          renameSync(path(), `${path()}2`);
          writeFileSync(path(), "content");
        },
      ],
      [
        "the file to a link",
        () => {
          renameSync(path(), `${path()}2`);
          symlinkSync(`${path()}2`, path());
        },
      ],
    ])("are found no more after a change of %s", async (_, change) => {
      const locator = await located();
      change();
      expect(other.shared.revisit(locator)).toBeUndefined();
    });

    it("are located where the path has room, and it is a file that has a name", async () => {
      const locator = await located();
      expect(await locate(locator.length)).toEqual(locator);
      expect(await locate(locator.length - 1)).toBeUndefined();
      expect(other.shared.revisit(locator.subarray(0, 36))).toBeUndefined();
      const scratch = volume.scratch();
      if (scratch === undefined) throw new Error("no scratch stream");
      expect(await volume.shared.locate(scratch, 400)).toBeUndefined();
      scratch.close();
    });
  });
});
