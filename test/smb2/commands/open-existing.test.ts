// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import { CreateDisposition, CreateOption, OplockLevel, ShareAccess } from "../../../src/smb2/wire/constants.ts";
import { allocationSizeContext } from "../../../src/smb2/wire/create-context-data.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { LeaseClient } from "../../support/lease-client.ts";
import { bob, ServerHarness, statusOf } from "../../support/server-harness.ts";
import { Gate, slowVolume } from "../../support/slow-volume.ts";
import type { SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

const { CREATE, OVERWRITE, OVERWRITE_IF } = CreateDisposition;
const { ACCESS_DENIED, INVALID_PARAMETER, OBJECT_NAME_NOT_FOUND, SHARING_VIOLATION, SUCCESS } = NtStatus;

describe("opening what exists", () => {
  let harness: ServerHarness;
  let tree: SmbTree;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
    await tree.put("file", "content");
  });

  it("keeps a file whose overwriting fails for want of space", async () => {
    const contexts = [allocationSizeContext(1n << 45n)];
    for (const createOptions of [0, CreateOption.DELETE_ON_CLOSE]) {
      const request = { createDisposition: OVERWRITE, createOptions, contexts };
      expect(await tree.tryCreate("file", request)).toBe(INVALID_PARAMETER);
      expect(await tree.tryCreate("file")).toBe(SUCCESS);
    }
  });

  it("leaves no stream behind where its allocation fails", async () => {
    const contexts = [allocationSizeContext(1n << 45n)];
    expect(await tree.tryCreate("file:new", { createDisposition: CREATE, contexts })).toBe(INVALID_PARAMETER);
    expect(await tree.tryCreate("file:new")).toBe(OBJECT_NAME_NOT_FOUND);
    expect((await tree.get("file")).toString()).toBe("content");
  });

  it("leaves no stream behind where the share mode of another handle refuses it", async () => {
    const deleter = await tree.create("file", { desiredAccess: Access.DELETE });
    const shareAccess = ShareAccess.READ | ShareAccess.WRITE;
    for (const createDisposition of [CREATE, OVERWRITE_IF]) {
      expect(await tree.tryCreate("file:new", { createDisposition, shareAccess })).toBe(SHARING_VIOLATION);
      expect(await tree.tryCreate("file:new")).toBe(OBJECT_NAME_NOT_FOUND);
    }
    await deleter.close();
    expect(await tree.tryCreate("file:new", { createDisposition: CREATE, shareAccess })).toBe(SUCCESS);
  });

  it("does not give out a stream that went while it waited", async () => {
    await tree.put("file:stream", "x");
    const keeper = await tree.create("file");
    const holder = await tree.create("file:stream", { requestedOplockLevel: OplockLevel.BATCH });
    const other = await harness.mount("data", { account: bob });
    const waiting = other.submit(requests.create("file:stream"));
    await waiting.pending;
    await holder.setInfo(13, Buffer.from([1]));
    await holder.close();
    expect((await waiting.reply).status).toBe(OBJECT_NAME_NOT_FOUND);
    await keeper.close();
    expect(harness.errors).toEqual([]);
  });

  it("takes no data away from other handles where it comes to nothing", async () => {
    const harness = await ServerHarness.start({ protocol: { maxOpensPerSession: 2 } });
    const tree = await harness.mount();
    await tree.put("file", "content");
    const reader = await tree.create("file");
    const other = await harness.mount("data", { account: bob });
    await other.create("");
    const late = other.submit(requests.create("file"));
    const last = other.submit(requests.create("file"));
    const statuses = [(await late.reply).status, (await last.reply).status].sort();
    expect(statuses).toEqual([SUCCESS, NtStatus.TOO_MANY_OPENED_FILES].sort());
    expect((await reader.read(0, 7)).toString()).toBe("content");
  });

  it("refuses who does not know the extended attributes that one has to know (MS-FSA 2.1.5.1.2)", async () => {
    // FILE_FULL_EA_INFORMATION: FILE_NEED_EA, "A" = "v".
    const contexts = [{ name: "ExtA", data: Buffer.from("0000000080010100410076", "hex") }];
    await (await tree.create("needed", { createDisposition: CREATE, contexts })).close();
    const createOptions = CreateOption.NO_EA_KNOWLEDGE;
    expect(await tree.tryCreate("needed", { createOptions })).toBe(ACCESS_DENIED);
    expect(await tree.tryCreate("needed")).toBe(SUCCESS);
    expect(await tree.tryCreate("file", { createOptions })).toBe(SUCCESS);
    await tree.put("needed:stream", "x");
    expect(await tree.tryCreate("needed:stream", { createOptions })).toBe(SUCCESS);
  });

  it("holds nothing of a file for which the lease key is refused", async () => {
    const gate = new Gate();
    const harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    const client = await LeaseClient.mount(harness);
    await client.tree.put("other", "x");
    const leased = await client.open("file", { key: 1, state: "RH" });
    const open = gate.open;
    expect(await statusOf(client.open("other", { key: 1, state: "RH" }))).toBe("STATUS_INVALID_PARAMETER");
    expect(gate.open).toBe(open);
    await leased.file.close();
    expect(gate.open).toBe(0);
  });

  it("does not take the root of the share away", async () => {
    const createOptions = CreateOption.DELETE_ON_CLOSE | CreateOption.DIRECTORY_FILE;
    expect(await tree.tryCreate("", { createOptions })).toBe(ACCESS_DENIED);
    expect(await statusOf(tree.put("another", "x"))).toBe("STATUS_SUCCESS");
  });
});
