// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it, vi } from "vitest";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import type { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import { checkCatalogue } from "../../../src/vfs/array/check.ts";
import { formatArrayVolume } from "../../../src/vfs/array/format.ts";
import { CatalogueStore, type Change } from "../../../src/vfs/array/store.ts";
import type { VolumeFile, VolumeStream } from "../../../src/vfs/volume.ts";
import { MemoryUnit } from "../../support/memory-array.ts";
import { describeVolume } from "../volume-contract.ts";
import { ArrayFixture, MEBIBYTE } from "./support.ts";

describeVolume("ArrayVolume", async () => {
  const fixture = await ArrayFixture.make();
  return { volume: await fixture.open(), dispose: () => fixture.dispose() };
});

describeVolume("ArrayVolume on blocks of 4096 bytes", async () => {
  const fixture = await ArrayFixture.make({ blockSize: 4096, allocationUnit: 4096, luns: 1 });
  return { volume: await fixture.open(), dispose: () => fixture.dispose() };
});

const status = (value: number) => expect.objectContaining({ status: value });

async function make(volume: ArrayVolume, name: string): Promise<{ file: VolumeFile; stream: VolumeStream }> {
  const { file } = await volume.create([name], { directory: false, attributes: 0 });
  const stream = await file.openStream("");
  if (stream === undefined) throw new Error("no data stream");
  return { file, stream };
}

async function openOf(volume: ArrayVolume, name: string): Promise<VolumeStream> {
  const opened = volume.open([name]);
  const stream = await opened?.file.openStream("");
  await opened?.file.close();
  if (stream === undefined) throw new Error(`no file ${name}`);
  return stream;
}

async function read(stream: VolumeStream, offset: number, length: number): Promise<string> {
  const target = Buffer.alloc(length);
  return target.toString("latin1", 0, await stream.read(offset, target));
}

