// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import {
  CreateAction,
  CreateDisposition,
  CreateOption,
  DurableHandleFlag,
  GlobalCapability,
  LeaseState,
  OplockLevel,
  ShareCapability,
} from "../../../src/smb2/wire/constants.ts";
import {
  decodeDurableHandleResponseV2,
  decodeLease,
  leaseContext,
} from "../../../src/smb2/wire/create-context-data.ts";
import { CreateContextName, findCreateContext } from "../../../src/smb2/wire/create-contexts.ts";
import { FileInformationClass } from "../../../src/smb2/wire/fscc/classes.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import { cut, durable, guid, mountAs, reconnect, replay } from "../../support/durable-client.ts";
import { MemoryOpenStore } from "../../support/memory-open-store.ts";
import { alice, bob, ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

const { PERSISTENT } = DurableHandleFlag;

describe("persistent handles", () => {
  let store: MemoryOpenStore;
  let disk: MemoryVolume;
  let harness: ServerHarness;
  let tree: SmbTree;

  const start = () =>
    ServerHarness.start({ volume: disk, share: { continuousAvailability: true }, persistentOpens: store });
  const mount = (server: ServerHarness, client = 1, account = alice) =>
    mountAs(server, client, {
      account,
      capabilities: GlobalCapability.LARGE_MTU | GlobalCapability.MULTI_CHANNEL | GlobalCapability.PERSISTENT_HANDLES,
    });
  /** The server is gone without having done anything more, and another one starts. */
  const restart = async () => {
    harness = await start();
    return harness;
  };
  const asked = (value = 9, options = {}) => durable.v2(guid(value), { flags: PERSISTENT, ...options });
  const granted = (file: SmbFile) => {
    const data = findCreateContext(file.response.contexts, CreateContextName.DURABLE_HANDLE_REQUEST_V2);
    return data === undefined ? undefined : decodeDurableHandleResponseV2(data);
  };

  beforeEach(async () => {
    store = new MemoryOpenStore();
    disk = new MemoryVolume();
    harness = await start();
    tree = await mount(harness);
    await tree.put("file", "0123456789");
  });

  it("are offered on a share that says so, to clients that know them", async () => {
    expect(tree.response.capabilities & ShareCapability.CONTINUOUS_AVAILABILITY).not.toBe(0);
    const file = await tree.create("file", { ...asked(), requestedOplockLevel: 0 });
    expect(granted(file)).toEqual({ timeout: 60_000, flags: PERSISTENT });
    const plain = await mountAs(harness, 2);
    await plain.put("other", "x");
    expect(granted(await plain.create("other", asked(8)))?.flags).toBe(0);
    expect(store.records.size).toBe(1);
  });

  it("are not offered where there is no place to keep them", async () => {
    const other = await ServerHarness.start({ share: { continuousAvailability: true } });
    const mounted = await mount(other);
    expect(mounted.response.capabilities).toBe(0);
    await mounted.put("file", "x");
    expect(granted(await mounted.create("file", asked()))?.flags).toBe(0);
  });

  it("are stored before they are answered", async () => {
    store.hold();
    const creating = tree.create("file", asked());
    await settle();
    expect(tree.session.connection.isClosed).toBe(false);
    let answered = false;
    void creating.then(() => {
      answered = true;
    });
    await settle();
    expect(answered).toBe(false);
    store.release();
    const file = await creating;
    store.hold();
    const locking = file.lock(0, 5);
    await settle();
    expect(store.records.get(file.fileId.persistent)?.locks).toEqual([]);
    store.release();
    await locking;
    expect(store.records.get(file.fileId.persistent)?.locks).toHaveLength(1);
    await file.close();
    expect(store.records.size).toBe(0);
  });

  it("are ordinary handles where the store fails", async () => {
    store.failing = true;
    const file = await tree.create("file", asked());
    expect(granted(file)?.flags).toBe(0);
    expect((await file.read(0, 1)).toString()).toBe("0");
    expect(harness.server.persistentOpens?.size).toBe(0);
  });

  it("are closed where the store fails and their client is gone", async () => {
    store.hold();
    const creating = tree.create("file", asked()).catch(() => {});
    await settle();
    tree.session.connection.close();
    await settle();
    store.failing = true;
    store.fail();
    await creating;
    await settle();
    expect(harness.server.durableOpens.disconnectedCount).toBe(0);
    expect(harness.server.fileTable(disk).size).toBe(0);
  });

  it("get no lock that cannot be stored", async () => {
    const file = await tree.create("file", { ...asked(), requestedOplockLevel: 0 });
    store.failing = true;
    expect(await statusOf(file.lock(0, 5))).toBe("STATUS_IO_DEVICE_ERROR");
    store.failing = false;
    const other = await (await mount(harness, 2)).create("file");
    expect(await statusOf(other.lock(0, 5))).toBe("STATUS_SUCCESS");
  });

  it("go on after the server was killed, with their locks and share modes", async () => {
    const file = await tree.create("file", { ...asked(), shareAccess: 1, requestedOplockLevel: 0 });
    await file.lock(2, 3);
    await restart();
    const stranger = await mount(harness, 2, bob);
    expect(await statusOf(stranger.create("file"))).toBe("STATUS_FILE_NOT_AVAILABLE");
    expect(await statusOf(stranger.create("file", { desiredAccess: 0x80 }))).toBe("STATUS_SUCCESS");
    const again = await mount(harness);
    const back = await reconnect.v2(again, file, guid(9), PERSISTENT);
    expect(back.fileId.persistent).toBe(file.fileId.persistent);
    await back.write(0, "xyz");
    const reader = await stranger.create("file", { desiredAccess: 1 });
    expect(await statusOf(reader.read(2, 1))).toBe("STATUS_FILE_LOCK_CONFLICT");
    expect(await statusOf(stranger.create("file", { desiredAccess: 2 }))).toBe("STATUS_SHARING_VIOLATION");
    await back.unlock(2, 3);
    expect((await reader.read(0, 4)).toString()).toBe("xyz3");
    await back.close();
    expect(store.records.size).toBe(0);
  });

  it("go on after the server was ended in an orderly way, a file that is to be deleted too", async () => {
    const file = await tree.create("file", { ...asked(), createOptions: 0x1000 });
    await harness.server.shutdown();
    expect(harness.server.fileTable(disk).size).toBe(0);
    expect(store.records.size).toBe(1);
    await restart();
    const again = await mount(harness);
    const back = await reconnect.v2(again, file, guid(9), PERSISTENT);
    expect((await back.read(0, 1)).toString()).toBe("0");
    await back.close();
    expect(await statusOf(again.create("file"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
  });

  it("go on with their lease, as it was acknowledged last", async () => {
    const { READ_CACHING: R, HANDLE_CACHING: H, WRITE_CACHING: W } = LeaseState;
    const lease = leaseContext({
      version: 2,
      leaseKey: guid(5),
      leaseState: R | H | W,
      flags: 0,
      parentLeaseKey: Buffer.alloc(16),
      epoch: 3,
    });
    const stateOf = (handle: SmbFile) => {
      const data = findCreateContext(handle.response.contexts, CreateContextName.REQUEST_LEASE);
      return data === undefined ? undefined : decodeLease(data).leaseState;
    };
    const file = await tree.create("file", {
      ...asked(9, { contexts: [lease] }),
      requestedOplockLevel: OplockLevel.LEASE,
    });
    expect(stateOf(file)).toBe(R | H | W);
    await restart();
    const again = await mount(harness);
    const back = await reconnect.v2(again, file, guid(9), PERSISTENT, [lease], "file");
    expect(stateOf(back)).toBe(R | H | W);
    const reading = (await mount(harness, 2)).create("file", { desiredAccess: 1 });
    await settle();
    expect(again.session.connection.notifications).toHaveLength(1);
    await again.exchange(requests.oplockBreak({ kind: "lease", leaseKey: guid(5), leaseState: R | H }));
    await reading;
    await restart();
    const third = await reconnect.v2(await mount(harness), back, guid(9), PERSISTENT, [lease], "file");
    expect(stateOf(third)).toBe(R | H);
  });

  it("keep the lock sequence: what was done before is not done again", async () => {
    const file = await tree.create("file", asked());
    const lock = { offset: 0n, length: 1n, flags: 0x12 };
    await file.exchange(requests.lock(file.fileId, [lock], { number: 4, index: 2 }));
    await restart();
    const back = await reconnect.v2(await mount(harness), file, guid(9), PERSISTENT);
    const replayed = await back.exchange(requests.lock(back.fileId, [lock], { number: 4, index: 2 }));
    expect(replayed.status).toBe(NtStatus.SUCCESS);
    await back.unlock(0, 1);
    expect(await statusOf(back.unlock(0, 1))).toBe("STATUS_RANGE_NOT_LOCKED");
  });

  it("are found under another name when their file was renamed", async () => {
    const file = await tree.create("file", asked());
    const name = Buffer.from("moved", "utf16le");
    const info = Buffer.alloc(20 + name.length);
    info.writeUInt32LE(name.length, 16);
    name.copy(info, 20);
    await file.setInfo(FileInformationClass.FileRenameInformation, info);
    await restart();
    const back = await reconnect.v2(await mount(harness), file, guid(9), PERSISTENT);
    expect((await back.read(0, 1)).toString()).toBe("0");
  });

  it("are lost with their file, and where another file has its name", async () => {
    await tree.create("file", { ...asked(), requestedOplockLevel: 0 });
    const opened = disk.open(["file"]);
    if (opened === undefined) throw new Error("no file");
    disk.unlink(opened.file, ["file"]);
    await restart();
    expect(store.records.size).toBe(0);
    expect(harness.server.fileTable(disk).size).toBe(0);
    const again = await mount(harness);
    await again.put("file", "another");
    await again.create("file", { ...asked(), requestedOplockLevel: 0 });
    for (const [id, record] of store.records) store.records.set(id, { ...record, fileId: record.fileId + 1n });
    await restart();
    expect(store.records.size).toBe(0);
    expect(await statusOf((await mount(harness, 2)).create("file"))).toBe("STATUS_SUCCESS");
  });

  it("follow a file that was renamed meanwhile, under either name", async () => {
    const lease = leaseContext({
      version: 2,
      leaseKey: guid(5),
      leaseState: LeaseState.READ_CACHING | LeaseState.HANDLE_CACHING,
      flags: 0,
      parentLeaseKey: Buffer.alloc(16),
      epoch: 3,
    });
    const file = await tree.create("file", {
      ...asked(9, { contexts: [lease] }),
      requestedOplockLevel: OplockLevel.LEASE,
    });
    await harness.server.shutdown();
    const node = disk.open(["file"])?.file;
    if (node === undefined) throw new Error("no file");
    disk.rename(node, ["file"], ["renamed"], false);
    disk.create(["file"], { directory: false, attributes: 0 });
    for (const name of ["file", "renamed"]) {
      await restart();
      const again = await mount(harness);
      expect(await statusOf(reconnect.v2(again, file, guid(9), PERSISTENT, [lease], "other"))).toBe(
        "STATUS_INVALID_PARAMETER",
      );
      const back = await reconnect.v2(again, file, guid(9), PERSISTENT, [lease], name);
      expect((await back.read(0, 4)).toString()).toBe("0123");
      expect(harness.log.map(({ message }) => message)).toContain(
        "the file of a persistent handle was renamed meanwhile",
      );
    }
  });

  it("follow a file in a folder on Linux, and no other that has its name by now", async () => {
    const root = mkdtempSync(join(tmpdir(), "tessera-recover-"));
    onTestFinished(() => rmSync(root, { recursive: true }));
    const serve = async () => {
      const volume = await PosixVolume.open({ root });
      const share = { continuousAvailability: true };
      return { volume, served: await ServerHarness.start({ volume, share, persistentOpens: store }) };
    };
    const before = await serve();
    const first = await mount(before.served);
    await first.put("file", "0123456789");
    const file = await first.create("file", { ...asked(7), requestedOplockLevel: 0 });
    await before.served.server.shutdown();
    await before.volume.close();
    mkdirSync(join(root, "archive"));
    renameSync(join(root, "file"), join(root, "archive", "old"));
    writeFileSync(join(root, "file"), "another");
    const after = await serve();
    const back = await reconnect.v2(await mount(after.served), file, guid(7), PERSISTENT);
    expect((await back.read(0, 10)).toString()).toBe("0123456789");
    await back.write(0, "x");
    expect(readFileSync(join(root, "archive", "old"), "latin1")).toBe("x123456789");
    await after.served.server.shutdown();
    await after.volume.close();
    rmSync(join(root, "archive", "old"));
    const last = await serve();
    expect(last.served.server.durableOpens.disconnectedCount).toBe(0);
    expect(store.records.size).toBe(0);
    await last.volume.close();
  });

  it("make room when nobody takes them up in time", async () => {
    await tree.create("file", { ...asked(9, { timeout: 5000 }), requestedOplockLevel: 0 });
    await restart();
    const stranger = await mount(harness, 2);
    harness.clock.advance(4999);
    expect(await statusOf(stranger.create("file"))).toBe("STATUS_FILE_NOT_AVAILABLE");
    harness.clock.advance(1);
    await settle();
    expect(await statusOf(stranger.create("file"))).toBe("STATUS_SUCCESS");
    expect(store.records.size).toBe(0);
  });

  it("are their owner's, by the right kind of request", async () => {
    const file = await tree.create("file", asked());
    await restart();
    const stranger = await mount(harness, 1, bob);
    expect(await statusOf(reconnect.v2(stranger, file, guid(9), PERSISTENT))).toBe("STATUS_ACCESS_DENIED");
    const again = await mount(harness);
    expect(await statusOf(reconnect.v2(again, file, guid(9)))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    expect(await statusOf(reconnect.v2(again, file, guid(8), PERSISTENT))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    expect(await statusOf(reconnect.v2(again, file, guid(9), PERSISTENT))).toBe("STATUS_SUCCESS");
  });

  it("tell a CREATE that is sent again what the first one did, also after a restart", async () => {
    const creating = { ...asked(), createDisposition: CreateDisposition.CREATE };
    await tree.create("new", creating);
    const again = await mount(await restart());
    expect((await again.create("new", creating, replay)).response.createAction).toBe(CreateAction.CREATED);
  });

  it("are given again to who asks for persistent ones alone", async () => {
    await tree.create("file", asked());
    expect(await statusOf(tree.create("file", durable.v2(guid(9)), replay))).toBe("STATUS_INVALID_PARAMETER");
    expect(await statusOf(tree.create("file", asked(), replay))).toBe("STATUS_SUCCESS");
  });

  it("cannot be claimed as persistent where they are only durable", async () => {
    const plain = await mountAs(harness, 3);
    await plain.put("plain", "x");
    const file = await plain.create("plain", durable.v2(guid(5)));
    await cut(plain);
    const again = await mount(harness, 3);
    expect(await statusOf(reconnect.v2(again, file, guid(5), PERSISTENT))).toBe("STATUS_INVALID_PARAMETER");
  });

  it("are found by their CreateGuid by a client that never saw the answer", async () => {
    store.hold();
    // What is not buffered is not appended to: APPEND_DATA of the default access does not count, and neither do some options.
    const request = {
      ...asked(),
      createOptions: CreateOption.NO_INTERMEDIATE_BUFFERING | CreateOption.SYNCHRONOUS_IO_NONALERT,
    };
    const unseen = tree.create("file", request);
    unseen.catch(() => {});
    await settle();
    tree.session.connection.close();
    store.release();
    await settle();
    expect(store.records.size).toBe(1);
    await restart();
    const again = await mount(harness);
    expect(await statusOf(again.create("file", request))).toBe("STATUS_DUPLICATE_OBJECTID");
    for (const other of [{ desiredAccess: 1 }, { shareAccess: 3 }, { createOptions: CreateOption.SEQUENTIAL_ONLY }]) {
      expect(await statusOf(again.create("file", { ...request, ...other }, replay))).toBe("STATUS_CONTEXT_MISMATCH");
    }
    const back = await again.create("file", request, replay);
    expect(granted(back)?.flags).toBe(PERSISTENT);
    expect((await back.read(0, 1)).toString()).toBe("0");
  });
});
