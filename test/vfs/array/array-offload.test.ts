// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import { RodType } from "../../../src/scsi/commands/vpd-third-party-copy.ts";
import type { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import { checkCatalogue } from "../../../src/vfs/array/check.ts";
import { CatalogueStore } from "../../../src/vfs/array/store.ts";
import type { TellCopied, VolumeStream } from "../../../src/vfs/volume.ts";
import { LossyUnit } from "../../support/lossy-unit.ts";
import { MemoryArray, refusal } from "../../support/memory-array.ts";
import { ArrayFixture, MEBIBYTE } from "./support.ts";

const UNIT = 65_536;
const always = () => true;
const status = (value: number) => expect.objectContaining({ status: value });

describe("ArrayOffload", () => {
  const open: { fixture: ArrayFixture; volume: ArrayVolume }[] = [];

  async function volumeOn(array: MemoryArray, options: Parameters<typeof ArrayFixture.make>[0] = {}) {
    const fixture = await ArrayFixture.make({ array, luns: 1, ...options });
    let now = 0;
    const volume = await fixture.open({ monotonicClock: () => now });
    open.push({ fixture, volume });
    const passes = (milliseconds: number) => {
      now += milliseconds;
    };
    return { fixture, volume, passes, unit: fixture.units[0] as (typeof fixture.units)[0] };
  }

  afterEach(async () => {
    for (const { fixture, volume } of open.splice(0)) {
      await volume.close();
      const store = new CatalogueStore(fixture.folder);
      expect(checkCatalogue(store).problems).toEqual([]);
      await store.close();
      await fixture.dispose();
    }
  });

  async function make(volume: ArrayVolume, name: string, content?: Buffer): Promise<VolumeStream> {
    const { file } = await volume.create([name], { directory: false, attributes: 0 });
    const stream = await file.openStream("");
    await file.close();
    if (stream === undefined) throw new Error("no data stream");
    if (content !== undefined) await stream.write(0, content);
    return stream;
  }

  async function contentOf(stream: VolumeStream): Promise<Buffer> {
    const content = Buffer.alloc((await stream.size()).endOfFile);
    await stream.read(0, content);
    return content;
  }

  async function tokenOf(volume: ArrayVolume, stream: VolumeStream, offset: number, length: number): Promise<Buffer> {
    const made = await volume.offload.createToken(stream, { offset, length }, 0);
    if (made?.kind !== "token") throw new Error("no token");
    return made.token;
  }

  it("copies between two volumes of one array without a byte through the process", async () => {
    const array = new MemoryArray();
    const one = await volumeOn(array);
    const two = await volumeOn(array);
    const content = Buffer.alloc(5 * MEBIBYTE + 100, "content ");
    const source = await make(one.volume, "source", content);
    const target = await make(two.volume, "target");
    const moved = one.unit.bytesRead + two.unit.bytesWritten;
    const made = await one.volume.offload.createToken(source, { offset: 0, length: content.length }, 60_000);
    expect(made).toMatchObject({ kind: "token", length: content.length, pointInTime: true });
    const token = made?.kind === "token" ? made.token : Buffer.alloc(0);
    await source.write(0, Buffer.alloc(MEBIBYTE, "x"));
    expect(await two.volume.offload.writeFromToken(target, 0, token, 0, content.length, always)).toBe(content.length);
    // The rest of the last allocation unit is zeroed through the process.
    expect(one.unit.bytesRead + two.unit.bytesWritten - moved).toBeLessThan(2 * UNIT);
    expect((await contentOf(target)).equals(content)).toBe(true);
  });

  it("writes into the middle of what is there, and into new room", async () => {
    const { volume } = await volumeOn(new MemoryArray());
    const data = Buffer.alloc(300_032);
    for (let at = 0; at < data.length; at += 4) data.writeUInt32BE(at, at);
    const source = await make(volume, "source", data);
    const target = await make(volume, "target", Buffer.alloc(100_000, "t"));
    const token = await tokenOf(volume, source, 512, 299_520);
    expect(await volume.offload.writeFromToken(target, 1024, token, 2048, 200_192, always)).toBe(200_192);
    const expected = Buffer.alloc(201_216, "t");
    data.copy(expected, 1024, 2560, 202_752);
    expect((await contentOf(target)).equals(expected)).toBe(true);
    await target.setEndOfFile(300_000);
    expect((await contentOf(target)).subarray(201_216).every((byte) => byte === 0)).toBe(true);
  });

  it("brings nothing beyond an end that lies inside of a block", async () => {
    const { volume } = await volumeOn(new MemoryArray(), { allocationUnit: 4096 });
    const source = await make(volume, "source", Buffer.alloc(8192, "s"));
    for (const size of [0, 1000]) {
      const target = await make(volume, `target ${size}`, Buffer.alloc(size, "t"));
      const token = await tokenOf(volume, source, 0, 8192);
      expect(await volume.offload.writeFromToken(target, 0, token, 0, 1000, always)).toBe(1000);
      await target.setEndOfFile(5000);
      const expected = Buffer.alloc(5000);
      expected.fill("s", 0, 1000);
      expect((await contentOf(target)).equals(expected)).toBe(true);
    }
  });

  it("tells of zeros, and stops a token where zeros begin", async () => {
    const { volume } = await volumeOn(new MemoryArray());
    const source = await make(volume, "source");
    await source.setSparse(true);
    await source.setEndOfFile(8 * UNIT);
    await source.write(2 * UNIT, Buffer.alloc(UNIT, 1));
    const ask = (offset: number) => volume.offload.createToken(source, { offset, length: 8 * UNIT - offset }, 0);
    expect(await ask(0)).toEqual({ kind: "zero", length: 2 * UNIT });
    expect(await ask(2 * UNIT)).toMatchObject({ kind: "token", length: UNIT });
    expect(await ask(3 * UNIT)).toEqual({ kind: "zero", length: 5 * UNIT });
    // Room that was taken and not written is zeros, too.
    const reserved = await make(volume, "reserved");
    await reserved.setEndOfFile(UNIT);
    expect(await volume.offload.createToken(reserved, { offset: 0, length: UNIT }, 0)).toEqual({
      kind: "zero",
      length: UNIT,
    });
  });

  it("keeps to the limits of the array", async () => {
    const { volume, unit } = await volumeOn(new MemoryArray({ maximumRanges: 2, maximumTokenTransfer: 300 }), {
      allocationUnit: 4096,
    });
    const one = await make(volume, "one");
    const two = await make(volume, "two");
    for (let at = 0; at < 20; at++) {
      await one.write(at * 4096, Buffer.alloc(4096, at + 1));
      await two.write(at * 4096, Buffer.alloc(4096, 0x80 + at));
    }
    const target = await make(volume, "target");
    let done = 0;
    while (done < 20 * 4096) {
      const made = await volume.offload.createToken(one, { offset: done, length: 20 * 4096 - done }, 0);
      if (made?.kind !== "token") throw new Error("no token");
      expect(made.length).toBe(2 * 4096);
      done += await volume.offload.writeFromToken(target, done, made.token, 0, made.length, always);
    }
    expect((await contentOf(target)).equals(await contentOf(one))).toBe(true);
    expect(unit.copies).toBeGreaterThanOrEqual(10);
  });

  it("takes what the array did where it stops in the middle", async () => {
    const { volume, unit } = await volumeOn(new MemoryArray());
    const source = await make(volume, "source", Buffer.alloc(10 * UNIT, "s"));
    const target = await make(volume, "target", Buffer.alloc(UNIT, "t"));
    const { free } = volume.space();
    const token = await tokenOf(volume, source, 0, 10 * UNIT);
    const copy = unit.writeUsingToken.bind(unit);
    unit.writeUsingToken = async (request) => {
      const ranges = [{ lba: request.ranges[0]?.lba ?? 0, blocks: 3 * 128 + 5 }];
      return await copy({ ...request, ranges });
    };
    expect(await volume.offload.writeFromToken(target, UNIT, token, UNIT, 9 * UNIT, always)).toBe(3 * UNIT);
    expect(
      (await contentOf(target)).equals(Buffer.concat([Buffer.alloc(UNIT, "t"), Buffer.alloc(3 * UNIT, "s")])),
    ).toBe(true);
    expect(volume.space().free).toBe(free - 3 * UNIT);
  });

  it("leaves a pair alone that cannot copy, for three minutes", async () => {
    const near = await volumeOn(new MemoryArray());
    const far = await volumeOn(new MemoryArray());
    const source = await make(near.volume, "source", Buffer.alloc(UNIT, 1));
    const target = await make(far.volume, "target");
    const token = await tokenOf(near.volume, source, 0, UNIT);
    let commands = 0;
    far.unit.beforeCopy = () => {
      commands++;
      throw refusal("WRITE USING TOKEN", 0x08, 0x04);
    };
    const { free } = far.volume.space();
    const copy = () => far.volume.offload.writeFromToken(target, 0, token, 0, UNIT, always);
    for (let tries = 0; tries < 3; tries++) await expect(copy()).rejects.toThrow(status(NtStatus.DEVICE_UNREACHABLE));
    expect(commands).toBe(1);
    far.passes(180_000);
    await expect(copy()).rejects.toThrow(status(NtStatus.DEVICE_UNREACHABLE));
    expect(commands).toBe(2);
    expect(far.volume.space().free).toBe(free);
    // An unknown token says nothing of the pair.
    far.unit.beforeCopy = () => {};
    far.passes(180_000);
    for (let tries = 0; tries < 2; tries++) await expect(copy()).rejects.toThrow(status(NtStatus.INVALID_TOKEN));
    expect((await target.size()).endOfFile).toBe(0);
  });

  it("lets nothing that a lost copy still writes come after what is written next", async () => {
    const { volume, unit } = await volumeOn(new MemoryArray());
    const source = await make(volume, "source", Buffer.alloc(2 * UNIT, 1));
    const target = await make(volume, "target", Buffer.alloc(UNIT, 2));
    const token = await tokenOf(volume, source, 0, 2 * UNIT);
    const { free } = volume.space();
    const lossy = new LossyUnit(unit, [{ after: 0, fate: "all", bytes: 0, turns: 10, patient: true }]);
    const copy = volume.offload.writeFromToken(target, 0, token, 0, 2 * UNIT, always);
    await expect(copy).rejects.toThrow(status(NtStatus.IO_DEVICE_ERROR));
    // The copy is not dead: the room that it was to fill goes to nobody.
    expect(volume.space().free).toBe(free - UNIT);
    await target.write(0, Buffer.alloc(UNIT, 3));
    expect(volume.space().free).toBe(free);
    expect((await contentOf(target)).equals(Buffer.alloc(UNIT, 3))).toBe(true);
    await lossy.release();
  });

  it("says at once that the range of a lost copy cannot be had, as with any range while the unit is missing", async () => {
    const { volume, unit } = await volumeOn(new MemoryArray());
    const source = await make(volume, "source", Buffer.alloc(UNIT, 1));
    const target = await make(volume, "target", Buffer.alloc(UNIT, 2));
    const token = await tokenOf(volume, source, 0, UNIT);
    const lossy = new LossyUnit(unit, [{ after: 0, fate: "all", bytes: 0, turns: 10, patient: false }]);
    const copy = volume.offload.writeFromToken(target, 0, token, 0, UNIT, always);
    await expect(copy).rejects.toThrow(status(NtStatus.IO_DEVICE_ERROR));
    await expect(contentOf(target)).rejects.toThrow(status(NtStatus.IO_DEVICE_ERROR));
    await lossy.quiet();
    expect((await contentOf(target)).equals(Buffer.alloc(UNIT, 1))).toBe(true);
    await lossy.release();
  });

  it("says when a token does not keep the data, and where there are no tokens", async () => {
    const live = await volumeOn(new MemoryArray({}, { rodType: RodType.ACCESS_UPON_REFERENCE }));
    const source = await make(live.volume, "source", Buffer.alloc(UNIT, 1));
    expect(await live.volume.offload.createToken(source, { offset: 0, length: UNIT }, 0)).toMatchObject({
      kind: "token",
      pointInTime: false,
    });
    live.unit.beforePopulate = () => {
      throw refusal("POPULATE TOKEN", 0x20, 0x00);
    };
    expect(await live.volume.offload.createToken(source, { offset: 0, length: UNIT }, 0)).toBeUndefined();
    live.unit.beforePopulate = () => {
      throw new Error("asked again");
    };
    expect(await live.volume.offload.createToken(source, { offset: 0, length: UNIT }, 0)).toBeUndefined();
  });

  it("copies by the array for who copies without a token", async () => {
    const { volume, unit } = await volumeOn(new MemoryArray());
    const content = Buffer.alloc(3 * MEBIBYTE + 10, "c");
    const source = await make(volume, "source", content);
    const target = await make(volume, "target");
    const before = unit.bytesRead;
    const told: [string, number][] = [];
    const tell: TellCopied = (by, bytes) => void told.push([by, bytes]);
    expect(await target.copyFrom(source, 0, 0, content.length, tell)).toBe(content.length);
    expect(unit.bytesRead - before).toBeLessThan(UNIT);
    expect((await contentOf(target)).equals(content)).toBe(true);
    // What is no whole block is not worth a command to the array.
    expect(told.splice(0)).toEqual([
      ["array", 3 * MEBIBYTE],
      ["process", 10],
    ]);
    unit.beforeCopy = () => {
      throw refusal("WRITE USING TOKEN", 0x08, 0x04);
    };
    const other = await make(volume, "other");
    expect(await other.copyFrom(source, 0, 0, content.length, tell)).toBe(content.length);
    expect((await contentOf(other)).equals(content)).toBe(true);
    expect(told.splice(0)).toEqual([["process", content.length]]);
    const hole = await make(volume, "hole");
    await hole.setSparse(true);
    await hole.setEndOfFile(MEBIBYTE);
    expect(await other.copyFrom(hole, 0, 0, MEBIBYTE, tell)).toBe(MEBIBYTE);
    expect(told).toEqual([["zero", MEBIBYTE]]);
  });

  it("leaves copies from another array to others, once it has been tried", async () => {
    const near = await volumeOn(new MemoryArray());
    const far = await volumeOn(new MemoryArray());
    const content = Buffer.alloc(MEBIBYTE, "c");
    const source = await make(near.volume, "source", content);
    const target = await make(far.volume, "target");
    expect(await target.copyFrom(source, 0, 0, content.length)).toBe(content.length);
    expect((await contentOf(target)).equals(content)).toBe(true);
    expect(target.copyFrom(source, 0, 0, content.length)).toBeUndefined();
    far.passes(180_000);
    expect(target.copyFrom(source, 0, 0, content.length)).toBeDefined();
  });

  it("does what a copy in memory does, whatever is copied where", { timeout: 120_000 }, async () => {
    const block = 512;
    const operation = fc.record({
      from: fc.nat(200).map((blocks) => blocks * block),
      to: fc.nat(300).map((blocks) => blocks * block),
      length: fc.integer({ min: 1, max: 150 }).map((blocks) => blocks * block),
      skip: fc.nat(20).map((blocks) => blocks * block),
      change: fc.record({ at: fc.nat(60_000), length: fc.integer({ min: 1, max: 30_000 }), zero: fc.boolean() }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (operations, sparse) => {
          const array = new MemoryArray({ maximumRanges: 3, maximumTokenTransfer: 100 });
          const { volume } = await volumeOn(array, { allocationUnit: 4096, luns: 2, size: 4 * MEBIBYTE });
          const source = await make(volume, "source");
          const target = await make(volume, "target");
          await source.setSparse(sparse);
          await target.setSparse(sparse);
          await source.setEndOfFile(200_000 - (200_000 % block));
          let model = Buffer.alloc(200_000 - (200_000 % block));
          let copied = Buffer.alloc(0);
          for (const [index, { from, to, length, skip, change }] of operations.entries()) {
            if (change.zero) {
              await source.zero({ offset: change.at, length: change.length });
              model.fill(0, change.at, change.at + change.length);
            } else {
              const data = Buffer.alloc(change.length, index + 1);
              await source.write(change.at, data);
              model = Buffer.from(model);
              data.copy(model, change.at);
            }
            const range = { offset: from, length: Math.min(length, model.length - from) };
            if (range.length <= 0) continue;
            const made = await volume.offload.createToken(source, range, 0);
            if (made === undefined) throw new Error("no token");
            const kept = Buffer.from(model.subarray(from, from + made.length));
            if (made.kind === "zero") {
              expect(kept.every((byte) => byte === 0)).toBe(true);
              continue;
            }
            await source.write(from, Buffer.alloc(Math.min(1000, range.length), 0xee));
            model.fill(0xee, from, from + Math.min(1000, range.length));
            const wanted = made.length - skip;
            if (wanted <= 0) continue;
            const done = await volume.offload.writeFromToken(target, to, made.token, skip, wanted, always);
            expect(done).toBe(wanted);
            const grown = Buffer.alloc(Math.max(copied.length, to + done));
            copied.copy(grown);
            kept.copy(grown, to, skip, skip + done);
            copied = grown;
            expect((await contentOf(target)).equals(copied)).toBe(true);
          }
          expect((await contentOf(source)).equals(model)).toBe(true);
          for (const { fixture, volume: mounted } of open.splice(0)) {
            await mounted.close();
            const store = new CatalogueStore(fixture.folder);
            expect(checkCatalogue(store).problems).toEqual([]);
            await store.close();
            await fixture.dispose();
          }
        },
      ),
      { numRuns: Number(process.env.TESSERA_OFFLOAD_RUNS ?? 60) },
    );
  });
});
