// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { FileAttribute } from "../../../../src/nt/attributes.ts";
import { CreateOption, ShareAccess } from "../../../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import { decodeFileAllInformation } from "../../../../src/smb2/wire/fscc/all-info.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import {
  encodeFileLinkInformation,
  encodeFileRenameInformation,
  encodeFileRenameInformationEx,
  FileRenameFlag,
} from "../../../../src/smb2/wire/fscc/rename-info.ts";
import { decodeFileStreamInformation } from "../../../../src/smb2/wire/fscc/stream-info.ts";
import { basic, setBasic } from "../../../support/basic-information.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

const F = FileInformationClass;
const SHARE_ALL = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE;

let harness: ServerHarness;
let tree: SmbTree;

beforeEach(async () => {
  harness = await ServerHarness.start();
  tree = await harness.mount();
});

function rename(file: SmbFile, fileName: string, replaceIfExists = false, rootDirectory = 0n): Promise<void> {
  const writer = new Writer();
  encodeFileRenameInformation(writer, { replaceIfExists, rootDirectory, fileName });
  return file.setInfo(F.FileRenameInformation, writer.view());
}

function link(file: SmbFile, fileName: string, replaceIfExists = false): Promise<void> {
  const writer = new Writer();
  encodeFileLinkInformation(writer, { replaceIfExists, rootDirectory: 0n, fileName });
  return file.setInfo(F.FileLinkInformation, writer.view());
}

async function nameOf(file: SmbFile): Promise<string> {
  return decodeFileAllInformation(new Reader(await file.queryInfo(F.FileAllInformation))).name;
}

async function exists(name: string): Promise<boolean> {
  return (await statusOf(tree.create(name).then((file) => file.close()))) === "STATUS_SUCCESS";
}

