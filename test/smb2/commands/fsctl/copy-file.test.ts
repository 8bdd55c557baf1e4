// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { FileAttribute } from "../../../../src/nt/attributes.ts";
import { NtStatus } from "../../../../src/nt/status.ts";
import { AaplCapability, AaplQuery, aaplServerQueryContext } from "../../../../src/smb2/wire/aapl.ts";
import { CreateDisposition, LockFlag } from "../../../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import { decodeFileBasicInformation, encodeFileBasicChange } from "../../../../src/smb2/wire/fscc/basic-info.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { decodeFullEaList, encodeFullEaList } from "../../../../src/smb2/wire/fscc/ea-info.ts";
import { decodeFileStreamInformation } from "../../../../src/smb2/wire/fscc/stream-info.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { decodeOutputBuffer } from "../../../../src/smb2/wire/output-buffer.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import type { Volume } from "../../../../src/vfs/volume.ts";
import { CloningVolume } from "../../../support/cloning-volume.ts";
import { copied, copyAnswer, copychunk, copyInput, keyOf, submitCopy } from "../../../support/copychunk-client.ts";
import { ServerHarness, settle } from "../../../support/server-harness.ts";
import { Gate, slowVolume } from "../../../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import { succeeded } from "../../../support/smb-connection.ts";
import { requests } from "../../../support/smb-requests.ts";

const MIB = 1024 * 1024;
/** The rights with which macOS opens source and target of a copy. */
const SOURCE_RIGHTS = Access.READ_DATA | Access.READ_ATTRIBUTES | Access.READ_EA;
const TARGET_RIGHTS =
  Access.READ_DATA |
  Access.WRITE_DATA |
  Access.APPEND_DATA |
  Access.READ_ATTRIBUTES |
  Access.WRITE_ATTRIBUTES |
  Access.WRITE_EA;

let harness: ServerHarness;
let tree: SmbTree;

/** A tree connect of a session to which the copy of whole files has been granted. */
async function mountAsMac(): Promise<SmbTree> {
  const mounted = await harness.mount();
  const query = aaplServerQueryContext({
    requested: BigInt(AaplQuery.SERVER_CAPS),
    clientCapabilities: BigInt(AaplCapability.OSX_COPYFILE),
  });
  await (await mounted.create("", { contexts: [query] })).close();
  return mounted;
}

async function start(volume: Volume = new MemoryVolume()): Promise<void> {
  harness = await ServerHarness.start({ volume });
  tree = await mountAsMac();
}

const openSource = (name = "source") => tree.create(name, { desiredAccess: SOURCE_RIGHTS });
const openTarget = (name = "target") =>
  tree.create(name, {
    desiredAccess: TARGET_RIGHTS,
    shareAccess: 0,
    createDisposition: CreateDisposition.OVERWRITE_IF,
  });

async function copyWhole(from = "source", to = "target"): Promise<string> {
  const source = await openSource(from);
  const target = await openTarget(to);
  const { status } = await copychunk(target, copyInput(await keyOf(source), []));
  await source.close();
  await target.close();
  return status;
}

/** The content of a file that may be read-only. */
async function content(name: string): Promise<Buffer> {
  const file = await tree.create(name, { desiredAccess: Access.READ_DATA });
  const size = Number(file.response.endOfFile);
  const data = size === 0 ? Buffer.alloc(0) : await file.read(0, size);
  await file.close();
  return data;
}

async function setExtendedAttributes(file: SmbFile, values: Readonly<Record<string, string>>): Promise<void> {
  const writer = new Writer();
  encodeFullEaList(
    writer,
    Object.entries(values).map(([name, value]) => ({ name, flags: 0, value: Buffer.from(value) })),
    4096,
  );
  await file.setInfo(FileInformationClass.FileFullEaInformation, writer.view());
}

async function extendedAttributes(file: SmbFile): Promise<Record<string, string>> {
  const query = requests.queryInfo(file.fileId, FileInformationClass.FileFullEaInformation, {});
  const reply = await file.exchange(query);
  if (reply.status === NtStatus.NO_EAS_ON_FILE) return {};
  const list = decodeOutputBuffer(succeeded(reply).reader, "QUERY_INFO response");
  return Object.fromEntries(decodeFullEaList(list).map(({ name, value }) => [name, value.toString()]));
}

async function streamNames(name: string): Promise<string[]> {
  const file = await tree.create(name, { desiredAccess: Access.READ_ATTRIBUTES });
  const list = await file.queryInfo(FileInformationClass.FileStreamInformation);
  await file.close();
  return decodeFileStreamInformation(new Reader(list)).map((stream) => stream.name);
}

async function basic(name: string) {
  const file = await tree.create(name, { desiredAccess: Access.READ_ATTRIBUTES });
  const info = decodeFileBasicInformation(new Reader(await file.queryInfo(FileInformationClass.FileBasicInformation)));
  await file.close();
  return info;
}

