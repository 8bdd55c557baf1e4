// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { AceType } from "../../../../src/nt/acl.ts";
import { FileAttribute } from "../../../../src/nt/attributes.ts";
import {
  readSecurityDescriptor,
  SecurityControl,
  serialiseSecurityDescriptor,
} from "../../../../src/nt/security-descriptor.ts";
import { SecurityInformation } from "../../../../src/nt/security-information.ts";
import { WellKnownSid } from "../../../../src/nt/sid.ts";
import { CreateOption, InfoType } from "../../../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import { FileInformationClass, FileSystemInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { encodeFullEaList } from "../../../../src/smb2/wire/fscc/ea-info.ts";
import { encodeFileDispositionInformationEx, FileDispositionFlag } from "../../../../src/smb2/wire/fscc/rename-info.ts";
import { decodeFileStandardInformation } from "../../../../src/smb2/wire/fscc/size-info.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import { basic, setBasic } from "../../../support/basic-information.ts";
import { bob, ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

const F = FileInformationClass;

let harness: ServerHarness;
let tree: SmbTree;

beforeEach(async () => {
  harness = await ServerHarness.start();
  tree = await harness.mount();
});

function number(file: SmbFile, informationClass: number, value: bigint): Promise<void> {
  const writer = new Writer();
  writer.i64(value);
  return file.setInfo(informationClass, writer.view());
}

async function standard(file: SmbFile) {
  return decodeFileStandardInformation(new Reader(await file.queryInfo(F.FileStandardInformation)));
}

describe("SET_INFO of sizes", () => {
  it("moves the end of file, and the allocation cuts it", async () => {
    const file = await tree.createFile("file");
    await file.write(0, "content");
    await number(file, F.FileEndOfFileInformation, 100n);
    expect((await standard(file)).endOfFile).toBe(100);
    await number(file, F.FileAllocationInformation, 1_000_000n);
    expect(await standard(file)).toMatchObject({ endOfFile: 100 });
    await number(file, F.FileAllocationInformation, 0n);
    expect(await standard(file)).toMatchObject({ endOfFile: 0, allocationSize: 0 });
  });

  // MS-FSA 2.1.5.15.1 <178>: FAT would cut at the byte, NTFS does not.
  it("cuts whole allocation units off, and nothing less", async () => {
    const unit = harness.volume.info.allocationUnit;
    const file = await tree.createFile("file");
    await file.write(0, Buffer.alloc(unit + 10, "x"));
    await number(file, F.FileAllocationInformation, BigInt(unit + 1));
    expect((await standard(file)).endOfFile).toBe(unit + 10);
    await number(file, F.FileAllocationInformation, 4n);
    expect(await standard(file)).toMatchObject({ endOfFile: unit, allocationSize: unit });
  });

  it.each([F.FileEndOfFileInformation, F.FileAllocationInformation])("checks class %i", async (informationClass) => {
    const file = await tree.createFile("file");
    const { maximumFileSize } = harness.volume.info;
    for (const size of [-1n, BigInt(maximumFileSize) + 1n, 0x7fff_ffff_ffff_ffffn]) {
      expect(await statusOf(number(file, informationClass, size))).toBe("STATUS_INVALID_PARAMETER");
    }
    const directory = await tree.createDirectory("dir");
    expect(await statusOf(number(directory, informationClass, 0n))).toBe("STATUS_INVALID_PARAMETER");
    const blind = await tree.create("file", { desiredAccess: Access.FILE_GENERIC_READ });
    expect(await statusOf(number(blind, informationClass, 0n))).toBe("STATUS_ACCESS_DENIED");
    expect(await statusOf(file.setInfo(informationClass, Buffer.alloc(7)))).toBe("STATUS_INFO_LENGTH_MISMATCH");
    expect(await statusOf(file.setInfo(informationClass, Buffer.alloc(0)))).toBe("STATUS_INVALID_PARAMETER");
  });

  it("keeps the position and the mode of the handle", async () => {
    const file = await tree.createFile("file");
    await number(file, F.FilePositionInformation, 17n);
    expect((await file.queryInfo(F.FilePositionInformation)).readBigInt64LE()).toBe(17n);
    expect(await statusOf(number(file, F.FilePositionInformation, -1n))).toBe("STATUS_INVALID_PARAMETER");
    await file.setInfo(F.FileModeInformation, Buffer.from([2, 0, 0, 0]));
    expect((await file.queryInfo(F.FileModeInformation)).readUInt32LE()).toBe(2);
    expect(await statusOf(file.setInfo(F.FileModeInformation, Buffer.from([0, 0x10, 0, 0])))).toBe(
      "STATUS_INVALID_PARAMETER",
    );
  });
});

describe("a handle without buffers", () => {
  it("stands at whole sectors, and writes through as it was opened", async () => {
    const file = await tree.createFile("file", { createOptions: CreateOption.NO_INTERMEDIATE_BUFFERING });
    expect(await statusOf(number(file, F.FilePositionInformation, 100n))).toBe("STATUS_INVALID_PARAMETER");
    await number(file, F.FilePositionInformation, 512n);
    expect((await file.queryInfo(F.FilePositionInformation)).readBigInt64LE()).toBe(512n);
    await file.setInfo(F.FileModeInformation, Buffer.from([6, 0, 0, 0]));
    expect((await file.queryInfo(F.FileModeInformation)).readUInt32LE()).toBe(0x0c);
  });
});

describe("FileDispositionInformation", () => {
  const dispose = (file: SmbFile, deletePending = true) =>
    file.setInfo(F.FileDispositionInformation, Buffer.from([deletePending ? 1 : 0]));
  const disposeEx = (file: SmbFile, flags: number) => {
    const writer = new Writer();
    encodeFileDispositionInformationEx(writer, flags);
    return file.setInfo(F.FileDispositionInformationEx, writer.view());
  };

  it("deletes with the last handle, unless it is taken back", async () => {
    const file = await tree.createFile("file");
    await dispose(file);
    expect(await statusOf(tree.create("file"))).toBe("STATUS_DELETE_PENDING");
    await dispose(file, false);
    await (await tree.create("file")).close();
    await dispose(file);
    await file.close();
    expect(await statusOf(tree.create("file"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
  });

  it("deletes a stream alone", async () => {
    await tree.put("file:stream", "data");
    const stream = await tree.create("file:stream");
    await dispose(stream);
    await stream.close();
    expect(await statusOf(tree.create("file:stream"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    await (await tree.create("file")).close();
  });

  it("refuses what cannot go", async () => {
    await tree.mkdir("dir");
    await tree.put("dir\\file", "");
    const directory = await tree.create("dir", { createOptions: CreateOption.DIRECTORY_FILE });
    expect(await statusOf(dispose(directory))).toBe("STATUS_DIRECTORY_NOT_EMPTY");
    const root = await tree.create("", { desiredAccess: Access.DELETE });
    expect(await statusOf(dispose(root))).toBe("STATUS_ACCESS_DENIED");
    const blind = await tree.create("dir\\file", { desiredAccess: Access.FILE_GENERIC_WRITE });
    expect(await statusOf(dispose(blind))).toBe("STATUS_ACCESS_DENIED");
    const readOnly = await tree.createFile("readonly", { fileAttributes: FileAttribute.READONLY });
    expect(await statusOf(dispose(readOnly))).toBe("STATUS_CANNOT_DELETE");
    const { DELETE, IGNORE_READONLY_ATTRIBUTE } = FileDispositionFlag;
    expect(await statusOf(disposeEx(readOnly, DELETE))).toBe("STATUS_CANNOT_DELETE");
    await disposeEx(readOnly, DELETE | IGNORE_READONLY_ATTRIBUTE);
    expect((await standard(readOnly)).deletePending).toBe(true);
  });

  it("knows the flags of the extended class", async () => {
    const { DELETE, ON_CLOSE } = FileDispositionFlag;
    const file = await tree.createFile("file");
    expect(await statusOf(disposeEx(file, 0x100))).toBe("STATUS_NOT_SUPPORTED");
    expect(await statusOf(disposeEx(file, DELETE | ON_CLOSE))).toBe("STATUS_NOT_SUPPORTED");
    const doomed = await tree.createFile("doomed", { createOptions: CreateOption.DELETE_ON_CLOSE });
    await disposeEx(doomed, ON_CLOSE);
    await doomed.close();
    await (await tree.create("doomed")).close();
  });

  it("takes a name away while other handles stay, with POSIX semantics", async () => {
    const { DELETE, POSIX_SEMANTICS } = FileDispositionFlag;
    await tree.put("file", "old");
    const reader = await tree.create("file");
    const deleter = await tree.create("file");
    await disposeEx(deleter, DELETE | POSIX_SEMANTICS);
    expect(await statusOf(tree.create("file"))).toBe("STATUS_DELETE_PENDING");
    await deleter.close();
    expect(await statusOf(tree.create("file"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    await tree.put("file", "new");
    expect((await reader.read(0, 10)).toString()).toBe("old");
    expect((await standard(reader)).deletePending).toBe(true);
    expect(await statusOf(dispose(reader, false))).toBe("STATUS_FILE_DELETED");
    await dispose(reader);
    await reader.close();
    expect((await tree.get("file")).toString()).toBe("new");
  });

  it("waits for the last handle when POSIX semantics are taken back", async () => {
    const { DELETE, POSIX_SEMANTICS } = FileDispositionFlag;
    const reader = await tree.createFile("file");
    const deleter = await tree.create("file");
    await disposeEx(deleter, DELETE | POSIX_SEMANTICS);
    await disposeEx(deleter, DELETE);
    await deleter.close();
    expect(await statusOf(tree.create("file"))).toBe("STATUS_DELETE_PENDING");
    await reader.close();
    expect(await statusOf(tree.create("file"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
  });
});

describe("SET_INFO of extended attributes", () => {
  it("marks a file for archiving", async () => {
    const file = await tree.createFile("file");
    await setBasic(file, { attributes: FileAttribute.NORMAL });
    const writer = new Writer();
    encodeFullEaList(writer, [{ name: "COLOUR", flags: 0, value: Buffer.from("red") }]);
    await file.setInfo(F.FileFullEaInformation, writer.view());
    expect((await basic(file)).attributes).toBe(FileAttribute.ARCHIVE);
  });
});

describe("SET_INFO of security descriptors", () => {
  const { OWNER, DACL, SACL } = SecurityInformation;
  const set = (file: SmbFile, additionalInformation: number, descriptor: Buffer) =>
    file.setInfo(0, descriptor, { infoType: InfoType.SECURITY, additionalInformation });
  const get = async (file: SmbFile, additionalInformation: number) =>
    readSecurityDescriptor(await file.queryInfo(0, { infoType: InfoType.SECURITY, additionalInformation }));
  const ownedBy = (owner: string) => serialiseSecurityDescriptor({ control: 0, resourceManagerControl: 0, owner });
  const readers = serialiseSecurityDescriptor({
    control: SecurityControl.DACL_PRESENT,
    resourceManagerControl: 0,
    dacl: {
      revision: 2,
      aces: [{ type: AceType.ACCESS_ALLOWED, flags: 0, mask: Access.FILE_GENERIC_READ, sid: WellKnownSid.EVERYONE }],
    },
  });

  it("replaces the part that is named, and later opens obey", async () => {
    const file = await tree.createFile("file");
    const { owner } = await get(file, OWNER);
    await set(file, DACL, readers);
    const now = await get(file, OWNER | DACL);
    expect(now.owner).toBe(owner);
    expect(now.dacl?.aces).toHaveLength(1);
    await file.close();
    expect(await statusOf(tree.create("file", { desiredAccess: Access.WRITE_DATA }))).toBe("STATUS_ACCESS_DENIED");
  });

  it("marks a file for archiving, and leaves a change time alone that the handle has set", async () => {
    const file = await tree.createFile("file");
    await setBasic(file, { attributes: FileAttribute.NORMAL, changeTime: 1234n });
    await set(file, DACL, readers);
    expect(await basic(file)).toMatchObject({ attributes: FileAttribute.ARCHIVE, changeTime: 1234n });
    const directory = await tree.createDirectory("dir");
    await set(directory, DACL, readers);
    expect((await basic(directory)).attributes).toBe(FileAttribute.DIRECTORY);
  });

  it("gives files only to owners whom the user may name", async () => {
    const file = await tree.createFile("file");
    expect(await statusOf(set(file, OWNER, ownedBy(WellKnownSid.EVERYONE)))).toBe("STATUS_INVALID_OWNER");
    const admin = await harness.mount("data", { account: bob });
    const taken = await admin.create("file", { desiredAccess: Access.WRITE_OWNER | Access.READ_CONTROL });
    await set(taken, OWNER, ownedBy(WellKnownSid.BUILTIN_ADMINISTRATORS));
    expect((await get(taken, OWNER)).owner).toBe(WellKnownSid.BUILTIN_ADMINISTRATORS);
  });

  it.each([
    [OWNER, Access.WRITE_DAC],
    [DACL, Access.WRITE_OWNER],
    [SACL, Access.WRITE_OWNER | Access.WRITE_DAC],
  ])("part %i takes more than right %i", async (part, desiredAccess) => {
    await tree.put("file", "");
    const file = await tree.create("file", { desiredAccess });
    expect(await statusOf(set(file, part, readers))).toBe("STATUS_ACCESS_DENIED");
  });

  it("refuses what is no descriptor", async () => {
    const file = await tree.createFile("file");
    expect(await statusOf(set(file, DACL, Buffer.alloc(10)))).toBe("STATUS_INVALID_SECURITY_DESCR");
  });
});

describe("SET_INFO elsewhere", () => {
  it("refuses what nobody keeps", async () => {
    const file = await tree.createFile("file");
    const options = { infoType: InfoType.FILESYSTEM };
    const { FileFsControlInformation, FileFsLabelInformation, FileFsSizeInformation } = FileSystemInformationClass;
    const set = (informationClass: number, length: number) =>
      statusOf(file.setInfo(informationClass, Buffer.alloc(length), options));
    expect(await set(FileFsControlInformation, 48)).toBe("STATUS_NOT_SUPPORTED");
    expect(await set(FileFsLabelInformation, 48)).toBe("STATUS_NOT_SUPPORTED");
    expect(await set(FileFsSizeInformation, 48)).toBe("STATUS_INVALID_INFO_CLASS");
    expect(await statusOf(file.setInfo(F.FileShortNameInformation, Buffer.alloc(8)))).toBe("STATUS_NOT_SUPPORTED");
    expect(await statusOf(file.setInfo(F.FileStandardInformation, Buffer.alloc(24)))).toBe("STATUS_INVALID_INFO_CLASS");
    expect(await statusOf(number(file, F.FileValidDataLengthInformation, 0n))).toBe("STATUS_PRIVILEGE_NOT_HELD");
  });

  it("writes nothing to a volume that can only be read", async () => {
    const readOnly = await ServerHarness.start({ volume: new MemoryVolume({ readOnly: true }) });
    const root = await (await readOnly.mount()).create("");
    expect(await statusOf(root.setInfo(F.FileBasicInformation, Buffer.alloc(40)))).toBe("STATUS_MEDIA_WRITE_PROTECTED");
  });

  it("takes the modes that pipes have, and no others", async () => {
    const pipe = await (await harness.mount("IPC$")).create("srvsvc");
    const mode = (readMode: number) =>
      statusOf(pipe.setInfo(F.FilePipeInformation, Buffer.from([readMode, 0, 0, 0, 0, 0, 0, 0])));
    expect([await mode(1), await mode(0), await mode(2)]).toEqual([
      "STATUS_SUCCESS",
      "STATUS_NOT_SUPPORTED",
      "STATUS_INVALID_PARAMETER",
    ]);
    expect(await statusOf(pipe.setInfo(F.FileBasicInformation, Buffer.alloc(40)))).toBe("STATUS_INVALID_PARAMETER");
  });
});
