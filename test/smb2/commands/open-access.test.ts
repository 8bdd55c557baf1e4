// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { WellKnownSid } from "../../../src/nt/sid.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import { CreateDisposition, CreateOption, ShareAccess } from "../../../src/smb2/wire/constants.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { acl, allow, descriptor } from "../../nt/security-builders.ts";
import { bob, ServerHarness, statusOf } from "../../support/server-harness.ts";

const { CREATE, OPEN_IF } = CreateDisposition;
const { DELETE_ON_CLOSE, DIRECTORY_FILE } = CreateOption;
const READ = (Access.FILE_GENERIC_READ | Access.FILE_GENERIC_EXECUTE) >>> 0;
const { ACCESS_DENIED, OBJECT_NAME_NOT_FOUND, SHARING_VIOLATION, SUCCESS } = NtStatus;

/** What everybody may do to a file, its owner included. */
const everybody = (mask: number) =>
  descriptor({ owner: "S-1-5-18", group: "S-1-5-18", dacl: acl(allow(WellKnownSid.EVERYONE, mask)) });

/** A server with a share that grants these rights beside the one that grants all. */
async function withShare(rights: number) {
  const harness = await ServerHarness.start({ shares: { limited: { maximalAccess: () => rights } } });
  return { full: await harness.mount(), limited: await harness.mount("limited") };
}

describe("what a share grants", () => {
  it("is asked before the file is looked for (MS-SMB2 3.3.5.9)", async () => {
    const { limited } = await withShare(READ);
    expect(await limited.tryCreate("missing", { desiredAccess: Access.GENERIC_WRITE })).toBe(ACCESS_DENIED);
    expect(await limited.tryCreate("missing", { desiredAccess: Access.GENERIC_READ })).toBe(OBJECT_NAME_NOT_FOUND);
  });

  it("bounds the rights of who creates a file: nothing is created with fewer", async () => {
    const { full, limited } = await withShare((Access.FILE_ALL & ~(Access.WRITE_DAC | Access.DELETE)) >>> 0);
    for (const desiredAccess of [Access.FILE_ALL, Access.GENERIC_ALL, Access.DELETE | Access.READ_DATA]) {
      expect(await limited.tryCreate("new", { createDisposition: CREATE, desiredAccess })).toBe(ACCESS_DENIED);
      expect(await full.tryCreate("new")).toBe(OBJECT_NAME_NOT_FOUND);
    }
    const most = await limited.create("new", {
      createDisposition: CREATE,
      desiredAccess: Access.MAXIMUM_ALLOWED,
    });
    await most.write(0, "x");
    expect(await statusOf(most.setInfo(13, Buffer.from([1])))).toBe("STATUS_ACCESS_DENIED");
  });

  it("does not bound what a privilege gives", async () => {
    const tree = await (await ServerHarness.start()).mount("data", { account: bob });
    const desiredAccess = Access.ACCESS_SYSTEM_SECURITY | Access.READ_CONTROL;
    for (const createDisposition of [CREATE, OPEN_IF]) {
      const file = await tree.create("file", { createDisposition, desiredAccess });
      expect(await statusOf(file.queryInfo(0, { infoType: 3, additionalInformation: 8 }))).toBe("STATUS_SUCCESS");
    }
  });
});

describe("DELETE_ON_CLOSE with MAXIMUM_ALLOWED", () => {
  const deleting = { desiredAccess: Access.MAXIMUM_ALLOWED, createOptions: DELETE_ON_CLOSE };

  it("deletes nothing where the share does not grant DELETE", async () => {
    const { full, limited } = await withShare(READ);
    await full.put("file", "content");
    expect(await limited.tryCreate("file", deleting)).toBe(ACCESS_DENIED);
    expect((await full.get("file")).toString()).toBe("content");
  });

  it("deletes nothing where the descriptor does not grant DELETE, and what it does", async () => {
    const volume = new MemoryVolume();
    const { file: root } = volume.open([]) ?? {};
    await root?.setSecurity(everybody(READ | Access.ADD_FILE));
    const { file } = volume.create(["file"], { directory: false, attributes: 0, security: everybody(READ) });
    const tree = await (await ServerHarness.start({ volume })).mount();
    expect(await tree.tryCreate("file", deleting)).toBe(ACCESS_DENIED);
    expect(await tree.tryCreate("file", { desiredAccess: READ })).toBe(SUCCESS);
    await file.setSecurity(everybody(READ | Access.DELETE));
    expect(await tree.tryCreate("file", deleting)).toBe(SUCCESS);
    expect(await tree.tryCreate("file", { desiredAccess: READ })).toBe(OBJECT_NAME_NOT_FOUND);
  });

  it("creates nothing where it could not be deleted", async () => {
    const { full, limited } = await withShare((Access.FILE_ALL & ~Access.DELETE) >>> 0);
    expect(await limited.tryCreate("new", { ...deleting, createDisposition: CREATE })).toBe(ACCESS_DENIED);
    expect(await full.tryCreate("new")).toBe(OBJECT_NAME_NOT_FOUND);
  });
});

describe("an exclusive open of who may only read", () => {
  const exclusive = { desiredAccess: Access.READ_DATA, shareAccess: 0 };
  const reading = { desiredAccess: Access.FILE_GENERIC_READ };
  const writing = { desiredAccess: Access.FILE_GENERIC_WRITE };

  it.each([
    ["file", {}],
    ["", { createOptions: DIRECTORY_FILE }],
  ])("keeps nobody from reading %j, but from writing (MS-FSA 2.1.5.1.2)", async (name, options) => {
    const { full, limited } = await withShare(READ);
    await full.put("file", "content");
    const held = await limited.create(name, { ...exclusive, ...options });
    expect(await full.tryCreate(name, { ...reading, ...options })).toBe(SUCCESS);
    expect(await full.tryCreate(name, { ...writing, ...options })).toBe(SHARING_VIOLATION);
    await held.close();
    expect(await full.tryCreate(name, { ...writing, ...options })).toBe(SUCCESS);
  });

  it("is one where he may write the file, or make others beside it", async () => {
    const volume = new MemoryVolume();
    const root = volume.open([])?.file;
    volume.create(["file"], { directory: false, attributes: 0, security: everybody(READ) });
    const tree = await (await ServerHarness.start({ volume })).mount();
    await root?.setSecurity(everybody(READ));
    const shared = await tree.create("file", exclusive);
    expect(await tree.tryCreate("file", reading)).toBe(SUCCESS);
    await shared.close();
    await root?.setSecurity(everybody(READ | Access.ADD_FILE));
    const alone = await tree.create("file", exclusive);
    expect(await tree.tryCreate("file", reading)).toBe(SHARING_VIOLATION);
    await alone.close();
    await tree.put("own", "x");
    await root?.setSecurity(everybody(READ));
    await tree.create("own", exclusive);
    expect(await tree.tryCreate("own", reading)).toBe(SHARING_VIOLATION);
  });

  it("fails as any other where somebody reads already", async () => {
    const { full, limited } = await withShare(READ);
    await full.put("file", "content");
    await full.create("file", { ...reading, shareAccess: ShareAccess.READ });
    expect(await limited.tryCreate("file", exclusive)).toBe(SHARING_VIOLATION);
  });
});
