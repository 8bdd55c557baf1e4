// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../../src/nt/status.ts";
import { CreateDisposition, HeaderFlag, LockFlag, OplockLevel } from "../../../src/smb2/wire/constants.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { cut, durable, guid, mountAs, reconnect, replay } from "../../support/durable-client.ts";
import { alice, bob, ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import { Gate, slowVolume } from "../../support/slow-volume.ts";
import type { SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

describe("requests sent again", () => {
  let gate: Gate;
  let harness: ServerHarness;
  let tree: SmbTree;

  beforeEach(async () => {
    gate = new Gate();
    harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    tree = await mountAs(harness, 1);
    await tree.put("file", "0123456789");
  });

  describe("CREATE", () => {
    const asked = { ...durable.v2(guid(9)), createDisposition: CreateDisposition.OPEN_IF };

    it("finds the handle of the first time", async () => {
      const file = await tree.create("new", asked);
      const again = await tree.create("new", asked, replay);
      expect(again.fileId).toEqual(file.fileId);
      expect(again.response.createAction).toBe(file.response.createAction);
      expect(again.response.contexts).toEqual(file.response.contexts);
      expect(tree.session.connection.isClosed).toBe(false);
      expect(harness.server.durableOpens.find(file.fileId.persistent)?.file.opens.size).toBe(1);
    });

    it("is a mistake without the flag", async () => {
      await tree.create("file", asked);
      expect(await statusOf(tree.create("file", asked))).toBe("STATUS_DUPLICATE_OBJECTID");
    });

    it("is a new request once the handle has been used or closed, and for another client", async () => {
      const file = await tree.create("file", asked);
      await file.read(0, 1);
      await file.close();
      const again = await tree.create("file", asked, replay);
      expect(again.fileId).not.toEqual(file.fileId);
      await again.close();
      const other = await mountAs(harness, 2);
      await (await other.create("file", asked)).close();
      expect(await statusOf(tree.create("file", asked))).toBe("STATUS_SUCCESS");
    });

    it("is refused to another user, and on another session", async () => {
      await tree.create("file", asked);
      const stranger = await mountAs(harness, 1, { account: bob });
      expect(await statusOf(stranger.create("file", asked, replay))).toBe("STATUS_ACCESS_DENIED");
      const second = await mountAs(harness, 1);
      expect(await statusOf(second.create("file", asked, replay))).toBe("STATUS_DUPLICATE_OBJECTID");
    });

    it("has to wait while the first one is under way, also after a cut", async () => {
      gate.hold("open");
      const first = tree.submit(requests.create("file", asked));
      await gate.arrival("open");
      expect(await statusOf(tree.create("file", asked, replay))).toBe("STATUS_FILE_NOT_AVAILABLE");
      expect(await statusOf(tree.create("file", asked))).toBe("STATUS_DUPLICATE_OBJECTID");
      await cut(tree);
      const again = await mountAs(harness, 1);
      expect(await statusOf(again.create("file", asked, replay))).toBe("STATUS_FILE_NOT_AVAILABLE");
      gate.release();
      await expect(first.reply).rejects.toThrow();
      await settle();
      expect(await statusOf(again.create("file", asked, replay))).toBe("STATUS_SUCCESS");
    });
  });

  describe("CREATE on a session of two connections", () => {
    const asked = { ...durable.v2(guid(9)), createDisposition: CreateDisposition.OPEN_IF };

    /** A CREATE that waits for the oplock of another client, on the second connection, which is then lost. */
    const strand = async () => {
      const holder = await mountAs(harness, 2);
      const held = await holder.create("file", { requestedOplockLevel: OplockLevel.BATCH });
      const second = await harness.connect({ clientGuid: guid(1) });
      await tree.session.bind(second, alice);
      const call = tree.submit(requests.create("file", asked), { connection: second });
      await call.pending;
      second.close();
      await settle();
      return { held };
    };

    it("goes on when its connection is lost, to be found by the next try", async () => {
      const { held } = await strand();
      expect(await statusOf(tree.create("file", asked, replay))).toBe("STATUS_FILE_NOT_AVAILABLE");
      await held.close();
      await settle();
      const found = await tree.create("file", asked, replay);
      expect((await found.read(0, 1)).toString()).toBe("0");
      await found.close();
      expect(harness.server.fileTable(harness.volume).size).toBe(0);
    });

    it("ends with the session", async () => {
      const { held } = await strand();
      await tree.session.logOff();
      await settle();
      const again = await mountAs(harness, 1);
      await held.close();
      const opened = await again.create("file", asked, replay);
      await opened.close();
      expect(harness.server.fileTable(harness.volume).size).toBe(0);
      expect(harness.errors).toEqual([]);
    });
  });

  describe("what changes a file", () => {
    const sequence = (channelSequence: number, flags = 0) => ({ header: { channelSequence, flags } });
    const again = (channelSequence: number) => sequence(channelSequence, HeaderFlag.REPLAY_OPERATION);

    it("is not done beside its first time", async () => {
      const file = await tree.create("file");
      const write = requests.write(file.fileId, 0, Buffer.from("x"));
      gate.hold("write");
      const first = file.exchange(write, sequence(0));
      await gate.arrival("write");
      const refused = await file.exchange(write, again(1));
      expect(statusName(refused.status)).toBe("STATUS_FILE_NOT_AVAILABLE");
      // Reading hurts nobody.
      const read = await file.exchange(requests.read(file.fileId, 0, 1), again(1));
      expect(read.status).toBe(0);
      gate.release();
      expect((await first).status).toBe(0);
      expect((await file.exchange(write, again(1))).status).toBe(0);
      const late = await file.exchange(write, sequence(0));
      expect(statusName(late.status)).toBe("STATUS_FILE_NOT_AVAILABLE");
    });

    it("is not done beside one of before a cut", async () => {
      const file = await tree.create("file", durable.v2(guid(9)));
      gate.hold("write");
      const first = file.exchange(requests.write(file.fileId, 0, Buffer.from("x")));
      first.catch(() => {});
      await gate.arrival("write");
      await cut(tree);
      const back = await reconnect.v2(await mountAs(harness, 1), file, guid(9));
      expect(back.fileId.persistent).toBe(file.fileId.persistent);
      const write = requests.write(back.fileId, 0, Buffer.from("y"));
      expect(statusName((await back.exchange(write, again(0))).status)).toBe("STATUS_FILE_NOT_AVAILABLE");
      gate.release();
      await settle();
      expect((await back.exchange(write, again(0))).status).toBe(0);
      expect((await back.read(0, 2)).toString()).toBe("y1");
    });
  });

  describe("LOCK", () => {
    const exclusive = { offset: 0n, length: 1n, flags: LockFlag.EXCLUSIVE_LOCK | LockFlag.FAIL_IMMEDIATELY };
    const status = async (lock: typeof exclusive, number: number, index: number) => {
      const file = await opened;
      return statusName((await file.exchange(requests.lock(file.fileId, [lock], { number, index }))).status);
    };
    let opened: ReturnType<SmbTree["create"]>;

    beforeEach(() => {
      opened = tree.create("file");
    });

    it("is carried out once", async () => {
      expect(await status(exclusive, 1, 1)).toBe("STATUS_SUCCESS");
      expect(await status(exclusive, 1, 1)).toBe("STATUS_SUCCESS");
      const unlock = { ...exclusive, flags: LockFlag.UNLOCK };
      expect(await status(unlock, 2, 1)).toBe("STATUS_SUCCESS");
      expect(await status(unlock, 2, 1)).toBe("STATUS_SUCCESS");
      expect(await status(unlock, 3, 1)).toBe("STATUS_RANGE_NOT_LOCKED");
    });

    it("is known only where it has succeeded and bears a number", async () => {
      expect(await status(exclusive, 0, 0)).toBe("STATUS_SUCCESS");
      expect(await status(exclusive, 0, 0)).toBe("STATUS_LOCK_NOT_GRANTED");
      expect(await status(exclusive, 1, 1)).toBe("STATUS_LOCK_NOT_GRANTED");
      expect(await status(exclusive, 1, 1)).toBe("STATUS_LOCK_NOT_GRANTED");
    });
  });
});
