// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Dialect, LeaseState, LockFlag, OplockLevel, ShareAccess } from "../../../src/smb2/wire/constants.ts";
import type { CreateRequest } from "../../../src/smb2/wire/create.ts";
import {
  decodeDurableHandleResponseV2,
  decodeLease,
  durableHandleReconnectContext,
  durableHandleReconnectV2Context,
  durableHandleRequestContext,
  durableHandleRequestV2Context,
  leaseContext,
} from "../../../src/smb2/wire/create-context-data.ts";
import { type CreateContext, CreateContextName, findCreateContext } from "../../../src/smb2/wire/create-contexts.ts";
import { Fsctl } from "../../../src/smb2/wire/fsctl.ts";
import { cut, durable, guid, mountAs, reconnect } from "../../support/durable-client.ts";
import { alice, bob, ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

const NOT_FOUND = "STATUS_OBJECT_NAME_NOT_FOUND";
const KEEP = 60_000;

const isDurable = (file: SmbFile): boolean =>
  file.response.contexts.some(({ name }) => name === CreateContextName.DURABLE_HANDLE_REQUEST);

const durableV2 = (file: SmbFile) => {
  const data = findCreateContext(file.response.contexts, CreateContextName.DURABLE_HANDLE_REQUEST_V2);
  return data === undefined ? undefined : decodeDurableHandleResponseV2(data);
};

describe("durable handles", () => {
  let harness: ServerHarness;
  let tree: SmbTree;

  beforeEach(async () => {
    harness = await ServerHarness.start({ protocol: { maxDisconnectedOpensPerUser: 2, maxDisconnectedOpens: 3 } });
    tree = await mountAs(harness, 1);
    await tree.put("file", "0123456789");
  });

  const disconnected = () => harness.server.durableOpens.disconnectedCount;
  const shareCount = () => harness.server.fileTable(harness.volume).size;

  describe("version 1", () => {
    it("is granted with a batch oplock, and goes on after a cut", async () => {
      const file = await tree.create("file", durable.v1());
      expect(isDurable(file)).toBe(true);
      await file.lock(0, 5);
      await cut(tree);
      expect(disconnected()).toBe(1);
      const again = await mountAs(harness, 1);
      const back = await reconnect.v1(again, file);
      expect(back.response.oplockLevel).toBe(OplockLevel.BATCH);
      expect(back.fileId.persistent).toBe(file.fileId.persistent);
      expect(back.fileId.volatile).not.toBe(file.fileId.volatile);
      expect(disconnected()).toBe(0);
      expect((await back.read(2, 3)).toString()).toBe("234");
      // The lock is the same handle's still.
      await back.unlock(0, 5);
      await back.close();
      expect(shareCount()).toBe(0);
      // The look at slow requests ends by itself.
      harness.clock.advance(100);
      expect(harness.clock.pendingTimers).toBe(0);
    });

    it.each([OplockLevel.NONE, OplockLevel.II, OplockLevel.EXCLUSIVE])(
      "is not granted with oplock level %i",
      async (requestedOplockLevel) => {
        const file = await tree.create("file", { ...durable.v1(), requestedOplockLevel });
        expect(isDurable(file)).toBe(false);
        await cut(tree);
        expect(shareCount()).toBe(0);
        expect(await statusOf(reconnect.v1(await mountAs(harness, 1), file))).toBe(NOT_FOUND);
      },
    );

    it("is not granted for a directory", async () => {
      await tree.mkdir("dir");
      expect(isDurable(await tree.create("dir", durable.v1()))).toBe(false);
    });

    it("ends after its time, and not before", async () => {
      const file = await tree.create("file", durable.v1());
      await cut(tree);
      harness.clock.advance(KEEP - 1);
      expect(disconnected()).toBe(1);
      harness.clock.advance(1);
      await settle();
      expect(disconnected()).toBe(0);
      expect(shareCount()).toBe(0);
      expect(await statusOf(reconnect.v1(await mountAs(harness, 1), file))).toBe(NOT_FOUND);
    });

    it("is its owner's alone", async () => {
      const file = await tree.create("file", durable.v1());
      await cut(tree);
      const other = await mountAs(harness, 1, { account: bob });
      expect(await statusOf(reconnect.v1(other, file))).toBe("STATUS_ACCESS_DENIED");
      expect(await statusOf(reconnect.v1(await mountAs(harness, 1), file))).toBe("STATUS_SUCCESS");
    });

    it("is not to be had while it is in use, nor twice", async () => {
      const file = await tree.create("file", durable.v1());
      const second = await mountAs(harness, 1);
      expect(await statusOf(reconnect.v1(second, file))).toBe(NOT_FOUND);
      await cut(tree);
      await reconnect.v1(second, file);
      expect(await statusOf(reconnect.v1(await mountAs(harness, 1), file))).toBe(NOT_FOUND);
    });

    it("is kept at LOGOFF and when a session takes the place of another, and closed with its tree connect", async () => {
      const first = await tree.create("file", durable.v1());
      await tree.session.logOff();
      const second = await mountAs(harness, 1);
      const back = await reconnect.v1(second, first);
      const { sessionId } = second.session;
      const third = await (
        await harness.logOn(alice, { previousSessionId: sessionId, negotiate: { clientGuid: guid(1) } })
      ).treeConnect("data");
      expect(disconnected()).toBe(1);
      await reconnect.v1(third, back);
      await third.disconnect();
      expect(disconnected()).toBe(0);
      expect(shareCount()).toBe(0);
    });

    it("keeps its share mode, and gives way to who opens the file", async () => {
      const file = await tree.create("file", { ...durable.v1(), shareAccess: 0 });
      await cut(tree);
      const other = await mountAs(harness, 2);
      // Looking at attributes disturbs nobody.
      expect(await statusOf(other.create("file", { desiredAccess: 0x80 }))).toBe("STATUS_SUCCESS");
      expect(disconnected()).toBe(1);
      const opened = await other.create("file");
      expect(disconnected()).toBe(0);
      await opened.write(0, "x");
      expect(await statusOf(reconnect.v1(await mountAs(harness, 1), file))).toBe(NOT_FOUND);
    });

    it("is closed, not kept, when its oplock was being broken", async () => {
      await tree.create("file", durable.v1());
      const waiting = (await mountAs(harness, 2)).submit(requests.create("file"));
      await waiting.pending;
      await cut(tree);
      expect(disconnected()).toBe(0);
      expect((await waiting.reply).status).toBe(0);
    });

    it("deletes its file at the end of its time, if it was to be deleted, or when another opens it", async () => {
      const options = { ...durable.v1(), createOptions: 0x1000 };
      await tree.create("file", options);
      await cut(tree);
      expect(await statusOf((await mountAs(harness, 2)).create("file"))).toBe(NOT_FOUND);
      const again = await mountAs(harness, 1);
      await again.put("file", "x");
      await again.create("file", options);
      await cut(again);
      harness.clock.advance(KEEP);
      await settle();
      expect(await statusOf((await mountAs(harness, 2)).create("file"))).toBe(NOT_FOUND);
    });

    it("is kept only as often as the limits allow", async () => {
      for (const name of ["a", "b", "c"]) {
        await tree.put(name, "x");
        await tree.create(name, durable.v1());
      }
      await cut(tree);
      expect(disconnected()).toBe(2);
      const others = await mountAs(harness, 2, { account: bob });
      for (const name of ["d", "e"]) {
        await others.put(name, "x");
        await others.create(name, durable.v1());
      }
      await cut(others);
      expect(disconnected()).toBe(3);
      harness.clock.advance(KEEP);
      await settle();
      expect(disconnected()).toBe(0);
      expect(shareCount()).toBe(0);
    });

    it("goes with its share, and with the server", async () => {
      await tree.create("file", durable.v1());
      await cut(tree);
      harness.shares.clear();
      await harness.server.sharesChanged();
      expect(disconnected()).toBe(0);
      expect(shareCount()).toBe(0);
    });

    it("goes with the server", async () => {
      await tree.create("file", durable.v1());
      await harness.server.shutdown();
      expect(disconnected()).toBe(0);
      expect(shareCount()).toBe(0);
      expect(harness.clock.pendingTimers).toBe(0);
    });

    it("does not wait for a lock any more when its client is gone", async () => {
      const file = await tree.create("file", durable.v1());
      await file.lock(0, 1);
      const waiting = file.submitLock({ offset: 0n, length: 1n, flags: LockFlag.EXCLUSIVE_LOCK });
      await waiting.pending;
      await tree.session.logOff();
      expect((await waiting.reply).status).toBe(0xc000_0120);
      const back = await reconnect.v1(await mountAs(harness, 1), file);
      await back.unlock(0, 1);
      await back.lock(0, 1);
    });
  });

  describe("version 2", () => {
    it.each([
      [0, 60_000],
      [1000, 1000],
      [400_000, 300_000],
    ])("asked for %i ms, waits %i ms", async (timeout, granted) => {
      const file = await tree.create("file", durable.v2(guid(9), { timeout }));
      expect(durableV2(file)).toEqual({ timeout: granted, flags: 0 });
      await cut(tree);
      harness.clock.advance(granted - 1);
      expect(disconnected()).toBe(1);
      harness.clock.advance(1);
      await settle();
      expect(disconnected()).toBe(0);
    });

    it("is known by its CreateGuid", async () => {
      const file = await tree.create("file", durable.v2(guid(9)));
      await cut(tree);
      const again = await mountAs(harness, 1);
      expect(await statusOf(reconnect.v2(again, file, guid(8)))).toBe(NOT_FOUND);
      const back = await reconnect.v2(again, file, guid(9));
      expect((await back.read(0, 1)).toString()).toBe("0");
    });

    it("is unknown before SMB 3.0", async () => {
      const old = await mountAs(harness, 7, { dialects: [Dialect.SMB_2_1] });
      const file = await old.create("file", durable.v2(guid(9)));
      expect(durableV2(file)).toBeUndefined();
      await cut(old);
      expect(disconnected()).toBe(0);
    });

    it("cannot be asked for together with another version", async () => {
      const v2 = durableHandleRequestV2Context({ timeout: 0, flags: 0, createGuid: guid(9) });
      const fileId = { persistent: 1n, volatile: 1n };
      for (const v1 of [durableHandleRequestContext(), durableHandleReconnectContext(fileId)]) {
        expect(await statusOf(tree.create("file", { contexts: [v2, v1] }))).toBe("STATUS_INVALID_PARAMETER");
      }
    });
  });

  describe("with a lease", () => {
    const { READ_CACHING: R, HANDLE_CACHING: H, WRITE_CACHING: W } = LeaseState;
    const lease = (key: number, leaseState: number) =>
      leaseContext({
        version: 2,
        leaseKey: guid(key),
        leaseState,
        flags: 0,
        parentLeaseKey: Buffer.alloc(16),
        epoch: 0,
      });
    const open = (state: number, extra: Partial<CreateRequest> = {}) =>
      tree.create("file", {
        ...durable.v2(guid(9), { contexts: [lease(5, state)] }),
        requestedOplockLevel: OplockLevel.LEASE,
        ...extra,
      });
    const takeUp = async (file: SmbFile, client: number, contexts: readonly CreateContext[], name = "file") => {
      const context = durableHandleReconnectV2Context({ fileId: file.fileId, createGuid: guid(9), flags: 0 });
      return (await mountAs(harness, client)).create(name, { contexts: [context, ...contexts] });
    };

    it("goes on by the same client, with the same key and name", async () => {
      const file = await open(R | H | W);
      await cut(tree);
      expect(disconnected()).toBe(1);
      const wrong: [number, readonly CreateContext[], string, string][] = [
        [2, [lease(5, 0)], "file", NOT_FOUND],
        [1, [lease(6, 0)], "file", NOT_FOUND],
        [1, [], "file", NOT_FOUND],
        [1, [lease(5, 0)], "other", "STATUS_INVALID_PARAMETER"],
      ];
      for (const [client, contexts, name, status] of wrong) {
        expect(await statusOf(takeUp(file, client, contexts, name))).toBe(status);
      }
      const back = await takeUp(file, 1, [lease(5, 0)]);
      expect(back.response.oplockLevel).toBe(OplockLevel.LEASE);
      const data = findCreateContext(back.response.contexts, CreateContextName.REQUEST_LEASE);
      expect(data && decodeLease(data).leaseState).toBe(R | H | W);
    });

    it.each([R, R | W])("is not durable without H (state %i)", async (state) => {
      const file = await open(state);
      expect(durableV2(file)).toBeUndefined();
      await cut(tree);
      expect(disconnected()).toBe(0);
    });

    it("gives way to who could not share the file with it", async () => {
      await open(R | H, { shareAccess: ShareAccess.READ });
      await cut(tree);
      const other = await mountAs(harness, 2);
      expect(await statusOf(other.create("file", { desiredAccess: 2 }))).toBe("STATUS_SUCCESS");
      expect(disconnected()).toBe(0);
    });

    it("stays while what others do takes nothing of it", async () => {
      const file = await open(R | H);
      await cut(tree);
      const other = await mountAs(harness, 2);
      await (await other.create("file", { desiredAccess: 1 })).close();
      expect(disconnected()).toBe(1);
      await takeUp(file, 1, [lease(5, 0)]);
    });
  });

  describe("resilient", () => {
    const resiliency = (timeout: number) => {
      const input = Buffer.alloc(8);
      input.writeUInt32LE(timeout);
      return input;
    };

    it("is kept without any oplock, whatever others want", async () => {
      const file = await tree.create("file", { shareAccess: 0 });
      await file.ioctl(Fsctl.LMR_REQUEST_RESILIENCY, resiliency(30_000));
      await cut(tree);
      const other = await mountAs(harness, 2);
      expect(await statusOf(other.create("file"))).toBe("STATUS_SHARING_VIOLATION");
      harness.clock.advance(29_999);
      const back = await reconnect.v1(await mountAs(harness, 1), file);
      await cut(back.tree);
      harness.clock.advance(30_000);
      await settle();
      expect(await statusOf(other.create("file"))).toBe("STATUS_SUCCESS");
    });

    it("waits two minutes where no time is named, and no longer than five", async () => {
      const file = await tree.create("file");
      expect(await statusOf(file.ioctl(Fsctl.LMR_REQUEST_RESILIENCY, resiliency(300_001)))).toBe(
        "STATUS_INVALID_PARAMETER",
      );
      expect(await statusOf(file.ioctl(Fsctl.LMR_REQUEST_RESILIENCY, Buffer.alloc(7)))).toBe(
        "STATUS_INVALID_PARAMETER",
      );
      await file.ioctl(Fsctl.LMR_REQUEST_RESILIENCY, resiliency(0));
      await cut(tree);
      harness.clock.advance(119_999);
      expect(disconnected()).toBe(1);
      harness.clock.advance(1);
      await settle();
      expect(disconnected()).toBe(0);
    });
  });
});
