// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { copyRange } from "../../src/offload/copier.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import type { ByteRange, Volume, VolumeStream } from "../../src/vfs/volume.ts";
import { temporaryVolume } from "../vfs/posix/support.ts";

const MIB = 1024 * 1024;

async function makeStream(volume: Volume, name: string): Promise<VolumeStream> {
  const { file } = await volume.create([name], { directory: false, attributes: 0 });
  const stream = await file.openStream("");
  if (stream === undefined) throw new Error("no stream");
  await stream.setSparse(true);
  return stream;
}

/** Data of 64 KiB at each of these offsets, up to the size. */
async function fill(stream: VolumeStream, size: number, offsets: readonly number[]): Promise<void> {
  await stream.setEndOfFile(size);
  for (const [index, offset] of offsets.entries()) await stream.write(offset, Buffer.alloc(65_536, index + 1));
}

const allocated = (stream: VolumeStream, size: number) => stream.allocatedRanges({ offset: 0, length: size }, 100);

/** Between kinds of volumes that know nothing of each other: all goes through this process. */
const pairs: readonly [string, () => Promise<[Volume, Volume]>][] = [
  ["a folder to memory", async () => [(await temporaryVolume()).volume, new MemoryVolume()]],
  ["memory to a folder", async () => [new MemoryVolume(), (await temporaryVolume()).volume]],
];

describe.each(pairs)("a copy through the process from %s", (_, make) => {
  const size = 10 * MIB + 1000;
  const offsets = [65_536, 3 * MIB, 3 * MIB + 65_536, 9 * MIB];

  it("brings data and holes as they are", async () => {
    const [from, to] = await make();
    const source = await makeStream(from, "source");
    const target = await makeStream(to, "target");
    await fill(source, size, offsets);
    const zeros = size - offsets.length * 65_536;
    expect(await copyRange(source, 0, target, 0, size)).toEqual({
      bytes: size,
      ways: new Map([
        ["zero", zeros],
        ["process", size - zeros],
      ]),
    });
    expect((await target.size()).endOfFile).toBe(size);
    const expected: ByteRange[] = [
      { offset: 65_536, length: 65_536 },
      { offset: 3 * MIB, length: 131_072 },
      { offset: 9 * MIB, length: 65_536 },
    ];
    expect(await allocated(source, size)).toEqual(expected);
    expect(await allocated(target, size)).toEqual(expected);
    const [wanted, got] = [Buffer.alloc(size), Buffer.alloc(size)];
    await source.read(0, wanted);
    await target.read(0, got);
    expect(got.equals(wanted)).toBe(true);
  });

  it("makes holes where the target had data, and shifts them", async () => {
    const [from, to] = await make();
    const source = await makeStream(from, "source");
    const target = await makeStream(to, "target");
    await fill(source, 2 * MIB, [MIB]);
    await target.write(0, Buffer.alloc(4 * MIB, 0xee));
    expect(await copyRange(source, 0, target, MIB, 2 * MIB)).toEqual({
      bytes: 2 * MIB,
      ways: new Map([
        ["zero", 2 * MIB - 65_536],
        ["process", 65_536],
      ]),
    });
    const got = Buffer.alloc(4 * MIB);
    await target.read(0, got);
    const expected = Buffer.alloc(4 * MIB, 0xee);
    expected.fill(0, MIB, 3 * MIB);
    expected.fill(1, 2 * MIB, 2 * MIB + 65_536);
    expect(got.equals(expected)).toBe(true);
    expect(await allocated(target, 4 * MIB)).toHaveLength(3);
  });

  it("ends where the source ends, also in a hole", async () => {
    const [from, to] = await make();
    const source = await makeStream(from, "source");
    const target = await makeStream(to, "target");
    await fill(source, MIB + 1, [0]);
    expect((await copyRange(source, 0, target, 0, 5 * MIB)).bytes).toBe(MIB + 1);
    expect((await target.size()).endOfFile).toBe(MIB + 1);
    expect((await copyRange(source, 2 * MIB, target, 0, 5 * MIB)).bytes).toBe(0);
  });
});