describe("FileRenameInformation", () => {
  it("moves a file, and its handle follows", async () => {
    await tree.mkdir("Dir");
    const file = await tree.createFile("file");
    await rename(file, "dir\\New");
    expect(await nameOf(file)).toBe("\\Dir\\New");
    expect(await exists("file")).toBe(false);
    await file.setInfo(F.FileDispositionInformation, Buffer.from([1]));
    await file.close();
    expect(await exists("dir\\New")).toBe(false);
  });

  it("changes nothing but the case", async () => {
    const file = await tree.createFile("file");
    await rename(file, "FILE");
    expect(await nameOf(file)).toBe("\\FILE");
    await rename(file, "FILE");
    expect(await exists("file")).toBe(true);
  });

  it("takes a request without the padding of a short name", async () => {
    const file = await tree.createFile("file");
    const writer = new Writer();
    writer.zeros(16);
    writer.u32(2);
    writer.utf16("x");
    await file.setInfo(F.FileRenameInformation, writer.view());
    expect(await exists("x")).toBe(true);
  });

  it.each([
    ["", "STATUS_INVALID_PARAMETER"],
    ["\\absolute", "STATUS_INVALID_PARAMETER"],
    ["a*b", "STATUS_OBJECT_NAME_INVALID"],
    ["missing\\file", "STATUS_OBJECT_PATH_NOT_FOUND"],
    ["new:stream", "STATUS_OBJECT_NAME_INVALID"],
    ["existing", "STATUS_OBJECT_NAME_COLLISION"],
    ["dir", "STATUS_OBJECT_NAME_COLLISION"],
  ])("to %j answers %s", async (target, expected) => {
    await tree.put("existing", "");
    await tree.mkdir("dir");
    const file = await tree.createFile("file");
    expect(await statusOf(rename(file, target))).toBe(expected);
    expect(await exists("file")).toBe(true);
  });

  it("needs DELETE, a file that is no root, and no root of its own", async () => {
    await tree.put("file", "");
    const blind = await tree.create("file", { desiredAccess: Access.FILE_GENERIC_READ });
    expect(await statusOf(rename(blind, "new"))).toBe("STATUS_ACCESS_DENIED");
    expect(await statusOf(rename(await tree.create("", { desiredAccess: Access.DELETE }), "new"))).toBe(
      "STATUS_INVALID_PARAMETER",
    );
    expect(await statusOf(rename(await tree.create("file"), "new", false, 1n))).toBe("STATUS_INVALID_PARAMETER");
  });

  it("replaces a file, but neither one that is open or read-only, nor a directory", async () => {
    await tree.put("target", "old");
    await tree.mkdir("dir");
    const file = await tree.createFile("file");
    await file.write(0, "new");
    expect(await statusOf(rename(file, "dir", true))).toBe("STATUS_ACCESS_DENIED");
    const open = await tree.create("target");
    expect(await statusOf(rename(file, "target", true))).toBe("STATUS_ACCESS_DENIED");
    await open.close();
    await (await tree.createFile("readonly", { fileAttributes: FileAttribute.READONLY })).close();
    expect(await statusOf(rename(file, "readonly", true))).toBe("STATUS_ACCESS_DENIED");
    const writer = new Writer();
    encodeFileRenameInformationEx(writer, {
      flags: FileRenameFlag.REPLACE_IF_EXISTS | FileRenameFlag.IGNORE_READONLY_ATTRIBUTE,
      rootDirectory: 0n,
      fileName: "readonly",
    });
    await file.setInfo(F.FileRenameInformationEx, writer.view());
    await rename(file, "target", true);
    await file.close();
    expect((await tree.get("target")).toString()).toBe("new");
  });

  it("replaces a file that is open with POSIX semantics, if its handles share deletion", async () => {
    await tree.put("target", "old");
    const replace = (file: SmbFile) => {
      const writer = new Writer();
      const flags = FileRenameFlag.REPLACE_IF_EXISTS | FileRenameFlag.POSIX_SEMANTICS;
      encodeFileRenameInformationEx(writer, { flags, rootDirectory: 0n, fileName: "target" });
      return file.setInfo(F.FileRenameInformationEx, writer.view());
    };
    const file = await tree.createFile("file");
    await file.write(0, "new");
    const unwilling = await tree.create("target", { shareAccess: ShareAccess.READ | ShareAccess.WRITE });
    expect(await statusOf(replace(file))).toBe("STATUS_SHARING_VIOLATION");
    await unwilling.close();
    const reader = await tree.create("target", { shareAccess: SHARE_ALL });
    await replace(file);
    await file.close();
    expect((await reader.read(0, 10)).toString()).toBe("old");
    expect(await statusOf(rename(reader, "elsewhere"))).toBe("STATUS_ACCESS_DENIED");
    await reader.close();
    expect((await tree.get("target")).toString()).toBe("new");
  });

  it("hands the creation time of a file that had the name shortly before to the next one", async () => {
    const original = await tree.createFile("file");
    const { creationTime } = original.response;
    await original.close();
    harness.clock.advance(60_000);
    const written = await tree.createFile("file.new");
    const old = await tree.create("file");
    await rename(old, "file.old");
    await old.close();
    await rename(written, "FILE");
    await written.close();
    const saved = await tree.create("file");
    expect(await nameOf(saved)).toBe("\\FILE");
    expect(saved.response.creationTime).toBe(creationTime);
    await saved.setInfo(F.FileDispositionInformation, Buffer.from([1]));
    await saved.close();
    harness.clock.advance(14_000);
    const again = await tree.createFile("file");
    expect((await tree.create("file")).response.creationTime).toBe(creationTime);
    await again.setInfo(F.FileDispositionInformation, Buffer.from([1]));
  });

  it("leaves a directory alone while something below is open, or when it would hold itself", async () => {
    await tree.mkdir("dir");
    await tree.mkdir("dir\\sub");
    const inside = await tree.createFile("dir\\sub\\file");
    const directory = await tree.create("dir", { createOptions: CreateOption.DIRECTORY_FILE });
    expect(await statusOf(rename(directory, "moved"))).toBe("STATUS_ACCESS_DENIED");
    await inside.close();
    expect(await statusOf(rename(directory, "dir\\sub\\dir"))).toBe("STATUS_ACCESS_DENIED");
    await rename(directory, "moved");
    expect(await exists("moved\\sub\\file")).toBe(true);
  });

  it("does not move into a directory that is opened for its deletion", async () => {
    await tree.mkdir("dir");
    const file = await tree.createFile("file");
    const holder = await tree.create("dir", { desiredAccess: Access.DELETE, shareAccess: SHARE_ALL });
    expect(await statusOf(rename(file, "dir\\file"))).toBe("STATUS_SHARING_VIOLATION");
    await holder.close();
    await rename(file, "dir\\file");
  });

  it("is refused for a name that is to be deleted", async () => {
    const file = await tree.createFile("file");
    await file.setInfo(F.FileDispositionInformation, Buffer.from([1]));
    expect(await statusOf(rename(file, "new"))).toBe("STATUS_ACCESS_DENIED");
  });
});

