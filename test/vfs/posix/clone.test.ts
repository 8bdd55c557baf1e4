// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileSystemAttribute } from "../../../src/nt/attributes.ts";
import { makeFile, mustOpenStream, read, temporaryFolder, temporaryVolume } from "./support.ts";

/** A folder on a file system with reflinks (XFS, btrfs), where the machine has one. */
const reflinkFolder = process.env["TESSERA_REFLINK_FOLDER"];

describe("block clone", () => {
  it("is promised exactly where there is one", async () => {
    const { volume } = await temporaryVolume();
    const promised = (volume.info.attributes & FileSystemAttribute.SUPPORTS_BLOCK_REFCOUNTING) !== 0;
    expect(volume.clone !== undefined).toBe(promised);
    const readOnly = await temporaryVolume({ readOnly: true });
    expect(readOnly.volume.clone).toBeUndefined();
  });
});

describe.runIf(reflinkFolder !== undefined)("block clone on a file system with reflinks", () => {
  const setUp = async () => {
    const { volume } = await temporaryVolume({ root: temporaryFolder(reflinkFolder) });
    const { clone } = volume;
    if (clone === undefined) throw new Error("no block clone here");
    const unit = volume.info.allocationUnit;
    const data = Buffer.alloc(4 * unit + 100);
    for (let i = 0; i < data.length; i++) data[i] = (i * 13 + (i >> 12)) & 0xff;
    const source = await mustOpenStream(makeFile(volume, "source"));
    await source.write(0, data);
    const target = await mustOpenStream(makeFile(volume, "target"));
    return { volume, clone, unit, data, source, target };
  };

  it("shares blocks, also up to a tail that is none", async () => {
    const { clone, unit, data, source, target } = await setUp();
    expect(await clone.clone(source, unit, target, 0, data.length - unit)).toBe(true);
    expect((await read(target)).equals(data.subarray(unit))).toBe(true);
    await source.write(unit, Buffer.alloc(10));
    expect((await read(target)).equals(data.subarray(unit))).toBe(true);
  });

  it("is done at once where that is quick: data on the disk, and none in the way", async (context) => {
    const { data, source, volume } = await setUp();
    const { length } = data;
    await source.flush();
    const first = await mustOpenStream(makeFile(volume, "first"));
    const count = first.copyFrom(source, 0, 0, length + 5);
    if (count instanceof Promise) return context.skip("Linux before 6.5");
    expect(count).toBe(length);
    expect((await read(first)).equals(data)).toBe(true);
    const again = first.copyFrom(source, 0, 0, length);
    expect(again).toBeInstanceOf(Promise);
    await again;
    expect((await read(first)).equals(data)).toBe(true);
    // Where blocks cannot be shared, bytes are copied.
    const shifted = await mustOpenStream(makeFile(volume, "shifted"));
    const copying = shifted.copyFrom(source, 100, 0, length - 100);
    expect(copying).toBeInstanceOf(Promise);
    await copying;
    expect((await read(shifted)).equals(data.subarray(100))).toBe(true);
  });

  it("says where it cannot", async () => {
    const { volume, clone, unit, data, source, target } = await setUp();
    expect(await clone.clone(source, 0, target, 0, 100)).toBe(false);
    expect(await clone.clone(source, 512, target, 0, unit)).toBe(false);
    await target.write(0, Buffer.alloc(data.length + 1));
    expect(await clone.clone(source, 0, target, 0, data.length)).toBe(false);
    const elsewhere = await temporaryVolume();
    const foreign = await mustOpenStream(makeFile(elsewhere.volume, "foreign"));
    await foreign.write(0, data);
    expect(await clone.clone(foreign, 0, target, 0, unit)).toBe(false);
    const named = await makeFile(volume, "with stream").createStream("small");
    await named.write(0, Buffer.alloc(unit));
    expect(await clone.clone(source, 0, named, 0, unit)).toBe(false);
    expect(await clone.clone(source, 0, target, 0, 0)).toBe(true);
  });
});
