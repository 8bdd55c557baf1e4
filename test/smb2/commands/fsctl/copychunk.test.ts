// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { statusName } from "../../../../src/nt/status.ts";
import { ShareAccess } from "../../../../src/smb2/wire/constants.ts";
import { NO_FILE_ID } from "../../../../src/smb2/wire/file-id.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import type { SrvCopychunk } from "../../../../src/smb2/wire/fscc/copychunk.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { decodeIoctlResponse } from "../../../../src/smb2/wire/ioctl.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import {
  chunk,
  copied,
  copyAnswer,
  copychunk,
  copyInput,
  keyOf,
  submitCopy,
} from "../../../support/copychunk-client.ts";
import { ServerHarness, settle, statusOf } from "../../../support/server-harness.ts";
import { Gate, slowVolume } from "../../../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import { requests } from "../../../support/smb-requests.ts";

const MIB = 1024 * 1024;
const LIMITS = { chunksWritten: 256, chunkBytesWritten: MIB, totalBytesWritten: 16 * MIB };

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
    expect(await copychunk(target, copyInput(key, chunks))).toEqual(copied(3, 13));
    expect((await target.read(0, 100)).toString()).toBe("01234\0\0\0\0\x00234\0\0\0\0\0\0\x0056789");
  });

  it("copies nothing where no chunk is given", async () => {
    expect(await copychunk(target, copyInput(key, []))).toEqual(copied(0, 0));
    expect((await tree.create("target")).response.endOfFile).toBe(0n);
  });

  it("answers the compound with which macOS finds out whether the server copies", async () => {
    const rights = Access.READ_DATA | Access.READ_ATTRIBUTES | Access.READ_EA;
    for (const name of ["", "source"]) {
      const replies = await tree.compound([
        requests.create(name, { desiredAccess: rights, shareAccess: ShareAccess.READ }),
        requests.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY, NO_FILE_ID, { maxOutputResponse: 32 }),
        requests.close(),
      ]);
      expect(replies.map(({ status }) => statusName(status))).toEqual(Array(3).fill("STATUS_SUCCESS"));
      expect(replies.map(({ header }) => header.asyncId)).toEqual([0n, 0n, 0n]);
      const answer = replies[1];
      if (answer === undefined) throw new Error("no answer");
      expect(decodeIoctlResponse(answer.reader).output).toHaveLength(32);
    }
    expect(harness.server.resumeKeys.size).toBe(1);
  });

  it("appends at the target offset -1", async () => {
    await target.write(0, "abc");
    const end = 0xffff_ffff_ffff_ffffn;
    expect(await copychunk(target, copyInput(key, [chunk(0, end, 4), chunk(4, end, 2)]))).toEqual(copied(2, 6));
    expect((await target.read(0, 100)).toString()).toBe("abc012345");
  });

  it("writes nothing that is there already for who may only append", async () => {
    await target.write(0, "abc");
    const appender = await tree.create("target", { desiredAccess: Access.APPEND_DATA | Access.READ_DATA });
    expect((await copychunk(appender, copyInput(key, [chunk(0, 2, 4)]))).status).toBe("ACCESS_DENIED");
    expect(await copychunk(appender, copyInput(key, [chunk(0, 3, 4)]))).toEqual(copied(1, 4));
    expect((await target.read(0, 100)).toString()).toBe("abc0123");
  });

  it("fills with zeros what lies between the end of the target and a chunk", async () => {
    expect(await copychunk(target, copyInput(key, [chunk(0, 4, 2)]))).toEqual(copied(1, 2));
    expect((await target.read(0, 100)).toString()).toBe("\0\0\0\x0001");
  });

  it("refuses ranges beyond what offsets can express, and beyond the largest file", async () => {
    const none = { chunksWritten: 0, chunkBytesWritten: 0, totalBytesWritten: 0 };
    const last = 0x7fff_ffff_ffff_ffffn;
    expect(await copychunk(target, copyInput(key, [chunk(0, last, 1)]))).toEqual({
      status: "INVALID_PARAMETER",
      result: none,
    });
    expect(await copychunk(target, copyInput(key, [chunk(0, last - 10n, 1)]))).toEqual({
      status: "DISK_FULL",
      result: none,
    });
    expect(await copychunk(target, copyInput(key, [chunk(2n ** 64n - 1n, 0, 1)]))).toEqual({
      status: "INVALID_PARAMETER",
      result: none,
    });
  });

  it.each([0, 4, 8])("gives the source as it was where a file is copied over itself, %i bytes on", async (offset) => {
    const file = await tree.create("source");
    const own = await keyOf(file);
    expect(await copychunk(file, copyInput(own, [chunk(0, offset, 10)]))).toEqual(copied(1, 10));
    const expected = Buffer.alloc(10 + offset);
    expected.write("0123456789");
    expected.write("0123456789", offset);
    expect(await file.read(0, 100)).toEqual(expected);
    expect(await copychunk(file, copyInput(own, [chunk(offset, 0, 10)]))).toEqual(copied(1, 10));
    expect((await file.read(0, 10)).toString()).toBe("0123456789");
  });

  it("copies to another share and another volume", async () => {
    const other = await tree.session.treeConnect("other");
    const far = await other.createFile("far");
    expect(await copychunk(far, copyInput(key, [chunk(0, 0, 10)]))).toEqual(copied(1, 10));
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
      expect(await copychunk(target, copyInput(key, chunks))).toEqual(limits);
      expect(await target.read(0, 0)).toHaveLength(0);
      expect((await tree.create("target")).response.endOfFile).toBe(0n);
    });

    it("fewer chunks than announced", async () => {
      expect(await copychunk(target, copyInput(key, [chunk(0, 0, 1), chunk(1, 1, 1)]).subarray(0, 32 + 24))).toEqual(
        limits,
      );
    });

    it("and takes just as much as they say", async () => {
      const big = await tree.createFile("big");
      await big.write(0, Buffer.alloc(MIB, 5));
      const chunks = Array.from({ length: 16 }, (_, index) => chunk(0, index * MIB, MIB));
      expect(await copychunk(target, copyInput(await keyOf(big), chunks))).toEqual(copied(16, 16 * MIB));
      const many = Array.from({ length: 256 }, (_, index) => chunk(index, index, 1));
      expect(await copychunk(target, copyInput(await keyOf(big), many))).toEqual(copied(256, 256));
    });
  });

  it("reports what was copied before the source's end", async () => {
    const result = { chunksWritten: 1, chunkBytesWritten: 0, totalBytesWritten: 5 };
    const chunks = [chunk(0, 0, 5), chunk(8, 5, 5), chunk(0, 10, 5)];
    expect(await copychunk(target, copyInput(key, chunks))).toEqual({ status: "INVALID_VIEW_SIZE", result });
    expect((await target.read(0, 100)).toString()).toBe("01234");
  });

  it("copies chunks that follow each other, and says which one it could not", async () => {
    expect(await copychunk(target, copyInput(key, [chunk(0, 0, 2), chunk(2, 2, 3), chunk(5, 5, 5)]))).toEqual(
      copied(3, 10),
    );
    expect((await target.read(0, 100)).toString()).toBe("0123456789");
    const fresh = await tree.createFile("fresh");
    const result = { chunksWritten: 2, chunkBytesWritten: 0, totalBytesWritten: 6 };
    const beyond = [chunk(3, 0, 3), chunk(6, 3, 3), chunk(9, 6, 3), chunk(0, 9, 3)];
    expect(await copychunk(fresh, copyInput(key, beyond))).toEqual({ status: "INVALID_VIEW_SIZE", result });
    expect((await fresh.read(0, 100)).toString()).toBe("345678");
  });

  it("copies within one file in the order of the chunks", async () => {
    const file = await tree.create("source");
    expect(
      await copychunk(file, copyInput(await keyOf(file), [chunk(0, 2, 2), chunk(2, 4, 2), chunk(4, 6, 2)])),
    ).toEqual(copied(3, 6));
    expect((await file.read(0, 100)).toString()).toBe("0101010189");
  });

  it("refuses a key that is not one", async () => {
    const forged = Buffer.from(key);
    forged[0] = (forged[0] ?? 0) ^ 1;
    for (const bad of [forged, Buffer.alloc(24)]) {
      expect(await copychunk(target, copyInput(bad, [chunk(0, 0, 1)]))).toEqual({ status: "OBJECT_NAME_NOT_FOUND" });
    }
  });

  it("answers with its limits where the header is cut off behind the key, and takes no shorter one", async () => {
    const input = copyInput(key, []);
    for (const length of [24, 31]) {
      expect(await copychunk(target, input.subarray(0, length))).toEqual({
        status: "INVALID_PARAMETER",
        result: LIMITS,
      });
    }
    for (const length of [0, 1, 23]) {
      expect(await copychunk(target, input.subarray(0, length))).toEqual({ status: "INVALID_PARAMETER" });
    }
  });

  it("refuses the key of a handle that was closed", async () => {
    await source.close();
    expect(await copychunk(target, copyInput(key, [chunk(0, 0, 1)]))).toEqual({ status: "OBJECT_NAME_NOT_FOUND" });
    expect(harness.server.resumeKeys.size).toBe(0);
  });

  it("refuses the key of another session, of the same user too", async () => {
    const stranger = await harness.mount();
    const file = await stranger.createFile("stolen");
    expect(await copychunk(file, copyInput(key, [chunk(0, 0, 10)]))).toEqual({ status: "OBJECT_NAME_NOT_FOUND" });
  });

  it("gives one handle one key, and different handles different ones", async () => {
    expect(await keyOf(source)).toEqual(key);
    expect(await keyOf(await tree.create("source"))).not.toEqual(key);
  });

  it("needs the rights to read the source and to write the target", async () => {
    const input = copyInput(key, [chunk(0, 0, 1)]);
    const blind = await tree.create("source", { desiredAccess: Access.READ_ATTRIBUTES });
    expect((await copychunk(target, copyInput(await keyOf(blind), [chunk(0, 0, 1)]))).status).toBe("ACCESS_DENIED");
    const readOnly = await tree.create("target", { desiredAccess: Access.READ_DATA });
    expect((await copychunk(readOnly, input)).status).toBe("ACCESS_DENIED");
    const writeOnly = await tree.create("target", { desiredAccess: Access.WRITE_DATA });
    expect((await copychunk(writeOnly, input)).status).toBe("ACCESS_DENIED");
    expect(await copychunk(writeOnly, input, { code: Fsctl.SRV_COPYCHUNK_WRITE })).toEqual(copied(1, 1));
  });

  it("respects locks on both sides, and its own", async () => {
    const other = await tree.create("source");
    await other.lock(4, 2);
    const conflict = (chunksWritten: number, totalBytesWritten: number) => ({
      status: "FILE_LOCK_CONFLICT",
      result: { chunksWritten, chunkBytesWritten: 0, totalBytesWritten },
    });
    expect(await copychunk(target, copyInput(key, [chunk(0, 0, 4), chunk(4, 4, 1)]))).toEqual(conflict(1, 4));
    await other.unlock(4, 2);
    const writer = await tree.create("target");
    await writer.lock(0, 1);
    expect(await copychunk(target, copyInput(key, [chunk(0, 0, 1)]))).toEqual(conflict(0, 0));
    await writer.close();
    await target.lock(0, 100);
    expect(await copychunk(target, copyInput(key, [chunk(0, 0, 1)]))).toEqual(copied(1, 1));
  });

  it("needs room for its answer, once the key is known to be right", async () => {
    const input = copyInput(key, [chunk(0, 0, 1)]);
    expect(await copychunk(target, input, { maxOutputResponse: 11 })).toEqual({ status: "INVALID_PARAMETER" });
    const stranger = copyInput(Buffer.alloc(24), [chunk(0, 0, 1)]);
    expect(await copychunk(target, stranger, { maxOutputResponse: 11 })).toEqual({ status: "OBJECT_NAME_NOT_FOUND" });
    const short = target.exchange(
      requests.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY, target.fileId, { maxOutputResponse: 31 }),
    );
    expect(statusName((await short).status)).toBe("STATUS_INVALID_PARAMETER");
  });

  it("is not for directories or pipes", async () => {
    const directory = await tree.createDirectory("dir");
    expect((await copychunk(directory, copyInput(key, [chunk(0, 0, 1)]))).status).toBe("INVALID_DEVICE_REQUEST");
    const fromDirectory = copyInput(await keyOf(directory), [chunk(0, 0, 1)]);
    expect((await copychunk(target, fromDirectory)).status).toBe("INVALID_DEVICE_REQUEST");
    const pipe = await (await tree.session.treeConnect("IPC$")).create("srvsvc");
    expect(await copychunk(pipe, copyInput(key, [chunk(0, 0, 1)]))).toEqual({
      status: "INVALID_PARAMETER",
      result: LIMITS,
    });
    expect(await statusOf(keyOf(pipe))).toBe("STATUS_INVALID_DEVICE_REQUEST");
  });

  it("copies between streams", async () => {
    const stream = await tree.createFile("target:stream");
    expect(await copychunk(stream, copyInput(key, [chunk(0, 0, 10)]))).toEqual(copied(1, 10));
    expect((await stream.read(0, 10)).toString()).toBe("0123456789");
    expect(await tree.get("target")).toHaveLength(0);
  });
});

