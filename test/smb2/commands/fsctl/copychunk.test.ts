// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { statusName } from "../../../../src/nt/status.ts";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import {
  decodeSrvCopychunkResponse,
  encodeSrvCopychunkCopy,
  type SrvCopychunk,
  type SrvCopychunkResponse,
} from "../../../../src/smb2/wire/fscc/copychunk.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { decodeIoctlResponse } from "../../../../src/smb2/wire/ioctl.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import { requests } from "../../../support/smb-requests.ts";

const MIB = 1024 * 1024;
const LIMITS = { chunksWritten: 256, chunkBytesWritten: MIB, totalBytesWritten: 16 * MIB };

const chunk = (sourceOffset: number | bigint, targetOffset: number | bigint, length: number): SrvCopychunk => ({
  sourceOffset: BigInt(sourceOffset),
  targetOffset: BigInt(targetOffset),
  length,
});

function copyInput(key: Buffer, chunks: readonly SrvCopychunk[]): Buffer {
  const writer = new Writer();
  encodeSrvCopychunkCopy(writer, key, chunks);
  return writer.view();
}

async function keyOf(file: SmbFile): Promise<Buffer> {
  return (await file.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY)).subarray(0, 24);
}

interface Answer {
  readonly status: string;
  /** The 12 bytes, where they came. */
  readonly result?: SrvCopychunkResponse;
}

async function copy(
  target: SmbFile,
  input: Buffer,
  { code = Fsctl.SRV_COPYCHUNK as number, maxOutputResponse = 12 } = {},
): Promise<Answer> {
  const reply = await target.exchange(requests.ioctl(code, target.fileId, { input, maxOutputResponse }));
  const status = statusName(reply.status).replace("STATUS_", "");
  if (reply.message.readUInt16LE(64) !== 49) return { status };
  const { output } = decodeIoctlResponse(reply.reader);
  expect(output).toHaveLength(12);
  return { status, result: decodeSrvCopychunkResponse(new Reader(output)) };
}

const done = (chunksWritten: number, totalBytesWritten: number): Answer => ({
  status: "SUCCESS",
  result: { chunksWritten, chunkBytesWritten: 0, totalBytesWritten },
});

