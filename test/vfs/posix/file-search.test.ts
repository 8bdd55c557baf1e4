// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { FileSearch } from "../../../src/vfs/posix/file-search.ts";
import { mount } from "../../../src/vfs/posix/mount.ts";
import type { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import { makeFile, mustOpen, temporaryFolder, temporaryVolume } from "./support.ts";

describe("a file whose name others have changed", () => {
  let root: string;
  let volume: PosixVolume;
  let fileId: bigint;
  let reference: Buffer;

  /** Where the volume finds it now. */
  const found = async () => {
    const opened = await volume.openById(fileId, reference);
    await opened?.file.close();
    return opened?.path.join("/");
  };

  beforeEach(async () => {
    root = join(temporaryFolder(), "share");
    mkdirSync(join(root, "one", "two"), { recursive: true });
    ({ volume } = await temporaryVolume({ root }));
    const file = makeFile(volume, "one", "two", "file");
    fileId = file.fileId;
    const given = file.reference?.();
    if (given === undefined) throw new Error(`the file system of ${root} has no file handles`);
    reference = given;
    await file.close();
  });

  it("is found under its name, in its folder, in another one, and where that was renamed", async () => {
    expect(await found()).toBe("one/two/file");
    renameSync(join(root, "one/two/file"), join(root, "one/two/renamed"));
    expect(await found()).toBe("one/two/renamed");
    renameSync(join(root, "one/two/renamed"), join(root, "at the root "));
    expect(await found()).toBe("at the root\uf028");
    mkdirSync(join(root, "deep/er"), { recursive: true });
    renameSync(join(root, "at the root "), join(root, "deep/er/file"));
    renameSync(join(root, "deep"), join(root, "one/deep"));
    expect(await found()).toBe("one/deep/er/file");
  });

  it("is not another one that got its name, nor its inode", async () => {
    renameSync(join(root, "one/two/file"), join(root, "one/two/renamed"));
    writeFileSync(join(root, "one/two/file"), "another");
    expect(await found()).toBe("one/two/renamed");
    const other = mustOpen(volume, "one", "two", "file");
    expect(await volume.openById(other.fileId, reference)).toBeUndefined();
    await other.close();
    rmSync(join(root, "one/two/renamed"));
    // File systems give an inode that has become free to the next file.
    for (let index = 0; index < 20; index++) writeFileSync(join(root, `one/two/next${index}`), "");
    expect(await found()).toBeUndefined();
  });

  it("is not found outside of the share, nor in the server's own folders", async () => {
    renameSync(join(root, "one/two/file"), join(root, "../outside"));
    expect(await found()).toBeUndefined();
    mkdirSync(join(root, ".tessera-pins"));
    renameSync(join(root, "../outside"), join(root, ".tessera-pins/file"));
    expect(await found()).toBeUndefined();
  });

  it("is no file at all by a reference that is none", async () => {
    for (const bad of [Buffer.alloc(0), Buffer.alloc(1), Buffer.from([0xff, 0xff, 1]), Buffer.alloc(300, 0xff)]) {
      expect(await volume.openById(fileId, bad)).toBeUndefined();
    }
    expect(await volume.openById(fileId)).toBeUndefined();
  });

  it("is looked for among so many names only, which the log tells", async () => {
    for (let index = 0; index < 20; index++) writeFileSync(join(root, `one/${index}`), "");
    mkdirSync(join(root, "one/last"));
    renameSync(join(root, "one/two/file"), join(root, "one/last/file"));
    const logger = { debug: vi.fn(), warn: vi.fn() };
    const { context } = await mount({ root, logger });
    const search = new FileSearch(context, 10);
    expect(await search.find(fileId, reference)).toBeUndefined();
    expect(logger.warn).toHaveBeenCalledTimes(1);
    expect(await new FileSearch(context, 100).find(fileId, reference)).toBe("one/last/file");
  });
});