describe("A copy that takes its time", () => {
  let harness: ServerHarness;
  let gate: Gate;
  let tree: SmbTree;
  let target: SmbFile;
  let input: Buffer;
  let source: SmbFile;

  beforeEach(async () => {
    gate = new Gate();
    harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    tree = await harness.mount();
    await tree.put("source", "0123456789");
    source = await tree.create("source");
    target = await tree.createFile("target");
    // Apart from each other, so that they are copied one by one.
    input = copyInput(await keyOf(source), [chunk(0, 0, 2), chunk(4, 4, 2), chunk(8, 8, 2)]);
    gate.hold("copyFrom");
  });

  const begin = () => submitCopy(target, input);

  it("is announced", async () => {
    const call = begin();
    await gate.arrival("copyFrom");
    harness.clock.advance(5);
    expect(statusName((await call.pending).status)).toBe("STATUS_PENDING");
    gate.release();
    expect(await copyAnswer(call)).toEqual(copied(3, 6));
  });

  it("ends behind the chunk under way when it is cancelled, and tells how far it came", async () => {
    const call = begin();
    await gate.arrival("copyFrom");
    harness.clock.advance(5);
    await call.pending;
    tree.session.connection.cancel(call);
    await settle();
    gate.release();
    const result = { chunksWritten: 1, chunkBytesWritten: 0, totalBytesWritten: 2 };
    expect(await copyAnswer(call)).toEqual({ status: "CANCELLED", result });
    expect((await target.read(0, 100)).toString()).toBe("01");
  });

  it("ends when the source is closed", async () => {
    const call = begin();
    await gate.arrival("copyFrom");
    await source.close();
    gate.release();
    const result = { chunksWritten: 1, chunkBytesWritten: 0, totalBytesWritten: 2 };
    expect(await copyAnswer(call)).toEqual({ status: "FILE_CLOSED", result });
    expect(harness.errors).toEqual([]);
  });

  it("ends when the connection does, and leaves nothing open", async () => {
    begin().reply.catch(() => {});
    await gate.arrival("copyFrom");
    tree.session.connection.transport.destroy();
    await settle();
    gate.release();
    await settle();
    expect(harness.errors).toEqual([]);
    expect(gate.open).toBe(0);
  });

  it("tells how much of a chunk it has copied when the source becomes shorter meanwhile", async () => {
    const call = begin();
    await gate.arrival("copyFrom");
    await source.setInfo(FileInformationClass.FileEndOfFileInformation, Buffer.of(1, 0, 0, 0, 0, 0, 0, 0));
    gate.release();
    const result = { chunksWritten: 0, chunkBytesWritten: 1, totalBytesWritten: 1 };
    expect(await copyAnswer(call)).toEqual({ status: "INVALID_VIEW_SIZE", result });
  });
});
