// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileAttribute, FileSystemAttribute } from "../../../src/nt/attributes.ts";
import type { VolumeFile, VolumeStream } from "../../../src/vfs/volume.ts";
import { closeAll, contentOf, type Harness, has, MEBIBYTE, makeFile, openStream } from "./harness.ts";

/** Bytes that tell their place. */
function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + (index >>> 8) * 7 + seed) & 0xff;
  return bytes;
}

async function open(harness: Harness, name = "file"): Promise<{ file: VolumeFile; stream: VolumeStream }> {
  const file = await makeFile(harness, [name]);
  return { file, stream: await openStream(file) };
}

async function readAt(stream: VolumeStream, offset: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  const count = await stream.read(offset, target);
  return target.subarray(0, count);
}

export function dataCases(harness: Harness): void {
  describe("data", () => {
    it("are read as they were written", async () => {
      const { file, stream } = await open(harness);
      expect(stream.name).toBe("");
      const data = pattern(3 * MEBIBYTE + 17);
      await stream.write(0, data);
      expect((await contentOf(stream)).equals(data)).toBe(true);
      expect((await readAt(stream, MEBIBYTE - 5, 10)).equals(data.subarray(MEBIBYTE - 5, MEBIBYTE + 5))).toBe(true);
      await stream.write(65_530, pattern(20, 99));
      pattern(20, 99).copy(data, 65_530);
      expect((await contentOf(stream)).equals(data)).toBe(true);
      await closeAll(stream, file);
    });

    it("end at the end of file", async () => {
      const { file, stream } = await open(harness);
      expect(await readAt(stream, 0, 10)).toHaveLength(0);
      await stream.write(0, Buffer.from("0123456789"));
      expect((await readAt(stream, 5, 100)).toString()).toBe("56789");
      expect(await readAt(stream, 10, 1)).toHaveLength(0);
      expect(await readAt(stream, 1e9, 1)).toHaveLength(0);
      expect(await readAt(stream, 5, 0)).toHaveLength(0);
      await closeAll(stream, file);
    });

    it("are not changed by what the caller does to its buffer afterwards", async () => {
      const { file, stream } = await open(harness);
      const data = Buffer.from("unchanged");
      await stream.write(0, data);
      data.fill(0);
      expect((await contentOf(stream)).toString()).toBe("unchanged");
      await closeAll(stream, file);
    });

    it("are zero where nothing was written", async () => {
      const { file, stream } = await open(harness);
      await stream.write(300_000, Buffer.from("end"));
      expect((await stream.size()).endOfFile).toBe(300_003);
      expect((await readAt(stream, 0, 300_000)).equals(Buffer.alloc(300_000))).toBe(true);
      expect((await file.stat()).endOfFile).toBe(300_003);
      await closeAll(stream, file);
    });

    it("are not extended by an empty write", async () => {
      const { file, stream } = await open(harness);
      await stream.write(100, Buffer.alloc(0));
      expect((await stream.size()).endOfFile).toBe(0);
      await closeAll(stream, file);
    });

    it("can be cut and extended, and come back as zeros", async () => {
      const { file, stream } = await open(harness);
      await stream.write(0, pattern(100_000));
      await stream.setEndOfFile(10);
      expect((await stream.size()).endOfFile).toBe(10);
      await stream.setEndOfFile(100_000);
      const content = await contentOf(stream);
      expect(content.subarray(0, 10).equals(pattern(10))).toBe(true);
      expect(content.subarray(10).equals(Buffer.alloc(99_990))).toBe(true);
      await stream.setEndOfFile(0);
      expect(await stream.size()).toMatchObject({ endOfFile: 0 });
      await closeAll(stream, file);
    });

    it("have room reserved, without a change of size", async () => {
      const { file, stream } = await open(harness);
      await stream.write(0, Buffer.from("abc"));
      await stream.setAllocation(MEBIBYTE);
      expect((await stream.size()).endOfFile).toBe(3);
      expect((await stream.size()).allocationSize).toBeGreaterThanOrEqual(3);
      expect((await contentOf(stream)).toString()).toBe("abc");
      await stream.setAllocation(3);
      expect((await stream.size()).endOfFile).toBe(3);
      await stream.write(0, pattern(2 * MEBIBYTE));
      await stream.setAllocation(100);
      const { endOfFile } = await stream.size();
      expect(endOfFile).toBeGreaterThanOrEqual(100);
      expect(endOfFile).toBeLessThanOrEqual(harness.volume.info.allocationUnit);
      await closeAll(stream, file);
    });

    it("are counted in the sizes of the file", async () => {
      const { file, stream } = await open(harness);
      await stream.write(0, pattern(100_000));
      await stream.flush();
      const size = await stream.size();
      expect(size.allocationSize).toBeGreaterThanOrEqual(100_000);
      expect(await file.stat()).toMatchObject({ endOfFile: 100_000 });
      expect((await file.stat()).allocationSize).toBeGreaterThanOrEqual(100_000);
      await closeAll(stream, file);
    });
  });

  describe("zero and sparse", () => {
    it("zeros a range and never extends", async () => {
      const { file, stream } = await open(harness);
      const data = pattern(400_000);
      await stream.write(0, data);
      await stream.zero({ offset: 1000, length: 200_001 });
      data.fill(0, 1000, 201_001);
      expect((await contentOf(stream)).equals(data)).toBe(true);
      await stream.zero({ offset: 399_990, length: 1_000_000 });
      data.fill(0, 399_990);
      expect((await contentOf(stream)).equals(data)).toBe(true);
      await stream.zero({ offset: 500_000, length: 10 });
      await stream.zero({ offset: 5, length: 0 });
      expect((await contentOf(stream)).equals(data)).toBe(true);
      await closeAll(stream, file);
    });

    it("says so in the attributes", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_SPARSE_FILES)) return context.skip();
      const { file, stream } = await open(harness);
      const sparse = async () => ((await file.stat()).attributes & FileAttribute.SPARSE_FILE) !== 0;
      expect(await sparse()).toBe(false);
      await stream.setSparse(true);
      expect(await sparse()).toBe(true);
      await file.setBasic({ attributes: FileAttribute.ARCHIVE });
      expect(await sparse()).toBe(true);
      await stream.setSparse(false);
      expect(await sparse()).toBe(false);
      await closeAll(stream, file);
    });

    it("knows where data are", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_SPARSE_FILES)) return context.skip();
      const { file, stream } = await open(harness);
      await stream.setSparse(true);
      await stream.setEndOfFile(16 * MEBIBYTE);
      await stream.write(4 * MEBIBYTE, pattern(MEBIBYTE));
      await stream.write(12 * MEBIBYTE, pattern(10));
      await stream.flush();
      const all = await stream.allocatedRanges({ offset: 0, length: 16 * MEBIBYTE }, 100);
      expect(all).toHaveLength(2);
      const [first, second] = all;
      expect(first?.offset).toBeLessThanOrEqual(4 * MEBIBYTE);
      expect(first?.offset).toBeGreaterThan(3 * MEBIBYTE);
      expect((first?.offset ?? 0) + (first?.length ?? 0)).toBeGreaterThanOrEqual(5 * MEBIBYTE);
      expect(second?.offset).toBeLessThanOrEqual(12 * MEBIBYTE);
      expect((second?.offset ?? 0) + (second?.length ?? 0)).toBeGreaterThanOrEqual(12 * MEBIBYTE + 10);
      expect((second?.offset ?? 0) + (second?.length ?? 0)).toBeLessThan(13 * MEBIBYTE);
      expect(await stream.allocatedRanges({ offset: 0, length: 16 * MEBIBYTE }, 1)).toEqual([first]);
      expect(await stream.allocatedRanges({ offset: 4 * MEBIBYTE + 100, length: 1000 }, 10)).toEqual([
        { offset: 4 * MEBIBYTE + 100, length: 1000 },
      ]);
      expect(await stream.allocatedRanges({ offset: 7 * MEBIBYTE, length: MEBIBYTE }, 10)).toEqual([]);
      expect(await stream.allocatedRanges({ offset: 20 * MEBIBYTE, length: MEBIBYTE }, 10)).toEqual([]);
      expect((await stream.size()).allocationSize).toBeLessThan(4 * MEBIBYTE);
      await closeAll(stream, file);
    });

    it("makes holes of zeroed ranges", async (context) => {
      if (!has(harness, FileSystemAttribute.SUPPORTS_SPARSE_FILES)) return context.skip();
      const { file, stream } = await open(harness);
      await stream.setSparse(true);
      const data = pattern(4 * MEBIBYTE);
      await stream.write(0, data);
      await stream.zero({ offset: MEBIBYTE, length: 2 * MEBIBYTE });
      data.fill(0, MEBIBYTE, 3 * MEBIBYTE);
      await stream.flush();
      expect(await stream.allocatedRanges({ offset: 0, length: 4 * MEBIBYTE }, 10)).toEqual([
        { offset: 0, length: MEBIBYTE },
        { offset: 3 * MEBIBYTE, length: MEBIBYTE },
      ]);
      expect((await stream.size()).allocationSize).toBeLessThan(3 * MEBIBYTE);
      expect((await contentOf(stream)).equals(data)).toBe(true);
      await closeAll(stream, file);
    });

    it("has no holes in a file that is not sparse", async () => {
      const { file, stream } = await open(harness);
      await stream.write(0, pattern(2 * MEBIBYTE));
      await stream.zero({ offset: 0, length: MEBIBYTE });
      const ranges = await stream.allocatedRanges({ offset: 0, length: 4 * MEBIBYTE }, 10);
      expect(ranges).toEqual([{ offset: 0, length: 2 * MEBIBYTE }]);
      await closeAll(stream, file);
    });
  });

  describe("copyFrom", () => {
    it("copies between files, as far as the source goes", async (context) => {
      const source = await open(harness, "source");
      const target = await open(harness, "target");
      const data = pattern(MEBIBYTE + 5);
      await source.stream.write(0, data);
      await target.stream.write(0, Buffer.from("0123456789"));
      let told = 0;
      const copied = target.stream.copyFrom(source.stream, 1000, 5, 700_000, (_, bytes) => {
        told += bytes;
      });
      if (copied === undefined) {
        await closeAll(source.stream, source.file, target.stream, target.file);
        return context.skip();
      }
      expect(await copied).toBe(700_000);
      expect(told).toBe(700_000);
      const expected = Buffer.concat([Buffer.from("01234"), data.subarray(1000, 701_000)]);
      expect((await contentOf(target.stream)).equals(expected)).toBe(true);
      expect(await target.stream.copyFrom(source.stream, MEBIBYTE, 0, 100)).toBe(5);
      data.copy(expected, 0, MEBIBYTE);
      expect((await contentOf(target.stream)).equals(expected)).toBe(true);
      expect(await target.stream.copyFrom(source.stream, 2 * MEBIBYTE, 0, 100)).toBe(0);
      expect((await contentOf(source.stream)).equals(data)).toBe(true);
      await closeAll(source.stream, source.file, target.stream, target.file);
    });

    it.each([
      [0, 1000],
      [1000, 0],
      [0, 65_536],
      [65_536, 0],
      [0, 300_000],
      [123, 123],
    ])("copies within a file from %i to %i as it was before", async (from, to) => {
      const { file, stream } = await open(harness);
      const data = pattern(800_000);
      await stream.write(0, data);
      const copied = stream.copyFrom(stream, from, to, 400_000);
      if (copied !== undefined) {
        expect(await copied).toBe(400_000);
        pattern(800_000).copy(data, to, from, from + 400_000);
      }
      expect((await contentOf(stream)).equals(data)).toBe(true);
      await closeAll(stream, file);
    });

    it.each([
      [0, 5000],
      [5000, 0],
    ])("copies much within a file from %i to %i as it was before", async (from, to) => {
      const { file, stream } = await open(harness);
      const data = pattern(4 * MEBIBYTE);
      await stream.write(0, data);
      const copied = stream.copyFrom(stream, from, to, 3 * MEBIBYTE);
      if (copied !== undefined) {
        expect(await copied).toBe(3 * MEBIBYTE);
        Buffer.from(data).copy(data, to, from, from + 3 * MEBIBYTE);
      }
      expect((await contentOf(stream)).equals(data)).toBe(true);
      await closeAll(stream, file);
    });

    it("copies holes as zeros", async (context) => {
      const source = await open(harness, "source");
      const target = await open(harness, "target");
      await source.stream.setSparse(true);
      await source.stream.write(2 * MEBIBYTE, Buffer.from("data"));
      await target.stream.write(0, pattern(MEBIBYTE));
      const copied = target.stream.copyFrom(source.stream, 0, 0, 2 * MEBIBYTE + 4);
      if (copied === undefined) {
        await closeAll(source.stream, source.file, target.stream, target.file);
        return context.skip();
      }
      expect(await copied).toBe(2 * MEBIBYTE + 4);
      expect((await contentOf(target.stream)).equals(await contentOf(source.stream))).toBe(true);
      expect((await target.stream.size()).endOfFile).toBe(2 * MEBIBYTE + 4);
      await closeAll(source.stream, source.file, target.stream, target.file);
    });
  });
}
