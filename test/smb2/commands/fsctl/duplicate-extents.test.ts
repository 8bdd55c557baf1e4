// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { Writer } from "../../../../src/smb2/wire/cursor.ts";
import {
  DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC,
  encodeDuplicateExtentsData,
  encodeDuplicateExtentsDataEx,
} from "../../../../src/smb2/wire/fscc/duplicate-extents.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import { CloningVolume } from "../../../support/cloning-volume.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

const UNIT = 4096;

interface Wanted {
  readonly from?: number | bigint;
  readonly to?: number | bigint;
  readonly count: number | bigint;
}

function input(source: SmbFile, { from = 0, to = 0, count }: Wanted): Buffer {
  const writer = new Writer();
  encodeDuplicateExtentsData(writer, {
    sourceFileId: source.fileId,
    sourceFileOffset: BigInt(from),
    targetFileOffset: BigInt(to),
    byteCount: BigInt(count),
  });
  return writer.view();
}

function inputEx(source: SmbFile, { from = 0, to = 0, count }: Wanted, flags = 0): Buffer {
  const writer = new Writer();
  encodeDuplicateExtentsDataEx(writer, {
    sourceFileId: source.fileId,
    sourceFileOffset: BigInt(from),
    targetFileOffset: BigInt(to),
    byteCount: BigInt(count),
    flags,
  });
  return writer.view();
}

const duplicate = (source: SmbFile, target: SmbFile, wanted: Wanted) =>
  statusOf(target.ioctl(Fsctl.DUPLICATE_EXTENTS_TO_FILE, input(source, wanted), { maxOutputResponse: 0 }));
const duplicateEx = (source: SmbFile, target: SmbFile, wanted: Wanted, flags = 0) =>
  statusOf(target.ioctl(Fsctl.DUPLICATE_EXTENTS_TO_FILE_EX, inputEx(source, wanted, flags), { maxOutputResponse: 0 }));

/** Content in which every block is different. */
function content(length: number, seed = 1): Buffer {
  const data = Buffer.alloc(length);
  for (let i = 0; i < length; i++) data[i] = (i * 7 + (i >> 12) * 31 + seed) & 0xff;
  return data;
}

