// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import { CreateDisposition, CreateOption } from "../../../src/smb2/wire/constants.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { bob, ServerHarness } from "../../support/server-harness.ts";
import { Gate, slowVolume } from "../../support/slow-volume.ts";
import { requests } from "../../support/smb-requests.ts";

const { CREATE } = CreateDisposition;

describe("a CREATE of a new file", () => {
  it("makes no temporary directory (MS-FSA 2.1.5.1.1)", async () => {
    const tree = await (await ServerHarness.start()).mount();
    const request = {
      createDisposition: CREATE,
      createOptions: CreateOption.DIRECTORY_FILE,
      fileAttributes: FileAttribute.TEMPORARY,
    };
    expect(await tree.tryCreate("dir", request)).toBe(NtStatus.INVALID_PARAMETER);
    expect(await tree.tryCreate("dir")).toBe(NtStatus.OBJECT_NAME_NOT_FOUND);
  });

  it("leaves no file behind where the session has too many handles", async () => {
    const harness = await ServerHarness.start({ protocol: { maxOpensPerSession: 1 } });
    const tree = await harness.mount();
    const held = await tree.create("");
    expect(await tree.tryCreate("new", { createDisposition: CREATE })).toBe(NtStatus.TOO_MANY_OPENED_FILES);
    await held.close();
    expect(await tree.tryCreate("new")).toBe(NtStatus.OBJECT_NAME_NOT_FOUND);
  });

  it("yields to who has opened the file before it was done, and leaves him his data", async () => {
    const gate = new Gate();
    const harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    const tree = await harness.mount();
    gate.hold("openStream");
    const creating = tree.submit(requests.create("file", { createDisposition: CREATE, shareAccess: 0 }));
    await gate.arrival("openStream");
    const other = await harness.mount("data", { account: bob });
    const opening = other.create("file");
    while (gate.waiting < 2) await new Promise(setImmediate);
    gate.letGo(1);
    const opened = await opening;
    gate.release();
    expect((await creating.reply).status).toBe(NtStatus.SHARING_VIOLATION);
    await opened.write(0, "mine");
    expect((await opened.read(0, 4)).toString()).toBe("mine");
    await opened.close();
    expect(gate.open).toBe(0);
  });
});
