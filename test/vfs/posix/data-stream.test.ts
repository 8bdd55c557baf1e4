// SPDX-License-Identifier: Apache-2.0

import { chmodSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import { fails } from "../contract/harness.ts";
import { makeFile, mustOpen, mustOpenStream, read, temporaryFolder, temporaryVolume } from "./support.ts";

const MEBIBYTE = 1024 * 1024;
const EXT4_MAGIC = 0xef53;
const TMPFS_MAGIC = 0x01021994;

describe("data of files", () => {
  it("are read on this thread once they are in memory", async () => {
    const { volume, root } = await temporaryVolume();
    writeFileSync(join(root, "file"), Buffer.alloc(MEBIBYTE, 7));
    const stream = await mustOpenStream(mustOpen(volume, "file"));
    const target = Buffer.alloc(MEBIBYTE);
    expect(stream.read(0, target)).toBe(MEBIBYTE);
    expect(target.equals(Buffer.alloc(MEBIBYTE, 7))).toBe(true);
    expect(stream.read(MEBIBYTE - 10, target)).toBe(10);
    expect(stream.read(MEBIBYTE, target)).toBe(0);
  });

  it("give others a turn between the pieces of a long read, and end where the file does", async () => {
    const { volume, root } = await temporaryVolume();
    const data = Buffer.alloc(3 * MEBIBYTE + 100);
    for (let at = 0; at < data.length; at += 4) data.writeUInt32LE(at, at);
    writeFileSync(join(root, "file"), data);
    const stream = await mustOpenStream(mustOpen(volume, "file"));
    const target = Buffer.alloc(8 * MEBIBYTE, 1);
    let turns = 0;
    const reading = Promise.resolve(stream.read(4, target)).finally(() => {
      turns = -turns;
    });
    while (turns >= 0 && turns < 1000) {
      turns++;
      await new Promise(setImmediate);
    }
    expect(await reading).toBe(data.length - 4);
    expect(target.subarray(0, data.length - 4).equals(data.subarray(4))).toBe(true);
    expect(target.subarray(data.length - 4).equals(Buffer.alloc(target.length - data.length + 4, 1))).toBe(true);
    expect(turns).toBeLessThanOrEqual(-2);
  });

  it("reach the disk in full, however they are written", async () => {
    const { volume, root } = await temporaryVolume();
    const stream = await mustOpenStream(makeFile(volume, "file"));
    const expected = Buffer.alloc(3 * MEBIBYTE);
    const writes: [number, number][] = [
      [0, 10],
      [65_536, 65_536],
      [200_000, 2 * MEBIBYTE],
      [3 * MEBIBYTE - 1, 1],
    ];
    for (const [index, [offset, length]] of writes.entries()) {
      expected.fill(index + 1, offset, offset + length);
      await stream.write(offset, expected.subarray(offset, offset + length));
    }
    await stream.flush();
    expect(readFileSync(join(root, "file")).equals(expected)).toBe(true);
  });

  it("can be closed while a call is under way", async () => {
    const { volume, root } = await temporaryVolume();
    const file = makeFile(volume, "file");
    const stream = await mustOpenStream(file);
    const data = Buffer.alloc(4 * MEBIBYTE, 5);
    const writing = stream.write(0, data);
    stream.close();
    file.close();
    await writing;
    expect(readFileSync(join(root, "file")).equals(data)).toBe(true);
  });

  it("stay readable when the file may only be read", async (context) => {
    if (process.geteuid?.() === 0) return context.skip();
    const { volume, root } = await temporaryVolume();
    writeFileSync(join(root, "file"), "data");
    chmodSync(join(root, "file"), 0o444);
    const stream = await mustOpenStream(mustOpen(volume, "file"));
    expect((await read(stream)).toString()).toBe("data");
    await fails(() => stream.write(0, Buffer.from("x")), NtStatus.ACCESS_DENIED);
  });

  it("mark the file as to be archived", async () => {
    const { volume } = await temporaryVolume();
    const file = makeFile(volume, "file");
    await file.setBasic({ attributes: FileAttribute.HIDDEN });
    const stream = await mustOpenStream(file);
    await stream.read(0, Buffer.alloc(1));
    expect((await file.stat()).attributes).toBe(FileAttribute.HIDDEN);
    await stream.write(0, Buffer.from("x"));
    expect((await file.stat()).attributes).toBe(FileAttribute.HIDDEN | FileAttribute.ARCHIVE);
  });

  it("are refused on a volume that is only read", async () => {
    const { root } = await temporaryVolume();
    writeFileSync(join(root, "file"), "data");
    const { volume } = await temporaryVolume({ root, readOnly: true });
    const stream = await mustOpenStream(mustOpen(volume, "file"));
    await fails(() => stream.write(0, Buffer.from("x")), NtStatus.MEDIA_WRITE_PROTECTED);
    await fails(() => stream.setEndOfFile(0), NtStatus.MEDIA_WRITE_PROTECTED);
    await fails(() => stream.setAllocation(0), NtStatus.MEDIA_WRITE_PROTECTED);
    await fails(() => stream.zero({ offset: 0, length: 1 }), NtStatus.MEDIA_WRITE_PROTECTED);
    await fails(() => makeFile(volume, "other"), NtStatus.MEDIA_WRITE_PROTECTED);
    expect(readFileSync(join(root, "file")).toString()).toBe("data");
  });
});

describe("copies inside the server", () => {
  it("go between volumes", async () => {
    const one = await temporaryVolume();
    const two = await temporaryVolume();
    writeFileSync(join(one.root, "source"), Buffer.alloc(3 * MEBIBYTE, 9));
    const source = await mustOpenStream(mustOpen(one.volume, "source"));
    const target = await mustOpenStream(makeFile(two.volume, "target"));
    expect(await target.copyFrom(source, 0, 0, 10 * MEBIBYTE)).toBe(3 * MEBIBYTE);
    expect(await target.copyFrom(source, 10 * MEBIBYTE, 0, 1)).toBe(0);
    expect(readFileSync(join(two.root, "target")).equals(Buffer.alloc(3 * MEBIBYTE, 9))).toBe(true);
  });

  it.each([
    [0, 1000],
    [1000, 0],
    [0, 2 * MEBIBYTE - 1],
    [0, 0],
  ])("from %d to %d give the source as it was", async (from, to) => {
    const { volume, root } = await temporaryVolume();
    const before = Buffer.alloc(4 * MEBIBYTE);
    for (let index = 0; index < before.length; index++) before[index] = (index * 7 + (index >>> 10)) & 0xff;
    writeFileSync(join(root, "file"), before);
    const stream = await mustOpenStream(mustOpen(volume, "file"));
    expect(await stream.copyFrom(stream, from, to, 2 * MEBIBYTE)).toBe(2 * MEBIBYTE);
    const after = Buffer.from(before);
    before.copy(after, to, from, from + 2 * MEBIBYTE);
    expect(readFileSync(join(root, "file")).equals(after)).toBe(true);
  });

  it("come without the zeros of holes into a target that has none there, and with them where it has data", async () => {
    const { volume, root } = await temporaryVolume();
    const size = 16 * MEBIBYTE;
    const source = await mustOpenStream(makeFile(volume, "source"));
    await source.write(2 * MEBIBYTE, Buffer.alloc(MEBIBYTE, 1));
    await source.setEndOfFile(size);
    const expected = readFileSync(join(root, "source"));
    const written = Buffer.alloc(size, 9);
    for (const [name, before] of Object.entries({ empty: undefined, long: size, short: 3 * MEBIBYTE + 5 })) {
      const target = await mustOpenStream(makeFile(volume, name));
      if (before !== undefined) await target.write(0, written.subarray(0, before));
      expect(await target.copyFrom(source, 0, 0, size)).toBe(size);
      expect(readFileSync(join(root, name)).equals(expected)).toBe(true);
    }
    expect(statSync(join(root, "empty")).blocks * 512).toBeLessThan(2 * MEBIBYTE);
  });

  it("keep holes where the target is sparse", async () => {
    const { volume, root } = await temporaryVolume();
    const source = await mustOpenStream(makeFile(volume, "source"));
    await source.setSparse(true);
    await source.write(8 * MEBIBYTE, Buffer.alloc(MEBIBYTE, 1));
    await source.setEndOfFile(16 * MEBIBYTE);
    const target = await mustOpenStream(makeFile(volume, "target"));
    await target.setSparse(true);
    await target.write(0, Buffer.alloc(4 * MEBIBYTE, 2));
    expect(await target.copyFrom(source, 0, 0, 16 * MEBIBYTE)).toBe(16 * MEBIBYTE);
    await target.flush();
    expect((await target.size()).endOfFile).toBe(16 * MEBIBYTE);
    expect(await target.allocatedRanges({ offset: 0, length: 16 * MEBIBYTE }, 10)).toEqual([
      { offset: 8 * MEBIBYTE, length: MEBIBYTE },
    ]);
    expect(statSync(join(root, "target")).blocks * 512).toBeLessThan(2 * MEBIBYTE);
    expect((await read(target)).equals(await read(source))).toBe(true);
  });

  it("become zeros without a write where the file system can only punch holes", async (context) => {
    const root = temporaryFolder("/dev/shm");
    if (statfsSync(root).type !== TMPFS_MAGIC) return context.skip("no tmpfs here");
    const { volume } = await temporaryVolume({ root });
    const stream = await mustOpenStream(makeFile(volume, "file"));
    await stream.write(0, Buffer.alloc(MEBIBYTE, 7));
    await stream.zero({ offset: 4096, length: MEBIBYTE - 8192 });
    expect((await stream.size()).allocationSize).toBe(8192);
    const expected = Buffer.alloc(MEBIBYTE)
      .fill(7, 0, 4096)
      .fill(7, MEBIBYTE - 4096);
    expect((await read(stream)).equals(expected)).toBe(true);
  });

  it("leave no room reserved behind the target when the source becomes shorter in the middle of a copy", async (context) => {
    const { volume, root } = await temporaryVolume();
    if (statfsSync(root).type !== EXT4_MAGIC) return context.skip("room is reserved on ext4 alone");
    writeFileSync(join(root, "source"), Buffer.alloc(8 * MEBIBYTE, 7));
    const source = await mustOpenStream(mustOpen(volume, "source"));
    const target = await mustOpenStream(makeFile(volume, "target"));
    const copied = target.copyFrom(source, 0, 0, 8 * MEBIBYTE);
    // The room is being reserved; nothing has been copied yet.
    await source.setEndOfFile(MEBIBYTE);
    expect(await copied).toBe(MEBIBYTE);
    expect(await target.size()).toEqual({ endOfFile: MEBIBYTE, allocationSize: MEBIBYTE });
  });

  it("are copied as far as they go when the source becomes shorter in the middle of a copy", async () => {
    const { volume } = await temporaryVolume();
    const source = await mustOpenStream(makeFile(volume, "source"));
    await source.write(MEBIBYTE, Buffer.alloc(MEBIBYTE, 7));
    const target = await mustOpenStream(makeFile(volume, "target"));
    await target.setSparse(true);
    const copied = target.copyFrom(source, 0, 0, 2 * MEBIBYTE);
    // The hole before the data is being made.
    await source.setEndOfFile(MEBIBYTE / 2);
    expect(await copied).toBe(MEBIBYTE);
    expect((await read(target)).equals(Buffer.alloc(MEBIBYTE))).toBe(true);
  });
});