describe("FSCTL_DUPLICATE_EXTENTS_TO_FILE", () => {
  let volume: CloningVolume;
  let tree: SmbTree;
  let source: SmbFile;
  let target: SmbFile;
  const data = content(3 * UNIT);

  beforeEach(async () => {
    volume = new CloningVolume();
    const harness = await ServerHarness.start({ volume, shares: { other: { volume: new CloningVolume() } } });
    tree = await harness.mount();
    await tree.put("source", data);
    await tree.put("target", Buffer.alloc(3 * UNIT, 0xee));
    source = await tree.create("source");
    target = await tree.create("target");
  });

  it("shares the range", async () => {
    expect(await duplicate(source, target, { from: UNIT, to: 2 * UNIT, count: UNIT })).toBe("STATUS_SUCCESS");
    expect(volume.calls).toEqual([{ sourceOffset: UNIT, offset: 2 * UNIT, length: UNIT }]);
    const expected = Buffer.concat([Buffer.alloc(2 * UNIT, 0xee), data.subarray(UNIT, 2 * UNIT)]);
    expect((await target.read(0, 4 * UNIT)).equals(expected)).toBe(true);
  });

  it("never copies where blocks cannot be shared", async () => {
    const harness = await ServerHarness.start({ volume: new MemoryVolume() });
    const plain = await harness.mount();
    await plain.put("a", data);
    const a = await plain.create("a");
    const b = await plain.createFile("b");
    expect(await duplicate(a, b, { count: UNIT })).toBe("STATUS_INVALID_DEVICE_REQUEST");
    expect(await duplicateEx(a, b, { count: UNIT })).toBe("STATUS_INVALID_DEVICE_REQUEST");
  });

  it("refuses a short input, then an unknown source, before all else", async () => {
    const short = target.ioctl(Fsctl.DUPLICATE_EXTENTS_TO_FILE, input(source, { count: UNIT }).subarray(0, 39));
    expect(await statusOf(short)).toBe("STATUS_INVALID_PARAMETER");
    await source.close();
    expect(await duplicate(source, target, { from: 1, count: UNIT })).toBe("STATUS_INVALID_HANDLE");
    await target.close();
    expect(await duplicate(source, target, { count: UNIT })).toBe("STATUS_FILE_CLOSED");
  });

  it("does not find handles of another session", async () => {
    const other = await (await ServerHarness.start({ volume })).mount();
    expect(await duplicate(await other.create("source"), target, { count: UNIT })).toBe("STATUS_INVALID_HANDLE");
  });

  it.each<[string, Wanted]>([
    ["a source offset", { from: 512, count: UNIT }],
    ["a target offset", { to: 512, count: UNIT }],
    ["a length", { count: UNIT - 1 }],
    ["a negative source offset", { from: -UNIT, count: UNIT }],
    ["a negative target offset", { to: -UNIT, count: UNIT }],
    ["a negative length", { count: -UNIT }],
    ["an offset, even with no length", { from: 1, count: 0 }],
  ])("refuses %s that is not made of whole blocks", async (_, wanted) => {
    expect(await duplicate(source, target, wanted)).toBe("STATUS_INVALID_PARAMETER");
    expect(volume.calls).toEqual([]);
  });

  it("succeeds with no length, wherever", async () => {
    expect(await duplicate(source, target, { from: 100 * UNIT, to: 100 * UNIT, count: 0 })).toBe("STATUS_SUCCESS");
    expect(volume.calls).toEqual([]);
  });

  it("needs the rights to read the source and to write the target", async () => {
    const unreadable = await tree.create("source", { desiredAccess: Access.READ_ATTRIBUTES | Access.WRITE_DATA });
    expect(await duplicate(unreadable, target, { count: UNIT })).toBe("STATUS_INVALID_PARAMETER");
    const readOnly = await tree.create("target", { desiredAccess: Access.READ_DATA | Access.APPEND_DATA });
    expect(await duplicate(source, readOnly, { count: UNIT })).toBe("STATUS_ACCESS_DENIED");
  });

  it("is for data, not for directories", async () => {
    const directory = await tree.createDirectory("directory");
    expect(await duplicate(source, directory, { count: UNIT })).toBe("STATUS_NOT_SUPPORTED");
    expect(await duplicate(directory, target, { count: UNIT })).toBe("STATUS_INVALID_PARAMETER");
  });

  it.each<[string, Wanted]>([
    ["behind the end", { from: 3 * UNIT, count: UNIT }],
    ["across the end", { from: UNIT, count: 3 * UNIT }],
    ["that wraps around", { from: 0x7fff_ffff_ffff_f000n, count: UNIT }],
  ])("refuses a source range %s", async (_, wanted) => {
    expect(await duplicate(source, target, wanted)).toBe("STATUS_NOT_SUPPORTED");
  });

  it("refuses a source on another volume", async () => {
    const other = await tree.session.treeConnect("other");
    await other.put("source", data);
    expect(await duplicate(await other.create("source"), target, { count: UNIT })).toBe("STATUS_INVALID_PARAMETER");
  });

  it("shares into a sparse file, but not from a sparse one into one that is not", async () => {
    await target.ioctl(Fsctl.SET_SPARSE);
    expect(await duplicate(source, target, { count: UNIT })).toBe("STATUS_SUCCESS");
    expect(await duplicate(target, source, { count: UNIT })).toBe("STATUS_NOT_SUPPORTED");
    await source.ioctl(Fsctl.SET_SPARSE);
    expect(await duplicate(target, source, { count: UNIT })).toBe("STATUS_SUCCESS");
  });

  it("shares within one file, where the ranges do not overlap", async () => {
    const again = await tree.create("source");
    expect(await duplicate(source, again, { from: 0, to: 2 * UNIT, count: UNIT })).toBe("STATUS_SUCCESS");
    expect(await duplicate(source, again, { from: 0, to: UNIT, count: 2 * UNIT })).toBe("STATUS_NOT_SUPPORTED");
    expect(await duplicate(source, again, { from: UNIT, to: 0, count: 2 * UNIT })).toBe("STATUS_NOT_SUPPORTED");
    const expected = Buffer.concat([data.subarray(0, 2 * UNIT), data.subarray(0, UNIT)]);
    expect((await source.read(0, 4 * UNIT)).equals(expected)).toBe(true);
  });

  describe("at the ends of files", () => {
    const tail = content(UNIT + 100, 9);
    const open = async (name: string, bytes: Buffer) => {
      await tree.put(name, bytes);
      return tree.create(name);
    };

    it("takes the tail of a file that was rounded up to whole blocks", async () => {
      const short = await open("short", tail);
      const exact = await open("exact", Buffer.alloc(UNIT + 100));
      expect(await duplicate(short, exact, { count: 2 * UNIT })).toBe("STATUS_SUCCESS");
      expect((await exact.read(0, 4 * UNIT)).equals(tail)).toBe(true);
      expect(await duplicate(short, exact, { count: 3 * UNIT })).toBe("STATUS_NOT_SUPPORTED");
    });

    it("refuses a tail that would end in the middle of the target", async () => {
      const short = await open("short", tail);
      expect(await duplicate(short, target, { count: 2 * UNIT })).toBe("STATUS_NOT_SUPPORTED");
      expect((await target.read(0, 4 * UNIT)).equals(Buffer.alloc(3 * UNIT, 0xee))).toBe(true);
    });

    it("leaves the size of the target as it is", async () => {
      const small = await open("small", Buffer.alloc(UNIT + 10));
      expect(await duplicate(source, small, { count: 3 * UNIT })).toBe("STATUS_SUCCESS");
      expect((await small.read(0, 4 * UNIT)).equals(data.subarray(0, UNIT + 10))).toBe(true);
      const blocks = await open("blocks", Buffer.alloc(UNIT));
      expect(await duplicate(source, blocks, { count: 3 * UNIT })).toBe("STATUS_SUCCESS");
      expect((await blocks.read(0, 4 * UNIT)).equals(data.subarray(0, UNIT))).toBe(true);
    });

    it("does nothing behind the end of the target", async () => {
      expect(await duplicate(source, target, { to: 3 * UNIT, count: UNIT })).toBe("STATUS_SUCCESS");
      expect(volume.calls).toEqual([]);
    });
  });

  it("refuses a volume that cannot be written", async () => {
    const readOnly = new CloningVolume({
      readOnly: true,
      populate: (empty) => {
        const { file } = empty.create(["file"], { directory: false, attributes: 0 });
        const stream = file.openStream("");
        if (stream instanceof Promise) throw new Error("a memory volume answers at once");
        void stream?.write(0, data);
        void stream?.close();
        void file.close();
      },
    });
    const mounted = await (await ServerHarness.start({ volume: readOnly })).mount();
    const file = await mounted.create("file", { desiredAccess: Access.READ_DATA | Access.WRITE_DATA });
    expect(await duplicate(file, file, { from: 1, count: UNIT })).toBe("STATUS_MEDIA_WRITE_PROTECTED");
  });

  describe("_EX", () => {
    it("does the same with its longer structure", async () => {
      const flags = DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC;
      expect(await duplicateEx(source, target, { to: UNIT, count: UNIT }, flags)).toBe("STATUS_SUCCESS");
      expect((await target.read(UNIT, UNIT)).equals(data.subarray(0, UNIT))).toBe(true);
    });

    it("refuses less than 56 bytes, and another StructureSize", async () => {
      const code = Fsctl.DUPLICATE_EXTENTS_TO_FILE_EX;
      const short = inputEx(source, { count: UNIT }).subarray(0, 55);
      expect(await statusOf(target.ioctl(code, short))).toBe("STATUS_INVALID_PARAMETER");
      const wrong = inputEx(source, { count: UNIT });
      wrong.writeBigUInt64LE(56n, 0);
      expect(await statusOf(target.ioctl(code, wrong))).toBe("STATUS_NOT_SUPPORTED");
      await source.close();
      expect(await statusOf(target.ioctl(code, wrong))).toBe("STATUS_INVALID_HANDLE");
    });
  });
});
