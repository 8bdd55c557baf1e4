// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { FileAttribute } from "../../../../src/nt/attributes.ts";
import { CreateOption } from "../../../../src/smb2/wire/constants.ts";
import { Reader } from "../../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { CompressionFormat, decodeFileCompressionInformation } from "../../../../src/smb2/wire/fscc/size-info.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { CompressingVolume } from "../../../support/compressing-volume.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

const ALL_BUT_WRITE_DATA = Access.READ_DATA | Access.APPEND_DATA | Access.WRITE_ATTRIBUTES | Access.WRITE_EA;

const state = (format: number) => Buffer.of(format & 0xff, format >> 8);

const set = (file: SmbFile, format: number) => statusOf(file.ioctl(Fsctl.SET_COMPRESSION, state(format)));

async function get(file: SmbFile): Promise<number> {
  return (await file.ioctl(Fsctl.GET_COMPRESSION, undefined, { maxOutputResponse: 2 })).readUInt16LE(0);
}

describe("compression on a volume that compresses", () => {
  let tree: SmbTree;

  beforeEach(async () => {
    tree = await (await ServerHarness.start({ volume: new CompressingVolume() })).mount();
  });

  it.each([CompressionFormat.DEFAULT, CompressionFormat.LZNT1])(
    "is switched on with format %i, and off",
    async (format) => {
      const file = await tree.createFile("file");
      expect(await get(file)).toBe(CompressionFormat.NONE);
      expect(await set(file, format)).toBe("STATUS_SUCCESS");
      expect(await get(file)).toBe(CompressionFormat.LZNT1);
      expect(await set(file, format)).toBe("STATUS_SUCCESS");
      expect(await set(file, CompressionFormat.NONE)).toBe("STATUS_SUCCESS");
      expect(await get(file)).toBe(CompressionFormat.NONE);
    },
  );

  it("shows in the attributes and in FileCompressionInformation", async () => {
    const file = await tree.createFile("file");
    await set(file, CompressionFormat.LZNT1);
    const { response } = await tree.create("file");
    expect(response.fileAttributes & FileAttribute.COMPRESSED).not.toBe(0);
    const info = await file.queryInfo(FileInformationClass.FileCompressionInformation);
    expect(decodeFileCompressionInformation(new Reader(info)).compressionFormat).toBe(CompressionFormat.LZNT1);
  });

  it("is taken over from the directory, unless the client wants none", async () => {
    const directory = await tree.createDirectory("dir");
    await set(directory, CompressionFormat.LZNT1);
    expect(await get(await tree.createFile("dir\\file"))).toBe(CompressionFormat.LZNT1);
    const plain = await tree.createFile("dir\\plain", { createOptions: CreateOption.NO_COMPRESSION });
    expect(await get(plain)).toBe(CompressionFormat.NONE);
    expect(plain.response.fileAttributes & FileAttribute.COMPRESSED).toBe(0);
  });

  it("refuses unknown formats and short buffers, and changes nothing", async () => {
    const file = await tree.createFile("file");
    expect(await set(file, 3)).toBe("STATUS_INVALID_PARAMETER");
    expect(await statusOf(file.ioctl(Fsctl.SET_COMPRESSION, Buffer.of(2)))).toBe("STATUS_INVALID_PARAMETER");
    const short = file.ioctl(Fsctl.GET_COMPRESSION, undefined, { maxOutputResponse: 1 });
    expect(await statusOf(short)).toBe("STATUS_INVALID_PARAMETER");
    expect(await get(file)).toBe(CompressionFormat.NONE);
  });

  it("needs the right to write to be switched, and none to be asked for", async () => {
    const file = await tree.createFile("file", { desiredAccess: ALL_BUT_WRITE_DATA });
    expect(await set(file, CompressionFormat.LZNT1)).toBe("STATUS_ACCESS_DENIED");
    expect(await set(file, CompressionFormat.NONE)).toBe("STATUS_ACCESS_DENIED");
    expect(await get(file)).toBe(CompressionFormat.NONE);
    const writer = await tree.create("file", { desiredAccess: Access.WRITE_DATA });
    expect(await set(writer, CompressionFormat.LZNT1)).toBe("STATUS_SUCCESS");
    expect(await get(file)).toBe(CompressionFormat.LZNT1);
  });

  it("is not switched on where nothing can be written", async () => {
    const readOnly = await (await ServerHarness.start({ volume: new CompressingVolume(true) })).mount();
    expect(await set(await readOnly.create(""), CompressionFormat.LZNT1)).toBe("STATUS_MEDIA_WRITE_PROTECTED");
  });
});

describe("compression on a volume that does not compress", () => {
  it("is none, and can be nothing else", async () => {
    const file = await (await (await ServerHarness.start()).mount()).createFile("file");
    expect(await get(file)).toBe(CompressionFormat.NONE);
    expect(await set(file, CompressionFormat.NONE)).toBe("STATUS_SUCCESS");
    expect(await set(file, CompressionFormat.DEFAULT)).toBe("STATUS_NOT_SUPPORTED");
  });
});
