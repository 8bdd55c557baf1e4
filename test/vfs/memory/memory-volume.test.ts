// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileAttribute, FileSystemAttribute } from "../../../src/nt/attributes.ts";
import { createSecurityDescriptor } from "../../../src/nt/inheritance.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import type { MemoryFile } from "../../../src/vfs/memory/memory-file.ts";
import type { MemoryStream } from "../../../src/vfs/memory/memory-stream.ts";
import { MemoryVolume, type MemoryVolumeOptions } from "../../../src/vfs/memory/memory-volume.ts";
import { ALICE, STAFF } from "../../nt/security-builders.ts";
import { describeVolume } from "../volume-contract.ts";

describeVolume("MemoryVolume", () => ({ volume: new MemoryVolume() }));

const status = (value: number) => expect.objectContaining({ status: value });

function make(volume: MemoryVolume, ...path: string[]): MemoryFile {
  return volume.create(path, { directory: false, attributes: 0 }).file as MemoryFile;
}

function dataOf(file: MemoryFile, name = ""): MemoryStream {
  const stream = file.openStream(name);
  if (stream === undefined) throw new Error("no stream");
  return stream;
}

function write(file: MemoryFile, name: string, length: number): void {
  const stream = dataOf(file, name);
  stream.write(0, Buffer.alloc(length, 1));
  stream.close();
}

describe("MemoryVolume: capacity", () => {
  const CAPACITY = 1024 * 1024;
  const limited = (options: MemoryVolumeOptions = {}) => new MemoryVolume({ capacity: CAPACITY, ...options });

  it("refuses what does not fit, and keeps what was there", () => {
    const volume = limited();
    const file = make(volume, "file");
    const stream = dataOf(file);
    stream.write(0, Buffer.alloc(500_000, 1));
    const { free } = volume.space();
    for (const grow of [
      () => stream.write(500_000, Buffer.alloc(600_000, 2)),
      () => stream.setEndOfFile(2 * CAPACITY),
      () => stream.setAllocation(2 * CAPACITY),
      () => file.setSecurity(Buffer.alloc(CAPACITY)),
    ]) {
      expect(grow).toThrow(status(NtStatus.DISK_FULL));
      expect(volume.space().free).toBe(free);
      expect(stream.size().endOfFile).toBe(500_000);
    }
    const rest = Buffer.alloc(600_000);
    expect(stream.read(0, rest)).toBe(500_000);
    expect(rest.subarray(0, 500_000).every((byte) => byte === 1)).toBe(true);
  });

  it("counts holes of sparse files as nothing", () => {
    const volume = limited();
    const stream = dataOf(make(volume, "file"));
    stream.setSparse(true);
    stream.setEndOfFile(1024 ** 4);
    stream.write(1024 ** 3, Buffer.from("x"));
    expect(stream.size()).toEqual({ endOfFile: 1024 ** 4, allocationSize: 4096 });
    expect(() => stream.setSparse(false)).toThrow(status(NtStatus.DISK_FULL));
    expect(stream.allocatedRanges({ offset: 0, length: 1024 ** 4 }, 10)).toEqual([{ offset: 1024 ** 3, length: 4096 }]);
  });

  it("gives everything back", () => {
    const volume = limited();
    const { free } = volume.space();
    const security = createSecurityDescriptor({ container: false, owner: ALICE, group: STAFF });
    const extendedAttributes = [{ name: "A", flags: 0, value: Buffer.from("1") }];
    const one = volume.create(["one"], { directory: false, attributes: 0, security, extendedAttributes })
      .file as MemoryFile;
    const two = make(volume, "two");
    volume.create(["directory"], { directory: true, attributes: 0 }).file.close();
    write(one, "", 100_000);
    volume.link(one, ["directory", "link"], false);
    for (const name of ["a", "b", "c"]) {
      one.createStream(name).close();
      write(one, name, 5000);
    }
    one.removeStream("a");
    one.renameStream("b", "c", true);
    one.renameStream("c", "", true);
    one.renameStream("", "d", false);
    write(two, "", 70_000);
    volume.rename(one, ["one"], ["two"], true);
    volume.unlink(one, ["two"]);
    volume.unlink(one, ["directory", "link"]);
    expect(volume.space().free).toBeLessThan(free);
    const directory = volume.open(["directory"])?.file as MemoryFile;
    volume.unlink(directory, ["directory"]);
    for (const file of [one, two, directory]) file.close();
    expect(volume.space().free).toBe(free);
  });

  it("gives everything back once nothing is open", () => {
    const volume = limited();
    const { free } = volume.space();
    const file = make(volume, "file");
    const stream = dataOf(file);
    const named = file.createStream("named");
    stream.write(0, Buffer.alloc(100_000));
    named.write(0, Buffer.alloc(10_000));
    file.removeStream("named");
    volume.unlink(file, ["file"]);
    file.close();
    expect(volume.space().free).toBeLessThan(free - 100_000);
    named.close();
    stream.close();
    stream.close();
    expect(volume.space().free).toBe(free);
  });

  it("takes nothing for what could not be created", () => {
    const volume = limited();
    const { free } = volume.space();
    const security = Buffer.alloc(CAPACITY);
    expect(() => volume.create(["file"], { directory: false, attributes: 0, security })).toThrow(
      status(NtStatus.DISK_FULL),
    );
    expect(volume.space().free).toBe(free);
    expect(volume.open(["file"])).toBeUndefined();
  });

  it("bounds the number of files", () => {
    const volume = limited();
    expect(() => {
      for (let index = 0; ; index++) make(volume, `file ${index}`).close();
    }).toThrow(status(NtStatus.DISK_FULL));
  });
});