async function setBasic(name: string, change: { attributes?: number; creationTime?: bigint; lastWriteTime?: bigint }) {
  const writer = new Writer();
  encodeFileBasicChange(writer, {
    creationTime: 0n,
    lastAccessTime: 0n,
    lastWriteTime: 0n,
    changeTime: 0n,
    attributes: 0,
    ...change,
  });
  const file = await tree.create(name);
  await file.setInfo(FileInformationClass.FileBasicInformation, writer.view());
  await file.close();
}

describe("A copychunk request without chunks, of a client that asked for it", () => {
  beforeEach(() => start());

  it("copies data, streams, extended attributes, attributes and times", async () => {
    await tree.put("source", "the data");
    await tree.put("source:AFP_Resource", Buffer.alloc(100_000, 7));
    await tree.put("source:AFP_AfpInfo", "finder");
    await tree.put("source:empty", "");
    const file = await tree.create("source");
    await setExtendedAttributes(file, { FIRST: "1", SECOND: "zwei" });
    await file.close();
    const attributes = FileAttribute.HIDDEN | FileAttribute.READONLY;
    await setBasic("source", { attributes, creationTime: 116444736000000000n, lastWriteTime: 126444736000000000n });

    expect(await copyWhole()).toBe("SUCCESS");

    expect((await content("target")).toString()).toBe("the data");
    expect((await streamNames("target")).sort()).toEqual((await streamNames("source")).sort());
    expect(await content("target:AFP_Resource")).toEqual(Buffer.alloc(100_000, 7));
    expect((await content("target:AFP_AfpInfo")).toString()).toBe("finder");
    expect(await content("target:empty")).toHaveLength(0);
    const copy = await tree.create("target", { desiredAccess: Access.READ_EA });
    expect(await extendedAttributes(copy)).toEqual({ FIRST: "1", SECOND: "zwei" });
    const { creationTime, lastWriteTime, attributes: shown } = await basic("target");
    expect({ creationTime, lastWriteTime, shown }).toEqual({
      creationTime: 116444736000000000n,
      lastWriteTime: 126444736000000000n,
      shown: attributes,
    });
    expect(harness.errors).toEqual([]);
  });

  it("tells how many bytes it has copied, those of streams included", async () => {
    await tree.put("source", "12345");
    await tree.put("source:s", "678");
    const target = await openTarget();
    expect(await copychunk(target, copyInput(await keyOf(await openSource()), []))).toEqual(copied(0, 8));
  });

  it("replaces what the target had", async () => {
    await tree.put("source", "short");
    await tree.put("source:common", "new");
    await tree.put("target", "something longer");
    await tree.put("target:common", "old and longer");
    await tree.put("target:extra", "to be removed");
    const target = await tree.create("target");
    await setExtendedAttributes(target, { OLD: "x" });
    expect((await copychunk(target, copyInput(await keyOf(await openSource()), []))).status).toBe("SUCCESS");
    expect(await extendedAttributes(target)).toEqual({});
    await target.close();
    expect((await tree.get("target")).toString()).toBe("short");
    expect((await tree.get("target:common")).toString()).toBe("new");
    expect(await streamNames("target")).toEqual(["", "common"]);
  });

  it("copies an empty file", async () => {
    await tree.put("source", "");
    expect(await copyWhole()).toBe("SUCCESS");
    expect(await tree.get("target")).toHaveLength(0);
  });

  it("copies more than fits one request with chunks, and keeps holes", async () => {
    const source = await tree.createFile("source");
    await source.ioctl(Fsctl.SET_SPARSE);
    await source.write(40 * MIB, Buffer.alloc(MIB, 9));
    await source.close();
    expect(await copyWhole()).toBe("SUCCESS");
    const copy = await tree.create("target");
    expect(copy.response.endOfFile).toBe(BigInt(41 * MIB));
    expect(copy.response.fileAttributes & FileAttribute.SPARSE_FILE).not.toBe(0);
    const tail = await copy.read(39 * MIB, 2 * MIB);
    expect(tail.equals(Buffer.concat([Buffer.alloc(MIB), Buffer.alloc(MIB, 9)]))).toBe(true);
    const whole = Buffer.alloc(16);
    whole.writeBigInt64LE(BigInt(41 * MIB), 8);
    const ranges = await copy.ioctl(Fsctl.QUERY_ALLOCATED_RANGES, whole, { maxOutputResponse: 16 });
    expect(ranges.readBigInt64LE(0)).toBe(BigInt(40 * MIB));
  });

  it("copies only the data where a handle is one of a named stream", async () => {
    await tree.put("source", "main");
    await tree.put("source:a", "stream a");
    expect(await copyWhole("source:a", "target:b")).toBe("SUCCESS");
    expect((await tree.get("target:b")).toString()).toBe("stream a");
    expect(await tree.get("target")).toHaveLength(0);
  });

  it("shares the blocks where the volume can", async () => {
    const volume = new CloningVolume();
    await start(volume);
    await tree.put("source", Buffer.alloc(5 * MIB + 123, 3));
    expect(await copyWhole()).toBe("SUCCESS");
    expect(volume.calls).toEqual([{ sourceOffset: 0, offset: 0, length: 5 * MIB + 123 }]);
    expect((await tree.get("target")).equals(Buffer.alloc(5 * MIB + 123, 3))).toBe(true);
  });

  it.each<[string, string, number, number]>([
    ["read the source", "source", SOURCE_RIGHTS & ~Access.READ_DATA, TARGET_RIGHTS],
    ["read its attributes", "source", SOURCE_RIGHTS & ~Access.READ_ATTRIBUTES, TARGET_RIGHTS],
    ["read its extended attributes", "source", SOURCE_RIGHTS & ~Access.READ_EA, TARGET_RIGHTS],
    ["write the target", "target", SOURCE_RIGHTS, TARGET_RIGHTS & ~Access.WRITE_DATA],
    ["write its attributes", "target", SOURCE_RIGHTS, TARGET_RIGHTS & ~Access.WRITE_ATTRIBUTES],
    ["write its extended attributes", "target", SOURCE_RIGHTS, TARGET_RIGHTS & ~Access.WRITE_EA],
  ])("needs the right to %s", async (_, _side, sourceRights, targetRights) => {
    await tree.put("source", "secret");
    await tree.put("target", "");
    const source = await tree.create("source", { desiredAccess: sourceRights });
    const target = await tree.create("target", { desiredAccess: targetRights });
    expect((await copychunk(target, copyInput(await keyOf(source), []))).status).toBe("ACCESS_DENIED");
    expect(await tree.get("target")).toHaveLength(0);
  });

  it("honours locks on source, target and streams", async () => {
    await tree.put("source", "0123456789");
    await tree.put("source:s", "stream");
    const other = await harness.mount();
    const locked = await other.create("source");
    await locked.lock(9, 1);
    expect(await copyWhole()).toBe("FILE_LOCK_CONFLICT");
    await locked.lock(20, 1, LockFlag.SHARED_LOCK);
    await locked.unlock(9, 1);
    expect(await copyWhole()).toBe("SUCCESS");
    const stream = await other.create("source:s");
    await stream.lock(0, 1);
    expect(await copyWhole()).toBe("FILE_LOCK_CONFLICT");
    await stream.close();
    const target = await tree.create("target");
    const reader = await other.create("target");
    await reader.lock(5, 1, LockFlag.SHARED_LOCK);
    const copy = copychunk(target, copyInput(await keyOf(await openSource()), []));
    expect((await copy).status).toBe("FILE_LOCK_CONFLICT");
  });

  it("respects who shares a stream with nobody", async () => {
    await tree.put("source", "x");
    await tree.put("source:s", "stream");
    const other = await harness.mount();
    const alone = await other.create("source:s", { shareAccess: 0 });
    expect(await copyWhole()).toBe("SHARING_VIOLATION");
    await alone.close();
    expect(await copyWhole()).toBe("SUCCESS");
  });

  it("refuses a file as its own copy", async () => {
    await tree.put("source", "x");
    const file = await tree.create("source");
    expect((await copychunk(file, copyInput(await keyOf(file), []))).status).toBe("INVALID_PARAMETER");
  });

  it("leaves copies between tree connects to the client", async () => {
    await tree.put("source", "x");
    const second = await tree.session.treeConnect("data");
    const target = await second.createFile("target");
    expect((await copychunk(target, copyInput(await keyOf(await openSource()), []))).status).toBe("NOT_SAME_DEVICE");
  });

  it("copies nothing for a session that has not asked", async () => {
    await tree.put("source", "x");
    const plain = await harness.mount();
    const source = await plain.create("source");
    const target = await plain.createFile("target");
    expect(await copychunk(target, copyInput(await keyOf(source), []))).toEqual(copied(0, 0));
    expect(await plain.get("target")).toHaveLength(0);
  });

  it("ends when it is cancelled, tells how far it came, and leaves no stream open", async () => {
    const gate = new Gate();
    await start(slowVolume(new MemoryVolume(), gate));
    const big = await tree.createFile("source");
    for (let at = 0; at < 20; at += 4) await big.write(at * MIB, Buffer.alloc(4 * MIB, at));
    await big.close();
    const source = await openSource();
    const target = await openTarget();
    const input = copyInput(await keyOf(source), []);
    gate.hold("copyFrom");
    const call = submitCopy(target, input);
    await gate.arrival("copyFrom");
    harness.clock.advance(5);
    await call.pending;
    tree.session.connection.cancel(call);
    await settle();
    gate.release();
    const result = { chunksWritten: 0, chunkBytesWritten: 0, totalBytesWritten: 16 * MIB };
    expect(await copyAnswer(call)).toEqual({ status: "CANCELLED", result });
    await source.close();
    await target.close();
    expect(gate.open).toBe(0);
  });
});
