// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { statusName } from "../../../src/nt/status.ts";
import { LockFlag } from "../../../src/smb2/wire/constants.ts";
import type { LockElement } from "../../../src/smb2/wire/lock.ts";
import { ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import type { Call } from "../../support/smb-connection.ts";
import { requests } from "../../support/smb-requests.ts";

const { SHARED_LOCK, EXCLUSIVE_LOCK, UNLOCK, FAIL_IMMEDIATELY } = LockFlag;

function element(offset: number, length: number, flags: number): LockElement {
  return { offset: BigInt(offset), length: BigInt(length), flags };
}

async function finalStatus(call: Call): Promise<string> {
  return statusName((await call.reply).status);
}

describe("LOCK", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let a: SmbFile;
  let b: SmbFile;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
    await tree.put("file", "0123456789");
    a = await tree.create("file");
    b = await tree.create("file");
  });

  const lockStatus = async (file: SmbFile, ...locks: LockElement[]) =>
    statusName((await file.exchange(requests.lock(file.fileId, locks))).status);

  describe("its parameters", () => {
    it.each([
      ["no lock at all", []],
      ["no kind", [element(0, 1, FAIL_IMMEDIATELY)]],
      ["both kinds", [element(0, 1, SHARED_LOCK | EXCLUSIVE_LOCK | FAIL_IMMEDIATELY)]],
      ["unknown flags", [element(0, 1, EXCLUSIVE_LOCK | FAIL_IMMEDIATELY | 0x20)]],
      ["a kind with UNLOCK", [element(0, 1, UNLOCK | SHARED_LOCK)]],
      ["several that may wait", [element(0, 1, EXCLUSIVE_LOCK), element(2, 1, EXCLUSIVE_LOCK)]],
      ["UNLOCK behind a lock", [element(0, 1, EXCLUSIVE_LOCK | FAIL_IMMEDIATELY), element(0, 1, UNLOCK)]],
    ])("%s: INVALID_PARAMETER", async (_, locks) => {
      expect(await lockStatus(a, ...locks)).toBe("STATUS_INVALID_PARAMETER");
      expect(await lockStatus(b, element(0, 100, EXCLUSIVE_LOCK | FAIL_IMMEDIATELY))).toBe("STATUS_SUCCESS");
    });

    it("refuses a range beyond 64 bits", async () => {
      const wrapping = { offset: 0xffff_ffff_ffff_ffffn, length: 2n, flags: EXCLUSIVE_LOCK | FAIL_IMMEDIATELY };
      expect(await lockStatus(a, wrapping)).toBe("STATUS_INVALID_LOCK_RANGE");
      expect(await lockStatus(a, { ...wrapping, length: 1n })).toBe("STATUS_SUCCESS");
      expect(await lockStatus(a, { ...wrapping, flags: UNLOCK })).toBe("STATUS_INVALID_LOCK_RANGE");
    });

    it("needs a right to the data", async () => {
      const metadata = await tree.create("file", { desiredAccess: Access.READ_ATTRIBUTES });
      expect(await statusOf(metadata.lock(0, 1))).toBe("STATUS_ACCESS_DENIED");
    });

    it("is for files, not for directories", async () => {
      const directory = await tree.createDirectory("dir");
      expect(await statusOf(directory.lock(0, 1))).toBe("STATUS_INVALID_PARAMETER");
    });
  });

  it("is all or none, and gives back only what it took itself", async () => {
    await a.lock(0, 10);
    await b.lock(20, 1);
    const failing = [element(0, 10, SHARED_LOCK | FAIL_IMMEDIATELY), element(20, 1, EXCLUSIVE_LOCK | FAIL_IMMEDIATELY)];
    expect(await lockStatus(a, ...failing)).toBe("STATUS_LOCK_NOT_GRANTED");
    // The exclusive lock from before is still there.
    expect(await statusOf(b.lock(0, 10, SHARED_LOCK))).toBe("STATUS_LOCK_NOT_GRANTED");
    await a.unlock(0, 10);
    expect(await statusOf(a.unlock(0, 10))).toBe("STATUS_RANGE_NOT_LOCKED");
  });

  it("keeps what was unlocked before a failure unlocked", async () => {
    await a.lock(0, 1);
    await a.lock(5, 1);
    const locks = [element(0, 1, UNLOCK), element(3, 1, UNLOCK), element(5, 1, UNLOCK)];
    expect(await lockStatus(a, ...locks)).toBe("STATUS_RANGE_NOT_LOCKED");
    expect(await statusOf(b.lock(0, 1))).toBe("STATUS_SUCCESS");
    expect(await statusOf(b.lock(5, 1))).toBe("STATUS_LOCK_NOT_GRANTED");
  });

  it("blocks the reads and writes of others, not the owner's", async () => {
    await a.lock(2, 4);
    expect(await statusOf(b.read(0, 3))).toBe("STATUS_FILE_LOCK_CONFLICT");
    expect(await statusOf(b.write(5, "x"))).toBe("STATUS_FILE_LOCK_CONFLICT");
    expect(await statusOf(b.read(0, 2))).toBe("STATUS_SUCCESS");
    expect(await statusOf(a.write(2, "yyyy"))).toBe("STATUS_SUCCESS");
    await a.unlock(2, 4);
    await a.lock(2, 4, SHARED_LOCK);
    expect(await statusOf(b.read(0, 10))).toBe("STATUS_SUCCESS");
    expect(await statusOf(b.write(5, "x"))).toBe("STATUS_FILE_LOCK_CONFLICT");
    expect(await statusOf(a.write(5, "x"))).toBe("STATUS_FILE_LOCK_CONFLICT");
  });

  it("goes with the handle", async () => {
    await a.lock(0, 1);
    await a.close();
    expect(await statusOf(b.lock(0, 1))).toBe("STATUS_SUCCESS");
  });

  it("does not outgrow its bound", async () => {
    const small = await ServerHarness.start({ protocol: { maxLocksPerOpen: 2 } });
    const file = await (await small.mount()).createFile("file");
    await file.lock(0, 1);
    await file.lock(1, 1);
    expect(await statusOf(file.lock(2, 1))).toBe("STATUS_INSUFFICIENT_RESOURCES");
  });

  describe("that has to wait", () => {
    let waiting: Call;

    beforeEach(async () => {
      await a.lock(0, 10);
      waiting = b.submitLock(element(5, 1, EXCLUSIVE_LOCK));
      await waiting.pending;
    });

    it("is granted when the range is free", async () => {
      await a.unlock(0, 10);
      expect(await finalStatus(waiting)).toBe("STATUS_SUCCESS");
      expect(await statusOf(a.lock(5, 1))).toBe("STATUS_LOCK_NOT_GRANTED");
    });

    it("is granted when the holder's handle closes", async () => {
      await a.close();
      expect(await finalStatus(waiting)).toBe("STATUS_SUCCESS");
    });

    it("is granted when the holder's connection ends", async () => {
      const other = await harness.mount();
      const file = await other.create("file");
      await a.close();
      await waiting.reply;
      const second = file.submitLock(element(5, 1, EXCLUSIVE_LOCK));
      await second.pending;
      tree.session.connection.close();
      expect(await finalStatus(second)).toBe("STATUS_SUCCESS");
    });

    it.each([
      ["by its AsyncId", true],
      ["by its MessageId", false],
    ])("is cancelled %s, once", async (_, byAsyncId) => {
      if (!byAsyncId) waiting.asyncId = 0n;
      tree.session.connection.cancel(waiting);
      if (!byAsyncId) waiting.asyncId = (await waiting.pending).header.asyncId;
      expect(await finalStatus(waiting)).toBe("STATUS_CANCELLED");
      tree.session.connection.cancel(waiting);
      await a.unlock(0, 10);
      expect(await statusOf(a.lock(5, 1))).toBe("STATUS_SUCCESS");
    });

    it("is not cancelled by another session", async () => {
      const { connection } = tree.session;
      connection.cancel(waiting, { header: { sessionId: tree.session.sessionId + 1n } });
      connection.cancel(waiting, { header: { sessionId: 0n } });
      await settle();
      await a.unlock(0, 10);
      expect(await finalStatus(waiting)).toBe("STATUS_SUCCESS");
    });

    it("ends with its own handle", async () => {
      await b.close();
      expect(await finalStatus(waiting)).toBe("STATUS_RANGE_NOT_LOCKED");
    });

    it.each([
      ["tree", (own: SmbTree) => own.disconnect()],
      ["session", (own: SmbTree) => own.session.logOff()],
    ])("ends with its %s", async (_, end) => {
      const own = await harness.mount();
      const second = (await own.create("file")).submitLock(element(0, 1, EXCLUSIVE_LOCK));
      await second.pending;
      await end(own);
      expect(await finalStatus(second)).toBe("STATUS_RANGE_NOT_LOCKED");
    });

    it("leaves nothing behind when its connection ends", async () => {
      const other = await harness.mount();
      const file = await other.create("file");
      tree.session.connection.close();
      await expect(waiting.reply).rejects.toThrow("closed");
      await settle();
      expect(await statusOf(file.lock(0, 100))).toBe("STATUS_SUCCESS");
      expect(harness.server.sessions.size).toBe(1);
      expect(harness.errors).toEqual([]);
    });

    it("gets its credits with the interim response", async () => {
      const interim = await waiting.pending;
      await a.unlock(0, 10);
      const final = await waiting.reply;
      expect(interim.header.credits).toBeGreaterThan(0);
      expect(final.header.credits).toBe(0);
    });
  });

  it("is not made to wait without bound", async () => {
    const small = await ServerHarness.start({ protocol: { maxAsyncPerConnection: 1 } });
    const mount = await small.mount();
    const first = await mount.createFile("file");
    const second = await mount.create("file");
    await first.lock(0, 10);
    const waiting = second.submitLock(element(0, 1, EXCLUSIVE_LOCK));
    await waiting.pending;
    expect(await finalStatus(second.submitLock(element(1, 1, EXCLUSIVE_LOCK)))).toBe("STATUS_INSUFFICIENT_RESOURCES");
    await first.unlock(0, 10);
    expect(await finalStatus(waiting)).toBe("STATUS_SUCCESS");
    // The refused request must not have been given the lock by now.
    expect(await statusOf(first.lock(1, 1))).toBe("STATUS_SUCCESS");
  });
});
