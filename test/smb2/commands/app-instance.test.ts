// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Dialect } from "../../../src/smb2/wire/constants.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { cut, durable, guid, mountAs } from "../../support/durable-client.ts";
import { ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import { Gate, slowVolume } from "../../support/slow-volume.ts";
import type { SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

describe("AppInstanceId", () => {
  let harness: ServerHarness;
  let first: SmbTree;
  let second: SmbTree;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    first = await mountAs(harness, 1);
    second = await mountAs(harness, 2);
    await first.put("file", "x");
    await first.put("other", "x");
  });

  const asked = (createGuid: number, app: number, version?: [bigint, bigint]) => ({
    ...durable.v2(guid(createGuid), {
      contexts: durable.appInstance(guid(app), version && { high: version[0], low: version[1] }),
    }),
    shareAccess: 0,
  });

  it("closes what the application had open on another client", async () => {
    const file = await first.create("file", asked(1, 7));
    const moved = await second.create("file", asked(2, 7));
    expect(await statusOf(file.read(0, 1))).toBe("STATUS_FILE_CLOSED");
    expect((await moved.read(0, 1)).toString()).toBe("x");
    expect(first.session.connection.notifications).toEqual([]);
  });

  it("closes a handle whose client is gone, too", async () => {
    await first.create("file", asked(1, 7));
    await cut(first);
    await second.create("file", asked(2, 7));
    expect(harness.server.durableOpens.disconnectedCount).toBe(0);
  });

  it("leaves other files, other applications and the same client alone", async () => {
    const other = await first.create("other", asked(1, 7));
    const foreign = await first.create("file", asked(2, 8));
    await (await second.create("new", { ...asked(3, 7), createDisposition: 3 })).close();
    expect(await statusOf(other.read(0, 1))).toBe("STATUS_SUCCESS");
    expect(await statusOf(foreign.read(0, 1))).toBe("STATUS_SUCCESS");
    const same = await mountAs(harness, 1);
    expect(await statusOf(same.create("other", { ...asked(4, 7), desiredAccess: 0x80 }))).toBe("STATUS_SUCCESS");
    expect(await statusOf(other.read(0, 1))).toBe("STATUS_SUCCESS");
  });

  it.each<[string, [bigint, bigint] | undefined, string]>([
    ["a later start", [2n, 6n], "STATUS_SUCCESS"],
    ["a later start by its high part", [3n, 0n], "STATUS_SUCCESS"],
    ["the same start", [2n, 5n], "STATUS_FILE_FORCED_CLOSED"],
    ["an earlier start", [1n, 9n], "STATUS_FILE_FORCED_CLOSED"],
    ["one that names no version", undefined, "STATUS_FILE_FORCED_CLOSED"],
  ])("in favour of %s", async (_, version, status) => {
    const file = await first.create("file", asked(1, 7, [2n, 5n]));
    expect(await statusOf(second.create("file", asked(2, 7, version)))).toBe(status);
    expect(await statusOf(file.read(0, 1))).toBe(status === "STATUS_SUCCESS" ? "STATUS_FILE_CLOSED" : "STATUS_SUCCESS");
  });

  it("has no version before 3.1.1", async () => {
    const old = await mountAs(harness, 3, { dialects: [Dialect.SMB_3_0_2] });
    await old.create("file", asked(1, 7, [2n, 5n]));
    expect(await statusOf(second.create("file", asked(2, 7, [1n, 0n])))).toBe("STATUS_SUCCESS");
  });

  describe("while it is looked at who may read the file", () => {
    const slow = async () => {
      const gate = new Gate();
      harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
      first = await mountAs(harness, 1);
      second = await mountAs(harness, 2);
      await first.put("file", "x");
      const file = await first.create("file", asked(1, 7));
      gate.hold("security");
      const moving = second.exchange(requests.create("file", asked(2, 7))).catch((error: unknown) => error);
      await gate.arrival("security");
      return { file, gate, moving };
    };
    const expectClean = async () => {
      await settle();
      for (const tree of [first, second]) tree.session.connection.close();
      await settle();
      harness.clock.advance(60_000);
      await settle();
      expect(harness.server.fileTable(harness.volume).size).toBe(0);
      expect(harness.errors).toEqual([]);
    };

    it("the former handle may close", async () => {
      const { file, gate, moving } = await slow();
      await file.close();
      gate.release();
      expect(await moving).toMatchObject({ status: 0 });
      await expectClean();
    });

    it.each<[string, () => Promise<void> | void]>([
      ["tree connect", () => second.disconnect()],
      ["session", () => second.session.logOff()],
      ["connection", () => second.session.connection.close()],
    ])("the new %s may end", async (_, end) => {
      const { gate, moving } = await slow();
      await end();
      gate.release();
      await moving;
      await expectClean();
    });
  });
});