describe("FSCTL_SRV_COPYCHUNK", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let source: SmbFile;
  let target: SmbFile;
  let key: Buffer;

  beforeEach(async () => {
    harness = await ServerHarness.start({ shares: { other: { volume: new MemoryVolume() } } });
    tree = await harness.mount();
    await tree.put("source", "0123456789");
    source = await tree.create("source", { desiredAccess: Access.GENERIC_READ });
    target = await tree.createFile("target");
    key = await keyOf(source);
  });

  it("copies chunk by chunk", async () => {
    const chunks = [chunk(0, 0, 5), chunk(5, 20, 5), chunk(2, 10, 3)];
    expect(await copy(target, copyInput(key, chunks))).toEqual(done(3, 13));
    expect((await target.read(0, 100)).toString()).toBe("01234\0\0\0\0\x00234\0\0\0\0\0\0\x0056789");
  });

  it("copies nothing where no chunk is given, as macOS asks to learn the limits", async () => {
    expect(await copy(target, copyInput(key, []))).toEqual(done(0, 0));
  });

  it.each([0, 4, 8])("gives the source as it was where a file is copied over itself, %i bytes on", async (offset) => {
    const file = await tree.create("source");
    const own = await keyOf(file);
    expect(await copy(file, copyInput(own, [chunk(0, offset, 10)]))).toEqual(done(1, 10));
    const expected = Buffer.alloc(10 + offset);
    expected.write("0123456789");
    expected.write("0123456789", offset);
    expect(await file.read(0, 100)).toEqual(expected);
    expect(await copy(file, copyInput(own, [chunk(offset, 0, 10)]))).toEqual(done(1, 10));
    expect((await file.read(0, 10)).toString()).toBe("0123456789");
  });

  it("copies to another share and another volume", async () => {
    const other = await tree.session.treeConnect("other");
    const far = await other.createFile("far");
    expect(await copy(far, copyInput(key, [chunk(0, 0, 10)]))).toEqual(done(1, 10));
    expect((await far.read(0, 10)).toString()).toBe("0123456789");
  });

  describe("answers with its limits, in 12 bytes, for", () => {
    const limits = { status: "INVALID_PARAMETER", result: LIMITS };

    it.each<[string, SrvCopychunk[]]>([
      ["too many chunks", Array.from({ length: 257 }, () => chunk(0, 0, 1))],
      ["a chunk too long", [chunk(0, 0, MIB + 1)]],
      ["an empty chunk", [chunk(0, 0, 1), chunk(0, 0, 0)]],
      ["too many bytes", Array.from({ length: 17 }, () => chunk(0, 0, MIB))],
      ["a negative target offset", [chunk(0, 0xffff_ffff_ffff_fff0n, 1)]],
    ])("%s", async (_, chunks) => {
      expect(await copy(target, copyInput(key, chunks))).toEqual(limits);
      expect(await target.read(0, 0)).toHaveLength(0);
      expect((await tree.create("target")).response.endOfFile).toBe(0n);
    });

    it("fewer chunks than announced", async () => {
      expect(await copy(target, copyInput(key, [chunk(0, 0, 1), chunk(1, 1, 1)]).subarray(0, 32 + 24))).toEqual(limits);
    });

    it("and takes just as much as they say", async () => {
      const big = await tree.createFile("big");
      await big.write(0, Buffer.alloc(MIB, 5));
      const chunks = Array.from({ length: 16 }, (_, index) => chunk(0, index * MIB, MIB));
      expect(await copy(target, copyInput(await keyOf(big), chunks))).toEqual(done(16, 16 * MIB));
      const many = Array.from({ length: 256 }, (_, index) => chunk(index, index, 1));
      expect(await copy(target, copyInput(await keyOf(big), many))).toEqual(done(256, 256));
    });
  });

  it("reports what was copied before the source's end", async () => {
    const result = { chunksWritten: 1, chunkBytesWritten: 0, totalBytesWritten: 5 };
    const chunks = [chunk(0, 0, 5), chunk(8, 5, 5), chunk(0, 10, 5)];
    expect(await copy(target, copyInput(key, chunks))).toEqual({ status: "INVALID_VIEW_SIZE", result });
    expect((await target.read(0, 100)).toString()).toBe("01234");
  });

  it("copies chunks that follow each other, and says which one it could not", async () => {
    expect(await copy(target, copyInput(key, [chunk(0, 0, 2), chunk(2, 2, 3), chunk(5, 5, 5)]))).toEqual(done(3, 10));
    expect((await target.read(0, 100)).toString()).toBe("0123456789");
    const fresh = await tree.createFile("fresh");
    const result = { chunksWritten: 2, chunkBytesWritten: 0, totalBytesWritten: 6 };
    const beyond = [chunk(3, 0, 3), chunk(6, 3, 3), chunk(9, 6, 3), chunk(0, 9, 3)];
    expect(await copy(fresh, copyInput(key, beyond))).toEqual({ status: "INVALID_VIEW_SIZE", result });
    expect((await fresh.read(0, 100)).toString()).toBe("345678");
  });

  it("copies within one file in the order of the chunks", async () => {
    const file = await tree.create("source");
    expect(await copy(file, copyInput(await keyOf(file), [chunk(0, 2, 2), chunk(2, 4, 2), chunk(4, 6, 2)]))).toEqual(
      done(3, 6),
    );
    expect((await file.read(0, 100)).toString()).toBe("0101010189");
  });

  it("refuses a key that is not one", async () => {
    const forged = Buffer.from(key);
    forged[0] = (forged[0] ?? 0) ^ 1;
    for (const bad of [forged, Buffer.alloc(24)]) {
      expect(await copy(target, copyInput(bad, [chunk(0, 0, 1)]))).toEqual({ status: "OBJECT_NAME_NOT_FOUND" });
    }
  });

  it("refuses the key of a handle that was closed", async () => {
    await source.close();
    expect(await copy(target, copyInput(key, [chunk(0, 0, 1)]))).toEqual({ status: "OBJECT_NAME_NOT_FOUND" });
    expect(harness.server.resumeKeys.size).toBe(0);
  });

  it("refuses the key of another session, of the same user too", async () => {
    const stranger = await harness.mount();
    const file = await stranger.createFile("stolen");
    expect(await copy(file, copyInput(key, [chunk(0, 0, 10)]))).toEqual({ status: "OBJECT_NAME_NOT_FOUND" });
  });

  it("gives one handle one key, and different handles different ones", async () => {
    expect(await keyOf(source)).toEqual(key);
    expect(await keyOf(await tree.create("source"))).not.toEqual(key);
  });

  it("needs the rights to read the source and to write the target", async () => {
    const input = copyInput(key, [chunk(0, 0, 1)]);
    const blind = await tree.create("source", { desiredAccess: Access.READ_ATTRIBUTES });
    expect((await copy(target, copyInput(await keyOf(blind), [chunk(0, 0, 1)]))).status).toBe("ACCESS_DENIED");
    const readOnly = await tree.create("target", { desiredAccess: Access.READ_DATA });
    expect((await copy(readOnly, input)).status).toBe("ACCESS_DENIED");
    const writeOnly = await tree.create("target", { desiredAccess: Access.WRITE_DATA });
    expect((await copy(writeOnly, input)).status).toBe("ACCESS_DENIED");
    expect(await copy(writeOnly, input, { code: Fsctl.SRV_COPYCHUNK_WRITE })).toEqual(done(1, 1));
  });

  it("respects locks on both sides, and its own", async () => {
    const other = await tree.create("source");
    await other.lock(4, 2);
    const conflict = (chunksWritten: number, totalBytesWritten: number) => ({
      status: "FILE_LOCK_CONFLICT",
      result: { chunksWritten, chunkBytesWritten: 0, totalBytesWritten },
    });
    expect(await copy(target, copyInput(key, [chunk(0, 0, 4), chunk(4, 4, 1)]))).toEqual(conflict(1, 4));
    await other.unlock(4, 2);
    const writer = await tree.create("target");
    await writer.lock(0, 1);
    expect(await copy(target, copyInput(key, [chunk(0, 0, 1)]))).toEqual(conflict(0, 0));
    await writer.close();
    await target.lock(0, 100);
    expect(await copy(target, copyInput(key, [chunk(0, 0, 1)]))).toEqual(done(1, 1));
  });

  it("needs room for its answer", async () => {
    const input = copyInput(key, [chunk(0, 0, 1)]);
    expect(await copy(target, input, { maxOutputResponse: 11 })).toEqual({ status: "INVALID_PARAMETER" });
    const short = target.exchange(
      requests.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY, target.fileId, { maxOutputResponse: 31 }),
    );
    expect(statusName((await short).status)).toBe("STATUS_INVALID_PARAMETER");
  });

  it("needs its whole header", async () => {
    const input = copyInput(key, []);
    for (const length of [0, 1, 24, 31]) {
      expect((await copy(target, input.subarray(0, length))).status).toBe("INVALID_PARAMETER");
    }
  });

  it("is not for directories or pipes", async () => {
    const directory = await tree.createDirectory("dir");
    expect((await copy(directory, copyInput(key, [chunk(0, 0, 1)]))).status).toBe("INVALID_DEVICE_REQUEST");
    const fromDirectory = copyInput(await keyOf(directory), [chunk(0, 0, 1)]);
    expect((await copy(target, fromDirectory)).status).toBe("INVALID_DEVICE_REQUEST");
    const pipe = await (await tree.session.treeConnect("IPC$")).create("srvsvc");
    expect(await copy(pipe, copyInput(key, [chunk(0, 0, 1)]))).toEqual({ status: "INVALID_PARAMETER", result: LIMITS });
    expect(await statusOf(keyOf(pipe))).toBe("STATUS_INVALID_DEVICE_REQUEST");
  });

  it("copies between streams", async () => {
    const stream = await tree.createFile("target:stream");
    expect(await copy(stream, copyInput(key, [chunk(0, 0, 10)]))).toEqual(done(1, 10));
    expect((await stream.read(0, 10)).toString()).toBe("0123456789");
    expect(await tree.get("target")).toHaveLength(0);
  });
});