describe("MemoryVolume", () => {
  it("can be filled and then read only", () => {
    const volume = new MemoryVolume({
      readOnly: true,
      populate: (filling) => dataOf(make(filling, "file")).write(0, Buffer.from("content")),
    });
    expect(volume.info.readOnly).toBe(true);
    expect(volume.info.attributes & FileSystemAttribute.READ_ONLY_VOLUME).not.toBe(0);
    const file = volume.open(["file"])?.file as MemoryFile;
    const stream = dataOf(file);
    const content = Buffer.alloc(7);
    expect(stream.read(0, content)).toBe(7);
    expect(content.toString()).toBe("content");
    for (const change of [
      () => make(volume, "new"),
      () => volume.rename(file, ["file"], ["moved"], false),
      () => volume.link(file, ["link"], false),
      () => volume.unlink(file, ["file"]),
      () => file.setBasic({ attributes: FileAttribute.HIDDEN }),
      () => file.setSecurity(file.security()),
      () => file.setExtendedAttributes([]),
      () => file.createStream("stream"),
      () => file.removeStream("stream"),
      () => file.renameStream("a", "b", true),
      () => stream.write(0, Buffer.from("x")),
      () => stream.setEndOfFile(0),
      () => stream.setAllocation(0),
      () => stream.setSparse(true),
      () => stream.zero({ offset: 0, length: 1 }),
      () => stream.copyFrom(stream, 0, 0, 1),
    ]) {
      expect(change).toThrow(status(NtStatus.MEDIA_WRITE_PROTECTED));
    }
  });

  it("takes the time from its clock", () => {
    let now = 1000n;
    const volume = new MemoryVolume({ clock: () => now });
    const file = make(volume, "file");
    const stream = dataOf(file);
    now = 2000n;
    stream.write(0, Buffer.from("x"));
    expect(file.stat()).toMatchObject({
      creationTime: 1000n,
      lastAccessTime: 1000n,
      lastWriteTime: 2000n,
      changeTime: 2000n,
    });
    now = 3000n;
    volume.rename(file, ["file"], ["moved"], false);
    expect(file.stat()).toMatchObject({ lastWriteTime: 2000n, changeTime: 3000n });
    now = 4000n;
    file.setBasic({ lastWriteTime: 5n });
    expect(file.stat()).toMatchObject({ lastWriteTime: 5n, changeTime: 4000n });
    file.setBasic({ changeTime: 6n });
    expect(file.stat()).toMatchObject({ lastWriteTime: 5n, changeTime: 6n });
    now = 7000n;
    file.setSecurity(file.security());
    expect(file.stat()).toMatchObject({ lastWriteTime: 5n, changeTime: 7000n });
    expect(volume.info.creationTime).toBe(1000n);
  });

  it("answers with one and the same buffer for one descriptor", () => {
    const volume = new MemoryVolume();
    const file = make(volume, "file");
    expect(file.security()).toBe(make(volume, "other").security());
    file.setSecurity(createSecurityDescriptor({ container: false, owner: ALICE, group: STAFF }));
    expect(file.security()).toBe(file.security());
  });

  it("lists in the order of names", () => {
    const volume = new MemoryVolume();
    for (const name of ["b", "C", "a", "ä", "10", "9"]) make(volume, name).close();
    const root = volume.open([])?.file as MemoryFile;
    const cursor = root.readDirectory();
    expect(cursor.next(10, () => true)).toMatchObject(["10", "9", "a", "b", "C", "ä"].map((name) => ({ name })));
  });

  it("makes a named stream the default one, and the other way", () => {
    const file = make(new MemoryVolume(), "file");
    const text = (name: string): string => {
      const target = Buffer.alloc(20);
      return target.toString("latin1", 0, dataOf(file, name).read(0, target));
    };
    dataOf(file).write(0, Buffer.from("default"));
    file.renameStream("", "named", false);
    expect([text(""), text("named")]).toEqual(["", "default"]);
    expect(() => file.renameStream("named", "", false)).toThrow(status(NtStatus.OBJECT_NAME_COLLISION));
    file.renameStream("named", "", true);
    expect(text("")).toBe("default");
    expect(file.streams()).toMatchObject([{ name: "", size: 7 }]);
    expect(() => file.removeStream("")).toThrow(status(NtStatus.OBJECT_NAME_INVALID));
  });

  it("limits the names of a file", () => {
    const volume = new MemoryVolume();
    const file = make(volume, "0");
    for (let index = 1; index < 1024; index++) volume.link(file, [`${index}`], false);
    expect(() => volume.link(file, ["1024"], false)).toThrow(status(NtStatus.TOO_MANY_LINKS));
    volume.link(file, ["5"], true);
    expect(file.stat().links).toBe(1024);
  });

  it("finds no unlinked file by its id, and revives none", () => {
    const volume = new MemoryVolume();
    const file = make(volume, "file");
    volume.unlink(file, ["file"]);
    expect(volume.openById(file.fileId)).toBeUndefined();
    expect(() => volume.link(file, ["again"], false)).toThrow(status(NtStatus.FILE_DELETED));
    expect(volume.openById(volume.open([])?.file.fileId ?? 0n)?.path).toEqual([]);
  });

  it("knows files of another volume, and closed ones", () => {
    const volume = new MemoryVolume();
    const file = make(volume, "file");
    const other = make(new MemoryVolume(), "file");
    expect(() => volume.rename(other, ["file"], ["x"], false)).toThrow(status(NtStatus.NOT_SAME_DEVICE));
    const stream = dataOf(file);
    stream.close();
    file.close();
    expect(() => stream.read(0, Buffer.alloc(1))).toThrow(status(NtStatus.FILE_CLOSED));
    expect(() => stream.write(0, Buffer.alloc(1))).toThrow(status(NtStatus.FILE_CLOSED));
    expect(() => file.openStream("")).toThrow(status(NtStatus.FILE_CLOSED));
    expect(() => file.setBasic({})).toThrow(status(NtStatus.FILE_CLOSED));
  });

  it("keeps holes when it copies between sparse files", () => {
    const volume = new MemoryVolume();
    const source = dataOf(make(volume, "source"));
    const target = dataOf(make(new MemoryVolume(), "target"));
    source.setSparse(true);
    target.setSparse(true);
    source.write(10 * 1024 * 1024, Buffer.from("data"));
    expect(target.copyFrom(source, 0, 0, 20 * 1024 * 1024)).toBe(10 * 1024 * 1024 + 4);
    expect(target.size().endOfFile).toBe(10 * 1024 * 1024 + 4);
    expect(target.allocatedRanges({ offset: 0, length: 1024 ** 3 }, 10)).toEqual([
      { offset: 10 * 1024 * 1024, length: 4 },
    ]);
  });

  it("refuses to grow beyond the largest file", () => {
    const volume = new MemoryVolume();
    const stream = dataOf(make(volume, "file"));
    stream.setSparse(true);
    const { maximumFileSize } = volume.info;
    stream.write(maximumFileSize - 1, Buffer.from("x"));
    expect(() => stream.write(maximumFileSize, Buffer.from("x"))).toThrow(status(NtStatus.INVALID_PARAMETER));
    expect(() => stream.setEndOfFile(maximumFileSize + 1)).toThrow(status(NtStatus.INVALID_PARAMETER));
    expect(stream.copyFrom(stream, maximumFileSize - 1, 0, 1)).toBe(1);
  });
});
