// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { FileSystemAttribute } from "../../../../src/nt/attributes.ts";
import { readSecurityDescriptor } from "../../../../src/nt/security-descriptor.ts";
import { SecurityInformation } from "../../../../src/nt/security-information.ts";
import { NtStatus, statusName } from "../../../../src/nt/status.ts";
import { Dialect, EaQueryFlag, InfoType } from "../../../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import { decodeBufferTooSmallData, decodeErrorResponse } from "../../../../src/smb2/wire/error-response.ts";
import { decodeFileAllInformation } from "../../../../src/smb2/wire/fscc/all-info.ts";
import { FileInformationClass, FileSystemInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { decodeFullEaList, encodeFullEaList, encodeGetEaList } from "../../../../src/smb2/wire/fscc/ea-info.ts";
import {
  DeviceCharacteristic,
  decodeFileFsAttributeInformation,
  decodeFileFsDeviceInformation,
  decodeFileFsObjectIdInformation,
  decodeFileFsVolumeInformation,
} from "../../../../src/smb2/wire/fscc/fs-info.ts";
import { decodeFileNameInformation } from "../../../../src/smb2/wire/fscc/name-info.ts";
import { decodeFileIdInformation, decodeFileInternalInformation } from "../../../../src/smb2/wire/fscc/open-info.ts";
import { encodeFileLinkInformation, FileDispositionFlag } from "../../../../src/smb2/wire/fscc/rename-info.ts";
import { decodeFileStandardInformation } from "../../../../src/smb2/wire/fscc/size-info.ts";
import { decodeFileStreamInformation } from "../../../../src/smb2/wire/fscc/stream-info.ts";
import { decodeOutputBuffer } from "../../../../src/smb2/wire/output-buffer.ts";
import type { QueryInfoRequest } from "../../../../src/smb2/wire/query-info.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import { requests } from "../../../support/smb-requests.ts";

const F = FileInformationClass;
const FS = FileSystemInformationClass;
const FILE_SYSTEM = { infoType: InfoType.FILESYSTEM };

let harness: ServerHarness;
let tree: SmbTree;

beforeEach(async () => {
  harness = await ServerHarness.start();
  tree = await harness.mount();
});

async function query(file: SmbFile, informationClass: number, options: Partial<QueryInfoRequest> = {}) {
  return new Reader(await file.queryInfo(informationClass, options));
}

/** Status and output, also of a warning. */
async function raw(file: SmbFile, informationClass: number, options: Partial<QueryInfoRequest>) {
  const reply = await file.exchange(requests.queryInfo(file.fileId, informationClass, options));
  const status = statusName(reply.status);
  const hasOutput = reply.status === NtStatus.SUCCESS || reply.status === NtStatus.BUFFER_OVERFLOW;
  return { status, output: hasOutput ? decodeOutputBuffer(reply.reader, "QUERY_INFO response") : undefined, reply };
}

describe("QUERY_INFO of files", () => {
  it("tells sizes and names of a file and of a named stream of it", async () => {
    await tree.mkdir("dir");
    await tree.put("dir\\file.txt", "content");
    await tree.put("dir\\file.txt:other", "longer content");
    const file = await tree.create("dir\\FILE.TXT");
    const all = decodeFileAllInformation(await query(file, F.FileAllInformation));
    expect(all).toMatchObject({
      standard: { endOfFile: 7, numberOfLinks: 1, directory: false },
      name: "\\dir\\file.txt",
    });
    expect(decodeFileStreamInformation(await query(file, F.FileStreamInformation))).toMatchObject([
      { name: "", size: 7 },
      { name: "other", size: 14 },
    ]);
    const stream = await tree.create("dir\\file.txt:other");
    expect(decodeFileStandardInformation(await query(stream, F.FileStandardInformation)).endOfFile).toBe(14);
    expect(decodeFileNameInformation(await query(stream, F.FileNormalizedNameInformation))).toBe("dir\\file.txt:other");
    const id = decodeFileInternalInformation(await query(file, F.FileInternalInformation));
    expect(decodeFileIdInformation(await query(stream, F.FileIdInformation)).fileId).toBe(id);
  });

  it("does not know newer classes in older dialects", async () => {
    const old = await harness.mount("data", { negotiate: { dialects: [Dialect.SMB_2_1] } });
    const file = await old.createFile("file");
    expect(await statusOf(file.queryInfo(F.FileIdInformation))).toBe("STATUS_NOT_SUPPORTED");
    expect(await statusOf(file.queryInfo(F.FileNormalizedNameInformation))).toBe("STATUS_NOT_SUPPORTED");
  });

  it("asks for the right of each class", async () => {
    await tree.put("file", "content");
    const blind = await tree.create("file", { desiredAccess: Access.WRITE_DATA });
    for (const denied of [
      F.FileBasicInformation,
      F.FileAllInformation,
      F.FileNetworkOpenInformation,
      F.FileAttributeTagInformation,
      F.FileFullEaInformation,
    ]) {
      expect(await statusOf(blind.queryInfo(denied)), String(denied)).toBe("STATUS_ACCESS_DENIED");
    }
    expect((await query(blind, F.FileStandardInformation)).length).toBe(24);
    expect((await query(blind, F.FileAccessInformation)).u32()).toBe(Access.WRITE_DATA);
  });

  it.each([
    [F.FileBasicInformation, 39, "STATUS_INFO_LENGTH_MISMATCH"],
    [F.FileBasicInformation, 40, "STATUS_SUCCESS"],
    [F.FileAllInformation, 103, "STATUS_INFO_LENGTH_MISMATCH"],
    [F.FileAllInformation, 104, "STATUS_BUFFER_OVERFLOW"],
    [F.FileRenameInformation, 1000, "STATUS_INVALID_INFO_CLASS"],
    [F.FileHardLinkInformation, 1000, "STATUS_NOT_SUPPORTED"],
    [200, 1000, "STATUS_INVALID_INFO_CLASS"],
    [F.FileBasicInformation, 8 * 1024 * 1024 + 1, "STATUS_INVALID_PARAMETER"],
  ])("answers class %i with room for %i bytes: %s", async (informationClass, outputBufferLength, expected) => {
    const file = await tree.createFile("file with a name");
    const { status, output } = await raw(file, informationClass, { outputBufferLength });
    expect(status).toBe(expected);
    if (output !== undefined) expect(output.length).toBeLessThanOrEqual(outputBufferLength);
  });

  it.each([Dialect.SMB_3_0_2, Dialect.SMB_3_1_1])(
    "has no error data for a short buffer (dialect %i)",
    async (dialect) => {
      const file = await (await harness.mount("data", { negotiate: { dialects: [dialect] } })).createFile("file");
      for (const [informationClass, options] of [
        [F.FileBasicInformation, {}],
        [FS.FileFsSizeInformation, FILE_SYSTEM],
      ] as const) {
        const { status, reply } = await raw(file, informationClass, { ...options, outputBufferLength: 0 });
        expect(status).toBe("STATUS_INFO_LENGTH_MISMATCH");
        reply.reader.seek(64);
        const error = reply.reader.bytes(8).toString("hex");
        expect(error).toBe(dialect === Dialect.SMB_3_1_1 ? "0900010008000000" : "0900000000000000");
      }
    },
  );

  it("logs the class that it refuses", async () => {
    const file = await tree.createFile("file");
    await raw(file, 201, {});
    expect(harness.log).toContainEqual(
      expect.objectContaining({ level: "debug", fields: expect.objectContaining({ informationClass: 201 }) }),
    );
  });

  it("shows a deletion that waits, and gives up its link", async () => {
    const file = await tree.createFile("file");
    await file.setInfo(F.FileDispositionInformation, Buffer.from([1]));
    expect(decodeFileStandardInformation(await query(file, F.FileStandardInformation))).toMatchObject({
      deletePending: true,
      numberOfLinks: 0,
    });
  });

  it("counts the links that remain when one has gone with POSIX semantics", async () => {
    const { DELETE, POSIX_SEMANTICS } = FileDispositionFlag;
    const remaining = await tree.createFile("remaining");
    const writer = new Writer();
    encodeFileLinkInformation(writer, { replaceIfExists: false, rootDirectory: 0n, fileName: "going" });
    await remaining.setInfo(F.FileLinkInformation, writer.view());
    const reader = await tree.create("going");
    const deleter = await tree.create("going");
    await deleter.setInfo(F.FileDispositionInformationEx, Buffer.from([DELETE | POSIX_SEMANTICS, 0, 0, 0]));
    const standard = async (file: SmbFile) =>
      decodeFileStandardInformation(await query(file, F.FileStandardInformation));
    expect(await standard(remaining)).toMatchObject({ deletePending: false, numberOfLinks: 1 });
    await deleter.close();
    expect(await standard(remaining)).toMatchObject({ deletePending: false, numberOfLinks: 1 });
    expect(await standard(reader)).toMatchObject({ deletePending: true, numberOfLinks: 1 });
  });

  it("enumerates extended attributes from where the handle stands", async () => {
    const file = await tree.createFile("file");
    const list = new Writer();
    const value = Buffer.from("value");
    encodeFullEaList(
      list,
      ["ONE", "TWO", "THREE"].map((name) => ({ name, flags: 0, value })),
    );
    await file.setInfo(F.FileFullEaInformation, list.view());
    const names = async (options: Partial<QueryInfoRequest>) => {
      const { status, output } = await raw(file, F.FileFullEaInformation, options);
      return output === undefined ? status : decodeFullEaList(output).map(({ name }) => name);
    };
    const single = EaQueryFlag.RETURN_SINGLE_ENTRY;
    expect(await names({ flags: single })).toEqual(["ONE"]);
    expect(await names({ flags: single })).toEqual(["TWO"]);
    expect(await names({ flags: 0 })).toEqual(["THREE"]);
    expect(await names({ flags: 0 })).toBe("STATUS_NO_MORE_EAS");
    expect(await names({ flags: EaQueryFlag.RESTART_SCAN })).toEqual(["ONE", "TWO", "THREE"]);
    const index = EaQueryFlag.INDEX_SPECIFIED;
    expect(await names({ flags: index, additionalInformation: 3 })).toEqual(["THREE"]);
    expect(await names({ flags: index, additionalInformation: 5 })).toBe("STATUS_NONEXISTENT_EA_ENTRY");
    expect(await names({ flags: EaQueryFlag.RESTART_SCAN, outputBufferLength: 20 })).toEqual(["ONE"]);
    expect(await names({ flags: EaQueryFlag.RESTART_SCAN, outputBufferLength: 12 })).toBe("STATUS_BUFFER_TOO_SMALL");
    const wanted = new Writer();
    encodeGetEaList(wanted, ["two", "FOUR"]);
    const { output } = await raw(file, F.FileFullEaInformation, { input: wanted.view() });
    expect(decodeFullEaList(output ?? Buffer.alloc(0))).toMatchObject([
      { name: "TWO", value },
      { name: "FOUR", value: Buffer.alloc(0) },
    ]);
  });

  it("answers what a named pipe has", async () => {
    const ipc = await harness.mount("IPC$");
    const pipe = await ipc.create("srvsvc");
    expect((await query(pipe, F.FilePipeLocalInformation)).length).toBe(40);
    expect(decodeFileStandardInformation(await query(pipe, F.FileStandardInformation)).directory).toBe(false);
    expect(await statusOf(pipe.queryInfo(F.FileStreamInformation))).toBe("STATUS_INVALID_PARAMETER");
    expect(await statusOf(pipe.queryInfo(FS.FileFsSizeInformation, FILE_SYSTEM))).toBe("STATUS_INVALID_DEVICE_REQUEST");
  });
});

describe("QUERY_INFO of volumes", () => {
  it("describes the volume", async () => {
    const root = await tree.create("");
    const { info } = harness.volume;
    expect(decodeFileFsVolumeInformation(await query(root, FS.FileFsVolumeInformation, FILE_SYSTEM))).toMatchObject({
      serialNumber: info.serialNumber,
      label: info.label,
    });
    const { attributes } = decodeFileFsAttributeInformation(
      await query(root, FS.FileFsAttributeInformation, FILE_SYSTEM),
    );
    expect(attributes & FileSystemAttribute.SUPPORTS_OPEN_BY_FILE_ID).toBe(0);
    expect(attributes & FileSystemAttribute.READ_ONLY_VOLUME).toBe(0);
    const id = async () =>
      decodeFileFsObjectIdInformation(await query(root, FS.FileFsObjectIdInformation, FILE_SYSTEM)).objectId;
    expect(await id()).toEqual(await id());
    expect(await statusOf(root.queryInfo(FS.FileFsLabelInformation, FILE_SYSTEM))).toBe("STATUS_NOT_SUPPORTED");
    expect(await statusOf(root.queryInfo(1, { infoType: InfoType.QUOTA }))).toBe("STATUS_NOT_SUPPORTED");
  });

  it("says where the share can only be read", async () => {
    const readOnly = await ServerHarness.start({ share: { readOnly: true } });
    const root = await (await readOnly.mount()).create("");
    const info = decodeFileFsAttributeInformation(await query(root, FS.FileFsAttributeInformation, FILE_SYSTEM));
    expect(info.attributes & FileSystemAttribute.READ_ONLY_VOLUME).not.toBe(0);
    const device = decodeFileFsDeviceInformation(await query(root, FS.FileFsDeviceInformation, FILE_SYSTEM));
    expect(device.characteristics & DeviceCharacteristic.READ_ONLY_DEVICE).not.toBe(0);
  });
});

describe("QUERY_INFO of security descriptors", () => {
  const { OWNER, DACL, SACL } = SecurityInformation;
  const security = (additionalInformation: number, outputBufferLength = 4096) => ({
    infoType: InfoType.SECURITY,
    additionalInformation,
    outputBufferLength,
  });

  it("returns the parts that were asked for", async () => {
    const file = await tree.createFile("file");
    const descriptor = readSecurityDescriptor(await file.queryInfo(0, security(OWNER)));
    expect(descriptor.owner).toMatch(/^S-1-5-21-/);
    expect(descriptor.dacl).toBeUndefined();
    expect(await statusOf(file.queryInfo(0, security(SACL)))).toBe("STATUS_ACCESS_DENIED");
    const blind = await tree.create("file", { desiredAccess: Access.READ_DATA });
    expect(await statusOf(blind.queryInfo(0, security(DACL)))).toBe("STATUS_ACCESS_DENIED");
  });

  it.each([Dialect.SMB_3_0_2, Dialect.SMB_3_1_1])("tells how much room it needs (dialect %i)", async (dialect) => {
    const client = await harness.mount("data", { negotiate: { dialects: [dialect] } });
    const file = await client.createFile("file");
    const whole = await file.queryInfo(0, security(OWNER | DACL));
    const { status, reply } = await raw(file, 0, security(OWNER | DACL, whole.length - 1));
    expect(status).toBe("STATUS_BUFFER_TOO_SMALL");
    reply.reader.seek(64);
    const { contexts, data } = decodeErrorResponse(reply.reader);
    expect(decodeBufferTooSmallData(contexts[0]?.data ?? data)).toBe(whole.length);
    expect(contexts.length).toBe(dialect === Dialect.SMB_3_1_1 ? 1 : 0);
  });
});