describe("ArrayVolume", () => {
  let fixture: ArrayFixture;

  afterEach(async () => {
    await fixture.dispose();
  });

  it("keeps everything over a restart", async () => {
    fixture = await ArrayFixture.make();
    const volume = await fixture.open();
    const { file, stream } = await make(volume, "Name");
    await stream.write(100_000, Buffer.from("content"));
    await file.setExtendedAttributes([{ name: "A", flags: 0, value: Buffer.from("1") }]);
    await file.setBasic({ attributes: FileAttribute.HIDDEN, creationTime: 5n });
    await (await file.createStream("s")).close();
    const before = { stat: await file.stat(), streams: await file.streams() };
    await stream.close();
    await file.close();
    const { free } = volume.space();
    await volume.close();
    const again = await fixture.open();
    const opened = again.open(["NAME"]);
    expect(opened?.path).toEqual(["Name"]);
    expect(await opened?.file.stat()).toEqual(before.stat);
    expect(await opened?.file.streams()).toEqual(before.streams);
    expect(await opened?.file.extendedAttributes()).toEqual([{ name: "A", flags: 0, value: Buffer.from("1") }]);
    const data = await openOf(again, "name");
    expect(await read(data, 99_999, 100)).toBe("\0content");
    expect(again.space().free).toBe(free);
    const next = await make(again, "next");
    expect(next.file.fileId).toBeGreaterThan(before.stat.fileId);
    await again.close();
  });

  it("writes pieces of a growing file side by side, whichever comes first", async () => {
    fixture = await ArrayFixture.make({ luns: 1 });
    const volume = await fixture.open();
    const { file, stream } = await make(volume, "growing");
    const [unit] = fixture.units;
    if (unit === undefined) throw new Error("no unit");
    const waiting: (() => void)[] = [];
    unit.beforeWrite = () => new Promise<void>((go) => waiting.push(go));
    const pieces = ["a", "b", "c"].map((letter) => Buffer.alloc(MEBIBYTE, letter));
    const writes = pieces.map((piece, index) => stream.write(index * MEBIBYTE, piece));
    await expect.poll(() => waiting.length).toBe(3);
    waiting[2]?.();
    await writes[2];
    expect((await stream.size()).endOfFile).toBe(3 * MEBIBYTE);
    expect(await read(stream, 2 * MEBIBYTE, 1)).toBe("c");
    waiting[0]?.();
    waiting[1]?.();
    await Promise.all(writes);
    expect(await read(stream, 0, 3 * MEBIBYTE)).toBe(Buffer.concat(pieces).toString("latin1"));
    await stream.close();
    await file.close();
    await volume.close();
  });

  it("shows nothing that a LUN held before", async () => {
    fixture = await ArrayFixture.make({ luns: 1 });
    const volume = await fixture.open();
    const { stream } = await make(volume, "file");
    await stream.setEndOfFile(200_000);
    expect(await read(stream, 0, 10)).toBe("\0".repeat(10));
    await stream.write(70_000, Buffer.from("x"));
    expect(await read(stream, 69_990, 20)).toBe(`${"\0".repeat(10)}x${"\0".repeat(9)}`);
    const other = await make(volume, "other");
    await other.stream.write(0, Buffer.alloc(300_000, "o"));
    await other.stream.setEndOfFile(10);
    await other.stream.setEndOfFile(300_000);
    expect(await read(other.stream, 5, 10)).toBe("ooooo\0\0\0\0\0");
    await volume.close();
  });

  it("refuses what does not fit, and gives room back", async () => {
    fixture = await ArrayFixture.make({ luns: 2, size: 4 * MEBIBYTE });
    const volume = await fixture.open();
    const { free } = volume.space();
    const { stream, file } = await make(volume, "file");
    await stream.write(0, Buffer.alloc(5 * MEBIBYTE, 1));
    await expect(stream.write(5 * MEBIBYTE, Buffer.alloc(2 * MEBIBYTE))).rejects.toThrow(status(NtStatus.DISK_FULL));
    await expect(stream.setEndOfFile(100 * MEBIBYTE)).rejects.toThrow(status(NtStatus.DISK_FULL));
    expect(stream.size()).toEqual({ endOfFile: 5 * MEBIBYTE, allocationSize: 5 * MEBIBYTE });
    await stream.setEndOfFile(0);
    const other = await make(volume, "other");
    // What the one file had is the other's at once.
    await other.stream.write(0, Buffer.alloc(6 * MEBIBYTE, 2));
    await other.stream.setEndOfFile(0);
    await stream.close();
    await file.close();
    await volume.close();
    const again = await fixture.open();
    expect(again.space().free).toBe(free);
    await again.close();
  });

  it("keeps what is open of a removed file, and clears it away after a crash", async () => {
    fixture = await ArrayFixture.make();
    const store = new CatalogueStore(fixture.folder);
    const volume = await fixture.open({ store });
    const { free } = volume.space();
    const { file, stream } = await make(volume, "file");
    await stream.write(0, Buffer.alloc(MEBIBYTE, 1));
    const named = await file.createStream("named");
    await named.write(0, Buffer.alloc(MEBIBYTE, 2));
    await file.removeStream("named");
    await volume.unlink(file, ["file"]);
    expect(await read(named, 0, 2)).toBe("\x02\x02");
    await store.close();
    const again = await fixture.open();
    expect(again.space().free).toBe(free);
    await again.close();
    const after = new CatalogueStore(fixture.folder);
    expect(checkCatalogue(after)).toMatchObject({ files: 0, removed: 0, extents: 0, problems: [] });
    await after.close();
  });

  it("takes no LUN that is another one", async () => {
    fixture = await ArrayFixture.make({ luns: 2 });
    const [first, second] = fixture.units as [MemoryUnit, MemoryUnit];
    await expect(fixture.open({ luns: [second, first] })).rejects.toThrow("not LUN 0 of the volume");
    await expect(fixture.open({ luns: [first] })).rejects.toThrow("2 LUNs, but 1");
    await first.write(0, [Buffer.alloc(4096)]);
    await expect(fixture.open()).rejects.toThrow("label");
  });

  it("serves what it can while a LUN is away, and the rest when it is back", async () => {
    fixture = await ArrayFixture.make({ luns: 1 });
    const [unit] = fixture.units as [MemoryUnit];
    const volume = await fixture.open();
    const { stream, file } = await make(volume, "file");
    await stream.write(0, Buffer.from("content"));
    unit.vanish();
    expect(volume.open(["file"])).toBeDefined();
    await expect(stream.read(0, Buffer.alloc(7))).rejects.toThrow(status(NtStatus.IO_DEVICE_ERROR));
    const { free } = volume.space();
    await expect(stream.write(MEBIBYTE, Buffer.alloc(MEBIBYTE))).rejects.toThrow(status(NtStatus.IO_DEVICE_ERROR));
    expect(volume.space().free).toBeGreaterThanOrEqual(free - MEBIBYTE);
    unit.comeBack();
    expect(await read(stream, 0, 7)).toBe("content");
    await stream.close();
    await file.close();
    await volume.close();
    unit.vanish();
    const again = await fixture.open();
    const reopened = await openOf(again, "file");
    await expect(reopened.read(0, Buffer.alloc(7))).rejects.toThrow(status(NtStatus.IO_DEVICE_ERROR));
    unit.comeBack();
    expect(await read(reopened, 0, 7)).toBe("content");
    await again.close();
  });

  it("grows with its LUN, and refuses one that shrank", async () => {
    fixture = await ArrayFixture.make({ luns: 1, size: 4 * MEBIBYTE });
    const [unit] = fixture.units as [MemoryUnit];
    const volume = await fixture.open();
    const { total } = volume.space();
    unit.become({ size: 8 * MEBIBYTE });
    await vi.waitFor(() => expect(volume.space().total).toBe(total + 4 * MEBIBYTE));
    const { stream } = await make(volume, "file");
    await stream.write(0, Buffer.alloc(6 * MEBIBYTE));
    unit.become({ size: 4 * MEBIBYTE });
    await expect(stream.read(0, Buffer.alloc(1))).rejects.toThrow(status(NtStatus.DEVICE_NOT_READY));
    unit.become({ size: 8 * MEBIBYTE });
    expect(await read(stream, 0, 1)).toBe("\0");
    await volume.close();
    const again = await fixture.open();
    expect(again.space().total).toBe(total + 4 * MEBIBYTE);
    await again.close();
  });

  it("serves LUNs as files of a fixed size", async () => {
    fixture = await ArrayFixture.make({ luns: 2, size: MEBIBYTE, fileNames: ["one.vhdx", "two.img"] });
    const volume = await fixture.open();
    const stream = await openOf(volume, "ONE.VHDX");
    expect(stream.size()).toEqual({ endOfFile: MEBIBYTE, allocationSize: MEBIBYTE });
    expect(await read(stream, 0, 1)).toBe("\xa5");
    await stream.write(MEBIBYTE - 3, Buffer.from("end"));
    expect(fixture.units[0]?.peek(MEBIBYTE - 3, 3).toString()).toBe("end");
    await expect(stream.write(MEBIBYTE, Buffer.from("x"))).rejects.toThrow(status(NtStatus.DISK_FULL));
    await expect(stream.setEndOfFile(5)).rejects.toThrow(status(NtStatus.INVALID_DEVICE_REQUEST));
    await expect(volume.create(["new"], { directory: false, attributes: 0 })).rejects.toThrow(
      status(NtStatus.ACCESS_DENIED),
    );
    await volume.close();
    const again = await fixture.open();
    expect(await read(await openOf(again, "one.vhdx"), MEBIBYTE - 3, 9)).toBe("end");
    await again.close();
  });

  it("is not formatted over what is there", async () => {
    fixture = await ArrayFixture.make();
    const options = { luns: fixture.units, label: "x", now: 0n, volumeId: Buffer.alloc(16) };
    const catalogue = `${fixture.folder}/other`;
    await expect(formatArrayVolume({ ...options, catalogue })).rejects.toThrow("belongs to a volume already");
    await expect(formatArrayVolume({ ...options, catalogue: fixture.folder, force: true })).rejects.toThrow(
      "holds the catalogue",
    );
    const full = new MemoryUnit({ name: "full", size: 4 * MEBIBYTE });
    await expect(formatArrayVolume({ ...options, catalogue, luns: [full] })).rejects.toThrow("is not empty");
    await expect(formatArrayVolume({ ...options, catalogue, luns: [full, full], force: true })).rejects.toThrow(
      "the same one",
    );
  });

  class FullStore extends CatalogueStore {
    full = false;
    override async apply(changes: readonly Change[]): Promise<void> {
      if (this.full) throw new Error("MDB_MAP_FULL: the disk is full");
      await super.apply(changes);
    }
  }

  it("stops at a catalogue that cannot be written, and says so", async () => {
    fixture = await ArrayFixture.make();
    const store = new FullStore(fixture.folder);
    const volume = await fixture.open({ store });
    const { stream } = await make(volume, "file");
    await stream.write(0, Buffer.from("before"));
    store.full = true;
    await expect(stream.write(MEBIBYTE, Buffer.from("x"))).rejects.toThrow(status(NtStatus.DISK_FULL));
    await store.close();
    const again = await fixture.open();
    expect(await read(await openOf(again, "file"), 0, 100)).toBe("before");
    await again.close();
  });

  it("gives no room away that the catalogue on the disk goes on giving to a file", async () => {
    fixture = await ArrayFixture.make();
    const store = new FullStore(fixture.folder);
    const volume = await fixture.open({ store });
    const { file, stream } = await make(volume, "file");
    await stream.write(0, Buffer.from("before"));
    await stream.close();
    const { free } = volume.space();
    let unmapped = 0;
    for (const unit of fixture.units) {
      unit.beforeUnmap = (ranges) => {
        unmapped += ranges.length;
      };
    }
    store.full = true;
    await expect(volume.unlink(file, ["file"])).rejects.toThrow(status(NtStatus.DISK_FULL));
    await expect(file.close()).rejects.toThrow(status(NtStatus.DISK_FULL));
    expect(volume.space().free).toBe(free);
    await volume.close();
    expect(unmapped).toBe(0);
    const again = await fixture.open();
    expect(await read(await openOf(again, "file"), 0, 100)).toBe("before");
    await again.close();
  });
});
