// SPDX-License-Identifier: Apache-2.0

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { type Metadata, MetadataStore } from "../../../src/vfs/posix/metadata.ts";
import { AT_FDCWD, close, OpenFlag, openOwn } from "../../../src/vfs/posix/native/files.ts";
import { type Statx, statOpen } from "../../../src/vfs/posix/native/stat.ts";
import { setXattr } from "../../../src/vfs/posix/native/xattr.ts";
import { DOSATTRIB_NAME, serialiseDosAttributes } from "../../../src/vfs/posix/samba-dosattrib.ts";
import { makeFile, mustOpen, mustOpenStream, temporaryFolder, temporaryVolume } from "./support.ts";

const hidden: Metadata = {
  attributes: FileAttribute.HIDDEN,
  creationTime: 1n,
  eaSize: 0,
  security: [],
  descriptor: undefined,
};

/** A file without metadata, and a store for which all files have times that tell each change. */
function setUp() {
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, "");
  const fd = openOwn(AT_FDCWD, path, OpenFlag.RDWR);
  onTestFinished(() => close(fd));
  const stat = statOpen(fd);
  if (typeof stat === "number") throw new Error(`statx: ${stat}`);
  const time = { now: 1_000_000 };
  const store = new MetadataStore(
    true,
    100,
    () => time.now,
    () => true,
  );
  return {
    store,
    fd,
    time,
    stat,
    later: (nanoseconds: number): Statx => ({ ...stat, changeNanoseconds: nanoseconds }),
  };
}

describe("metadata that the volume has stored itself", () => {
  it("are believed without a look at the file, for a second", () => {
    const { store, fd, stat, time } = setUp();
    store.learn(1, hidden, stat);
    expect(store.get(fd, 1, stat)).toBe(hidden);
    time.now += 999;
    expect(store.get(fd, 1, stat)).toBe(hidden);
    time.now += 1;
    expect(store.get(fd, 1, stat).attributes).toBeUndefined();
  });

  it("are not believed once the file has changed", () => {
    const { store, fd, stat, later } = setUp();
    store.learn(1, hidden, stat);
    expect(store.get(fd, 1, later(1)).attributes).toBeUndefined();
  });

  it("stay known over changes of our own, and no longer for that", () => {
    const { store, fd, stat, time, later } = setUp();
    store.learn(1, hidden, stat);
    time.now += 900;
    store.follow(1, stat, later(1));
    expect(store.get(fd, 1, later(1))).toBe(hidden);
    time.now += 100;
    expect(store.get(fd, 1, later(1)).attributes).toBeUndefined();
  });

  it("do not stay known over changes of our own where others have changed the file before", () => {
    const { store, fd, stat, later } = setUp();
    store.learn(1, hidden, stat);
    store.follow(1, later(1), later(2));
    expect(store.get(fd, 1, later(2)).attributes).toBeUndefined();
  });
});

describe("metadata that others have changed", () => {
  it("are seen at once, also right after changes of our own", async () => {
    const { volume, root } = await temporaryVolume();
    const file = makeFile(volume, "file");
    expect((await file.stat()).attributes).toBe(FileAttribute.ARCHIVE);
    const fd = openOwn(AT_FDCWD, join(root, "file"), OpenFlag.RDWR);
    onTestFinished(() => close(fd));
    const others = (attributes: number) => setXattr(fd, DOSATTRIB_NAME, serialiseDosAttributes(attributes, 1n));
    others(FileAttribute.HIDDEN);
    expect((await mustOpen(volume, "file").stat()).attributes).toBe(FileAttribute.HIDDEN);
    const data = await mustOpenStream(file);
    await data.write(0, Buffer.from("data"));
    await file.setBasic({ lastWriteTime: 133_000_000_000_000_000n });
    expect((await file.stat()).attributes).toBe(FileAttribute.HIDDEN);
    others(FileAttribute.SYSTEM);
    expect((await file.stat()).attributes).toBe(FileAttribute.SYSTEM);
  });
});
