// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { NtStatus, statusName } from "../../../src/nt/status.ts";
import { Dialect, ShareFlag, ShareType } from "../../../src/smb2/wire/constants.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { alice, bob, ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import { requests } from "../../support/smb-requests.ts";

describe("TREE_CONNECT", () => {
  it.each([
    ["\\\\server\\data", "STATUS_SUCCESS"],
    ["\\\\SERVER\\DATA", "STATUS_SUCCESS"],
    ["\\\\127.0.0.1\\IPC$", "STATUS_SUCCESS"],
    ["\\\\server\\ipc$", "STATUS_SUCCESS"],
    ["\\\\server\\missing", "STATUS_BAD_NETWORK_NAME"],
    ["\\\\server\\../data", "STATUS_BAD_NETWORK_NAME"],
    ["\\\\server\\", "STATUS_INVALID_PARAMETER"],
    ["\\\\server", "STATUS_INVALID_PARAMETER"],
    ["data", "STATUS_INVALID_PARAMETER"],
    ["", "STATUS_INVALID_PARAMETER"],
    ["\\\\server\\data\\sub", "STATUS_INVALID_PARAMETER"],
    [`\\\\${"s".repeat(255)}\\${"d".repeat(80)}`, "STATUS_BAD_NETWORK_NAME"],
    [`\\\\server\\${"d".repeat(81)}`, "STATUS_INVALID_PARAMETER"],
    [`\\\\${"s".repeat(256)}\\data`, "STATUS_INVALID_PARAMETER"],
  ])("to %s: %s", async (path, expected) => {
    const session = await (await ServerHarness.start()).logOn();
    const reply = await session.exchange(requests.treeConnect(path), { sign: true });
    expect(statusName(reply.status)).toBe(expected);
  });

  it("describes shares and pipes", async () => {
    const session = await (await ServerHarness.start({ share: { accessBasedEnumeration: true } })).logOn();
    const disk = await session.treeConnect("data");
    expect(disk.response).toMatchObject({ shareType: ShareType.DISK, maximalAccess: Access.FILE_ALL, capabilities: 0 });
    expect(disk.response.shareFlags).toBe(ShareFlag.ACCESS_BASED_DIRECTORY_ENUM);
    expect((await session.treeConnect("IPC$")).response.shareType).toBe(ShareType.PIPE);
  });

  it("in 3.1.1 ends the connection where it is neither signed nor encrypted", async () => {
    const harness = await ServerHarness.start();
    for (const dialect of [Dialect.SMB_3_0_2, Dialect.SMB_2_0_2]) {
      const session = await harness.logOn(alice, { negotiate: { dialects: [dialect] } });
      expect(await statusOf(session.treeConnect("data", { sign: false }))).toBe("STATUS_SUCCESS");
    }
    const session = await harness.logOn();
    expect(await statusOf(session.treeConnect("data", { sign: false, encrypt: true }))).toBe("STATUS_SUCCESS");
    await expect(session.treeConnect("data", { sign: false })).rejects.toThrow("closed");
  });

  it("takes the extension of 3.1.1", async () => {
    const session = await (await ServerHarness.start()).logOn();
    const contexts = [{ type: 0x1234, data: Buffer.from("unknown") }];
    expect(await statusOf(session.treeConnect("data", {}, contexts))).toBe("STATUS_SUCCESS");
  });

  it("gives no more than the share allows", async () => {
    const harness = await ServerHarness.start({
      share: { maximalAccess: (caller) => (caller.userName === "Bob" ? Access.FILE_ALL : Access.FILE_GENERIC_READ) },
      shares: { closed: { maximalAccess: () => 0 } },
    });
    const owner = await harness.mount("data", { account: bob });
    await owner.put("file", "content");
    const reader = await harness.mount();
    expect(reader.response.maximalAccess).toBe(Access.FILE_GENERIC_READ);
    expect(await reader.tryCreate("file", { desiredAccess: Access.READ_DATA })).toBe(NtStatus.SUCCESS);
    for (const right of [Access.WRITE_DATA, Access.DELETE, Access.WRITE_DAC, Access.GENERIC_ALL]) {
      expect(await reader.tryCreate("file", { desiredAccess: right })).toBe(NtStatus.ACCESS_DENIED);
    }
    expect(await reader.tryCreate("new", { createDisposition: 2 })).toBe(NtStatus.ACCESS_DENIED);
    const maximum = await reader.create("file", { desiredAccess: Access.MAXIMUM_ALLOWED });
    expect((await maximum.read(0, 7)).toString()).toBe("content");
    expect(await statusOf(maximum.write(0, "x"))).toBe("STATUS_ACCESS_DENIED");
    expect(await statusOf(reader.session.treeConnect("closed"))).toBe("STATUS_ACCESS_DENIED");
  });

  it("to a share that must be encrypted, by who has no cipher", async () => {
    const harness = await ServerHarness.start({ share: { encryption: "required" } });
    for (const negotiate of [{ dialects: [Dialect.SMB_2_1] }, { ciphers: [] }]) {
      expect(await statusOf(harness.mount("data", { negotiate }))).toBe("STATUS_ACCESS_DENIED");
    }
  });

  it("has a bound", async () => {
    const session = await (await ServerHarness.start({ protocol: { maxTreesPerSession: 2 } })).logOn();
    const first = await session.treeConnect("data");
    const second = await session.treeConnect("data");
    expect(second.treeId).not.toBe(first.treeId);
    expect(await statusOf(session.treeConnect("data"))).toBe("STATUS_INSUFFICIENT_RESOURCES");
    await first.disconnect();
    expect(await statusOf(session.treeConnect("data"))).toBe("STATUS_SUCCESS");
  });
});

describe("TREE_DISCONNECT", () => {
  it("closes the tree's handles and no others", async () => {
    const harness = await ServerHarness.start();
    const first = await harness.mount();
    const second = await first.session.treeConnect("data");
    await first.createFile("first", { shareAccess: 0 });
    const kept = await second.createFile("second");
    await first.disconnect();
    expect(await second.tryCreate("first", { shareAccess: 0 })).toBe(NtStatus.SUCCESS);
    expect(await statusOf(kept.write(0, "x"))).toBe("STATUS_SUCCESS");
    expect(await statusOf(first.disconnect())).toBe("STATUS_NETWORK_NAME_DELETED");
  });
});

describe("shares that change", () => {
  it("end the tree connects of what is gone or exchanged, and no others", async () => {
    const harness = await ServerHarness.start({ shares: { other: {} } });
    const tree = await harness.mount();
    const other = await tree.session.treeConnect("other");
    await tree.createFile("file");
    harness.shares.delete("DATA");
    harness.shares.delete("data");
    await harness.server.sharesChanged();
    expect(statusName(await tree.tryCreate("file"))).toBe("STATUS_NETWORK_NAME_DELETED");
    expect(await other.tryCreate("")).toBe(NtStatus.SUCCESS);
    const share = [...harness.shares.entries()].find(([, { name }]) => name === "other");
    if (share === undefined) throw new Error("no share");
    harness.shares.set(share[0], { ...share[1], volume: new MemoryVolume() });
    await harness.server.sharesChanged();
    expect(statusName(await other.tryCreate(""))).toBe("STATUS_NETWORK_NAME_DELETED");
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });

  it("end with the server, which closes everything", async () => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount();
    await tree.createFile("file");
    await harness.server.shutdown();
    await settle();
    expect(tree.session.connection.isClosed).toBe(true);
    expect(harness.server.connections.size).toBe(0);
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });
});
