// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { FileAttribute } from "../../../../src/nt/attributes.ts";
import { type FileTime, fileTimeFromMilliseconds } from "../../../../src/nt/filetime.ts";
import { Writer } from "../../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { encodeFileEndOfFileInformation } from "../../../../src/smb2/wire/fscc/size-info.ts";
import { basic, setBasic } from "../../../support/basic-information.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

const F = FileInformationClass;

let harness: ServerHarness;
let tree: SmbTree;

beforeEach(async () => {
  harness = await ServerHarness.start();
  tree = await harness.mount();
});

const now = (): FileTime => fileTimeFromMilliseconds(harness.clock.now());

describe("FileBasicInformation", () => {
  it("leaves alone what is 0, and clears attributes with NORMAL", async () => {
    const file = await tree.createFile("file");
    await setBasic(file, { attributes: FileAttribute.HIDDEN, creationTime: 1000n, lastWriteTime: 2000n });
    await setBasic(file, {});
    expect(await basic(file)).toMatchObject({
      attributes: FileAttribute.HIDDEN,
      creationTime: 1000n,
      lastWriteTime: 2000n,
    });
    await setBasic(file, { attributes: FileAttribute.NORMAL });
    expect(await basic(file)).toMatchObject({ attributes: FileAttribute.NORMAL, creationTime: 1000n });
  });

  it.each(["creationTime", "lastAccessTime", "lastWriteTime", "changeTime"])("refuses a %s below -2", async (name) => {
    const file = await tree.createFile("file");
    expect(await statusOf(setBasic(file, { [name]: -3n }))).toBe("STATUS_INVALID_PARAMETER");
  });

  it("refuses attributes of the other kind of file", async () => {
    const file = await tree.createFile("file");
    expect(await statusOf(setBasic(file, { attributes: FileAttribute.DIRECTORY }))).toBe("STATUS_INVALID_PARAMETER");
    const directory = await tree.createDirectory("dir");
    expect(await statusOf(setBasic(directory, { attributes: FileAttribute.TEMPORARY }))).toBe(
      "STATUS_INVALID_PARAMETER",
    );
    await setBasic(directory, { attributes: FileAttribute.DIRECTORY | FileAttribute.HIDDEN });
    expect((await basic(directory)).attributes).toBe(FileAttribute.DIRECTORY | FileAttribute.HIDDEN);
  });

  it("needs WRITE_ATTRIBUTES", async () => {
    await tree.put("file", "");
    const file = await tree.create("file", { desiredAccess: Access.WRITE_DATA });
    expect(await statusOf(setBasic(file, {}))).toBe("STATUS_ACCESS_DENIED");
  });

  it("does not hide the root of the share", async () => {
    const root = await tree.create("");
    await setBasic(root, { attributes: FileAttribute.HIDDEN | FileAttribute.READONLY });
    expect((await basic(root)).attributes).toBe(FileAttribute.DIRECTORY | FileAttribute.READONLY);
  });
});

describe("times taken out of automatic updates", () => {
  it("stay through writes of this handle until -2 gives them back", async () => {
    const file = await tree.createFile("file");
    const { lastWriteTime, changeTime } = await basic(file);
    await setBasic(file, { lastWriteTime: -1n, changeTime: -1n });
    harness.clock.advance(5000);
    await file.write(0, "data");
    expect(await basic(file)).toMatchObject({ lastWriteTime, changeTime });
    await setBasic(file, { lastWriteTime: -2n, changeTime: -2n });
    harness.clock.advance(5000);
    await file.write(0, "data");
    const written = now();
    await file.flush();
    expect(await basic(file)).toMatchObject({ lastWriteTime: written, changeTime: written });
  });

  it("include a time that was set", async () => {
    const file = await tree.createFile("file");
    await setBasic(file, { lastWriteTime: 1234n });
    await file.write(0, "data");
    expect((await file.closeWithAttributes()).lastWriteTime).toBe(1234n);
  });

  it("are updated by other handles", async () => {
    const frozen = await tree.createFile("file");
    await setBasic(frozen, { lastWriteTime: -1n });
    harness.clock.advance(5000);
    const other = await tree.create("file");
    await other.write(0, "data");
    expect((await other.closeWithAttributes()).lastWriteTime).toBe(now());
  });
});

describe("LastWriteTime while writes go on", () => {
  it("follows the first write after two seconds, and the others when the handle closes", async () => {
    const file = await tree.createFile("file");
    const created = (await basic(file)).lastWriteTime;
    harness.clock.advance(1000);
    const first = now();
    await file.write(0, "first");
    expect((await basic(file)).lastWriteTime).toBe(created);
    harness.clock.advance(2000);
    expect((await basic(file)).lastWriteTime).toBe(first);
    await file.write(0, "second");
    harness.clock.advance(60_000);
    expect((await basic(file)).lastWriteTime).toBe(first);
    const { lastWriteTime } = await file.closeWithAttributes();
    expect(lastWriteTime - now()).toBeGreaterThanOrEqual(0n);
    expect(lastWriteTime - now()).toBeLessThanOrEqual(10_000n);
  });

  it.each([
    ["a flush", (file: SmbFile) => file.flush()],
    ["any change of attributes", (file: SmbFile) => setBasic(file, {})],
    [
      "a new end of file",
      (file: SmbFile) => {
        const writer = new Writer();
        encodeFileEndOfFileInformation(writer, 5n);
        return file.setInfo(F.FileEndOfFileInformation, writer.view());
      },
    ],
  ])("is shown at once by %s", async (_name, action) => {
    const file = await tree.createFile("file");
    harness.clock.advance(1000);
    await file.write(0, "first");
    await action(file);
    expect((await basic(file)).lastWriteTime).toBe(now());
  });

  it("is not moved by the closing of a handle when another has set it since", async () => {
    const writing = await tree.createFile("file");
    await writing.write(0, "data");
    harness.clock.advance(3000);
    await writing.write(0, "data");
    const setting = await tree.create("file");
    await setBasic(setting, { lastWriteTime: 4321n });
    expect((await writing.closeWithAttributes()).lastWriteTime).toBe(4321n);
  });

  it("marks the file for archiving", async () => {
    const file = await tree.createFile("file");
    await setBasic(file, { attributes: FileAttribute.NORMAL });
    await file.write(0, "data");
    expect((await basic(file)).attributes).toBe(FileAttribute.ARCHIVE);
  });
});