describe("renaming of streams", () => {
  const streams = async (file: SmbFile) =>
    decodeFileStreamInformation(new Reader(await file.queryInfo(F.FileStreamInformation)))
      .map(({ name, size }) => `${name}=${size}`)
      .sort();

  beforeEach(async () => {
    await tree.put("file", "");
    await tree.put("file:one", "1");
    await tree.put("file:two", "22");
    await tree.put("file:empty", "");
  });

  it("gives another name, over an empty stream too", async () => {
    const stream = await tree.create("file:one");
    await rename(stream, ":three:$DATA");
    expect(await streams(stream)).toEqual(["=0", "empty=0", "three=1", "two=2"]);
    expect(await statusOf(rename(stream, ":empty"))).toBe("STATUS_OBJECT_NAME_COLLISION");
    await rename(stream, ":empty", true);
    expect(await streams(stream)).toEqual(["=0", "empty=1", "two=2"]);
    expect(await statusOf(rename(stream, ":two", true))).toBe("STATUS_INVALID_PARAMETER");
    expect((await stream.read(0, 10)).toString()).toBe("1");
  });

  it("spares what is open", async () => {
    const stream = await tree.create("file:one");
    const other = await tree.create("file:empty");
    expect(await statusOf(rename(stream, ":empty", true))).toBe("STATUS_INVALID_PARAMETER");
    await other.close();
    await rename(stream, ":empty", true);
  });

  it("makes a stream the file's data, and back", async () => {
    const stream = await tree.create("file:two");
    await rename(stream, "::$DATA");
    expect(await streams(stream)).toEqual(["=2", "empty=0", "one=1"]);
    await stream.write(2, "2");
    await rename(stream, ":again");
    expect(await streams(stream)).toEqual(["=0", "again=3", "empty=0", "one=1"]);
    await stream.close();
    expect((await tree.get("file:again")).toString()).toBe("222");
    expect((await tree.get("file")).toString()).toBe("");
  });

  it.each([
    [":", "STATUS_INVALID_PARAMETER"],
    [":a:b:c", "STATUS_INVALID_PARAMETER"],
    [":a:$INDEX_ALLOCATION", "STATUS_INVALID_PARAMETER"],
    ["file:one", "STATUS_INVALID_PARAMETER"],
  ])("to %j answers %s", async (target, expected) => {
    const stream = await tree.create("file:two");
    expect(await statusOf(rename(stream, target, true))).toBe(expected);
  });
});

describe("FileLinkInformation", () => {
  it("adds a name", async () => {
    await tree.put("file", "content");
    const file = await tree.create("file");
    await link(file, "second");
    expect((await tree.get("second")).toString()).toBe("content");
    const all = decodeFileAllInformation(new Reader(await file.queryInfo(F.FileAllInformation)));
    expect(all.standard.numberOfLinks).toBe(2);
    expect(await statusOf(link(file, "second"))).toBe("STATUS_OBJECT_NAME_COLLISION");
    await link(file, "second", true);
    await tree.put("third", "other");
    await link(file, "third", true);
    expect((await tree.get("third")).toString()).toBe("content");
  });

  it("marks the file for archiving", async () => {
    const file = await tree.createFile("file");
    await setBasic(file, { attributes: FileAttribute.NORMAL });
    await link(file, "second");
    expect((await basic(file)).attributes).toBe(FileAttribute.ARCHIVE);
  });

  it("has no names for streams", async () => {
    const stream = await tree.createFile("file:stream");
    expect(await statusOf(link(stream, "other"))).toBe("STATUS_INVALID_PARAMETER");
    expect(await statusOf(tree.create("other"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
  });

  it("has no names for directories", async () => {
    const directory = await tree.createDirectory("dir");
    expect(await statusOf(link(directory, "other"))).toBe("STATUS_FILE_IS_A_DIRECTORY");
  });
});
