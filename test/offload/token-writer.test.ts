// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { PinnedSource } from "../../src/offload/token-source.ts";
import { type CopyTarget, copyFromSource } from "../../src/offload/token-writer.ts";
import type { ByteRange, Volume, VolumeStream } from "../../src/vfs/volume.ts";
import { temporaryVolume } from "../vfs/posix/support.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

async function makeStream(volume: Volume, name: string): Promise<VolumeStream> {
  const { file } = await volume.create([name], { directory: false, attributes: 0 });
  const stream = await file.openStream("");
  if (stream === undefined) throw new Error("no stream");
  await stream.setSparse(true);
  return stream;
}

/** A copy into an empty file of the same volume, whose calls to the storage take `milliseconds` each. */
async function start(size: number, fill: (source: VolumeStream) => Promise<void>, milliseconds: number) {
  const { volume } = await temporaryVolume();
  const source = await makeStream(volume, "source");
  await fill(source);
  await source.setEndOfFile(size);
  const stream = await makeStream(volume, "target");
  await stream.setEndOfFile(size);
  const ranges: ByteRange[] = [];
  let now = 0;
  const target: CopyTarget = {
    // As if blocks could not be shared, wherever the test runs.
    volume: { info: volume.info },
    stream,
    change: (range, work) => {
      ranges.push(range);
      now += milliseconds;
      return work();
    },
  };
  const copy = (bytes: number) =>
    copyFromSource(new PinnedSource(volume, source, size), 0, target, 0, size, {
      bytes,
      goesOn: () => true,
      now: () => now,
    });
  return { source, stream, ranges, copy };
}

describe("a copy by a token", () => {
  it("takes larger pieces while they are quick, and no more bytes than it may", async () => {
    const size = 128 * MIB;
    const data = Buffer.alloc(size, 7);
    const { ranges, copy } = await start(size, async (source) => source.write(0, data), 1);
    expect((await copy(100 * MIB)).done).toBe(100 * MIB);
    expect(ranges.map(({ length }) => length / MIB)).toEqual([8, 16, 32, 32, 12]);
  });

  it("keeps to small pieces where they are slow", async () => {
    const { ranges, copy } = await start(24 * MIB, async (source) => source.write(0, Buffer.alloc(24 * MIB, 7)), 60);
    await copy(GIB);
    expect(ranges.map(({ length }) => length / MIB)).toEqual([8, 8, 8]);
  });

  it("keeps to small pieces of zeros where storage has to write them", async () => {
    const { stream, ranges, copy } = await start(24 * MIB, async () => {}, 120);
    await stream.write(0, Buffer.alloc(24 * MIB, 7));
    expect((await copy(GIB)).done).toBe(24 * MIB);
    expect(ranges.map(({ length }) => length / MIB)).toEqual([8, 8, 8]);
  });

  it("passes over holes of any length in a few steps", async () => {
    const size = 64 * GIB;
    const data = Buffer.alloc(MIB, 7);
    const { stream, ranges, copy } = await start(size, async (source) => source.write(40 * GIB, data), 1);
    const { done, ways } = await copy(GIB);
    expect(done).toBe(size);
    expect(ways.get("zero")).toBeGreaterThan(size - 33 * MIB);
    expect(ranges.length).toBeLessThan(24);
    expect(await stream.allocatedRanges({ offset: 0, length: size }, 10)).toEqual([{ offset: 40 * GIB, length: MIB }]);
    const got = Buffer.alloc(MIB);
    await stream.read(40 * GIB, got);
    expect(got.equals(data)).toBe(true);
  });
});
