// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it } from "vitest";
import { RodType } from "../../../src/scsi/commands/vpd-third-party-copy.ts";
import { TransportError } from "../../../src/scsi/errors.ts";
import type { BlockRange } from "../../../src/scsi/logical-unit.ts";
import type { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import type { MountOptions } from "../../../src/vfs/array/mount.ts";
import type { VolumeStream } from "../../../src/vfs/volume.ts";
import { MemoryArray, type MemoryUnit } from "../../support/memory-array.ts";
import { ArrayFixture, MEBIBYTE } from "./support.ts";

const UNIT = 65_536;
/** Blocks in an allocation unit. */
const BLOCKS = UNIT / 512;
const ROOM = 64 * MEBIBYTE - MEBIBYTE;

describe("Reclaimer", () => {
  const open: { fixture: ArrayFixture; volume: ArrayVolume }[] = [];

  async function mounted(options: Partial<MountOptions> = {}, array = new MemoryArray(), granularity = 1) {
    const fixture = await ArrayFixture.make({ array, luns: 1 });
    const [unit] = fixture.units;
    if (unit === undefined) throw new Error("no unit");
    const { limits } = unit.description;
    unit.description = { ...unit.description, limits: { ...limits, unmapGranularity: granularity } };
    const unmapped: BlockRange[] = [];
    unit.beforeUnmap = (ranges) => void unmapped.push(...ranges);
    const volume = await fixture.open(options);
    open.push({ fixture, volume });
    return { volume, unit, unmapped };
  }

  afterEach(async () => {
    for (const { fixture, volume } of open.splice(0)) {
      await volume.close();
      await fixture.dispose();
    }
  });

  async function make(volume: ArrayVolume, name: string, units: number): Promise<void> {
    const { stream, close } = await opened(volume, name);
    await stream.write(0, Buffer.alloc(units * UNIT, name));
    await close();
  }

  async function opened(volume: ArrayVolume, name: string) {
    const { file } = volume.open([name]) ?? (await volume.create([name], { directory: false, attributes: 0 }));
    const stream = (await file.openStream("")) as VolumeStream;
    const close = async () => {
      await stream.close();
      await file.close();
    };
    return { stream, close };
  }

  async function remove(volume: ArrayVolume, name: string): Promise<void> {
    const found = volume.open([name]);
    if (found === undefined) throw new Error(`no ${name}`);
    await volume.unlink(found.file, [name]);
    await found.file.close();
  }

  /** Holds the next UNMAP up until it is let go. */
  function hold(unit: MemoryUnit): { readonly begun: Promise<void>; readonly go: () => void } {
    let begin = () => {};
    let go = () => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const gone = new Promise<void>((resolve) => (go = resolve));
    unit.beforeUnmap = () => {
      begin();
      return gone;
    };
    return { begun, go };
  }

  const total = (ranges: readonly BlockRange[]) => ranges.reduce((sum, { blocks }) => sum + blocks, 0);

  it("gives the blocks of a removed file back to the array, and no others", async () => {
    const { volume, unit, unmapped } = await mounted();
    await make(volume, "kept", 3);
    await make(volume, "gone", 5);
    await make(volume, "after", 2);
    await remove(volume, "gone");
    await expect.poll(() => total(unmapped)).toBe(5 * BLOCKS);
    const [range] = unmapped;
    expect(range).toEqual({ lba: (MEBIBYTE + 3 * UNIT) / 512, blocks: 5 * BLOCKS });
    expect(unit.peek(MEBIBYTE, 3 * UNIT).equals(Buffer.alloc(3 * UNIT, "kept"))).toBe(true);
    expect(unit.peek(MEBIBYTE + 8 * UNIT, 2 * UNIT).equals(Buffer.alloc(2 * UNIT, "after"))).toBe(true);
  });

  it("keeps to the granularity of the array, across what was free around it", async () => {
    // Four allocation units, on a grid that begins with the first block.
    const { volume, unmapped } = await mounted({}, new MemoryArray(), 4 * BLOCKS);
    await make(volume, "a", 2);
    await make(volume, "b", 3);
    await make(volume, "c", 2);
    await remove(volume, "a");
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(unmapped).toEqual([]);
    await remove(volume, "b");
    // The first four of five units, which begin on the grid.
    await expect.poll(() => unmapped).toEqual([{ lba: MEBIBYTE / 512, blocks: 4 * BLOCKS }]);
  });

  it("lets nobody write where blocks are being given up, and gives them to who waits for room", async () => {
    const { volume, unit } = await mounted();
    const all = ROOM / UNIT;
    await make(volume, "gone", all);
    const { begun, go } = hold(unit);
    await remove(volume, "gone");
    await begun;
    expect(volume.space().free).toBe(ROOM);
    let written = false;
    const writing = make(volume, "next", all).then(() => {
      written = true;
    });
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(written).toBe(false);
    go();
    await writing;
    expect(unit.peek(MEBIBYTE, ROOM).equals(Buffer.alloc(ROOM, "next"))).toBe(true);
  });

  it("does not give up blocks that were taken again while others were given up", async () => {
    const { volume, unit, unmapped } = await mounted();
    await make(volume, "first", 4);
    await make(volume, "second", 4);
    const { begun, go } = hold(unit);
    await remove(volume, "first");
    await begun;
    unit.beforeUnmap = (ranges) => void unmapped.push(...ranges);
    await remove(volume, "second");
    const { stream, close } = await opened(volume, "third");
    // The store has to be on the disk before room is given out again.
    await stream.flush();
    await stream.write(0, Buffer.alloc(4 * UNIT, 3));
    go();
    await expect.poll(() => volume.space().free).toBe(ROOM - 4 * UNIT);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    const found = Buffer.alloc(4 * UNIT);
    await stream.read(0, found);
    await close();
    expect(found.equals(Buffer.alloc(4 * UNIT, 3))).toBe(true);
  });

  it("keeps blocks for tokens that read what lies in them, until those have ended", async () => {
    let now = 0;
    const array = new MemoryArray({ defaultInactivityTimeout: 60 }, { rodType: RodType.ACCESS_UPON_REFERENCE });
    const { volume, unmapped } = await mounted({ monotonicClock: () => now }, array);
    await make(volume, "secret", 4);
    const { stream, close } = await opened(volume, "secret");
    const made = await volume.offload.createToken(stream, { offset: 0, length: 4 * UNIT }, 0);
    expect(made).toMatchObject({ kind: "token", pointInTime: false });
    await close();
    await remove(volume, "secret");
    await volume.open([])?.file.flush();
    await make(volume, "other", 4);
    expect(volume.space().free).toBe(ROOM - 8 * UNIT);
    now = 59_999;
    await make(volume, "another", 4);
    expect(unmapped).toEqual([]);
    now = 60_000;
    await make(volume, "last", 4);
    await expect.poll(() => volume.space().free).toBe(ROOM - 12 * UNIT);
  });

  it("goes on without an array that does not take room back, and tells of it once", async () => {
    const warnings: string[] = [];
    const log = { info: () => {}, warn: (_: object, message: string) => void warnings.push(message), error: () => {} };
    const { volume, unit } = await mounted({ log });
    let asked = 0;
    unit.beforeUnmap = () => {
      asked++;
      throw new TransportError("not now");
    };
    for (const round of [1, 2]) {
      await make(volume, "gone", 4);
      await remove(volume, "gone");
      await expect.poll(() => asked).toBe(round);
      await expect.poll(() => volume.space().free).toBe(ROOM);
    }
    expect(warnings).toEqual(["the array does not take freed room back"]);
  });
});
