// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../src/nt/status.ts";
import { DurableHandleFlag, GlobalCapability, LockFlag, OplockLevel } from "../../src/smb2/wire/constants.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import { durable, guid, mountAs, reconnect } from "../support/durable-client.ts";
import { MemoryOpenStore } from "../support/memory-open-store.ts";
import { ServerHarness, settle } from "../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../support/smb-client.ts";
import { ClientError, type Reply } from "../support/smb-connection.ts";
import { requests } from "../support/smb-requests.ts";

interface Handles {
  readonly tree: SmbTree;
  readonly file: SmbFile;
}

const { PERSISTENT } = DurableHandleFlag;
const asked = (value: number, requestedOplockLevel: number = OplockLevel.NONE) => ({
  ...durable.v2(guid(value), { flags: PERSISTENT }),
  requestedOplockLevel,
});

const rename = (): Buffer => {
  const name = Buffer.from("moved", "utf16le");
  const info = Buffer.alloc(20 + name.length);
  info.writeUInt32LE(name.length, 16);
  name.copy(info, 20);
  return info;
};

/** Requests that are answered when something is stable. */
const operations: readonly [string, (handles: Handles) => Promise<Reply>][] = [
  ["CREATE", ({ tree }) => tree.exchange(requests.create("other", asked(2)))],
  [
    "LOCK",
    ({ file }) => {
      const lock = { offset: 0n, length: 1n, flags: LockFlag.EXCLUSIVE_LOCK | LockFlag.FAIL_IMMEDIATELY };
      return file.exchange(requests.lock(file.fileId, [lock]));
    },
  ],
  [
    "SET_INFO",
    ({ file }) => file.exchange(requests.setInfo(file.fileId, FileInformationClass.FileRenameInformation, rename())),
  ],
  ["CLOSE", ({ file }) => file.exchange(requests.close(file.fileId))],
];

const endings: readonly [string, (handles: Handles) => Promise<unknown>][] = [
  ["the handle", ({ file }) => file.close()],
  ["the tree connect", ({ tree }) => tree.disconnect()],
  ["the session", ({ tree }) => tree.session.logOff()],
  ["the connection", async ({ tree }) => tree.session.connection.close()],
];

describe("while the store of persistent handles takes its time", () => {
  let store: MemoryOpenStore;
  let harness: ServerHarness;
  let handles: Handles;

  beforeEach(async () => {
    store = new MemoryOpenStore();
    harness = await ServerHarness.start({
      volume: new MemoryVolume(),
      share: { continuousAvailability: true },
      persistentOpens: store,
    });
    const tree = await mount(1);
    await tree.put("file", "content");
    await tree.put("other", "content");
    handles = { tree, file: await tree.create("file", asked(1)) };
  });

  const mount = (client: number) =>
    mountAs(harness, client, { capabilities: GlobalCapability.LARGE_MTU | GlobalCapability.PERSISTENT_HANDLES });

  for (const [ending, end] of endings) {
    it.each(operations)(`%s may find ${ending} gone`, async (_, operate) => {
      store.hold();
      const answer = operate(handles).catch((error: unknown) => error);
      await settle();
      expect(store.waiting).toBe(1);
      const ended = end(handles).catch((error: unknown) => error);
      await settle();
      store.release();
      const result = await answer;
      await ended;
      await settle();
      expect(result instanceof ClientError).toBe(ending === "the connection");
      // What is stable is what is open, or waits for its client.
      const kept = new Set(store.records.keys());
      for (const id of kept) expect(harness.server.durableOpens.find(id)?.closing).toBe(false);
      handles.tree.session.connection.close();
      await settle();
      expect(harness.server.durableOpens.disconnectedCount).toBe(kept.size);
      harness.clock.advance(60_000);
      await settle();
      expect(store.records.size).toBe(0);
      expect(harness.server.fileTable(harness.volume).size).toBe(0);
      expect(harness.errors).toEqual([]);
    });
  }

  it("an acknowledgment of a break is answered when what is left of the oplock is stable", async () => {
    const file = await handles.tree.create("other", asked(2, OplockLevel.BATCH));
    const other = await mount(2);
    const opening = other.create("other");
    await settle();
    store.hold();
    let answered = false;
    const acknowledged = file
      .exchange(requests.oplockBreak({ kind: "oplock", oplockLevel: OplockLevel.II, fileId: file.fileId }))
      .then(({ status }) => {
        answered = true;
        return statusName(status);
      });
    await settle();
    expect(answered).toBe(false);
    store.release();
    expect(await acknowledged).toBe("STATUS_SUCCESS");
    await opening;
    expect(store.records.get(file.fileId.persistent)?.oplockLevel).toBe(OplockLevel.II);
  });

  it("a client that comes back finds its lock, though it never saw the answer", async () => {
    const { file, tree } = handles;
    store.hold();
    const lock = { offset: 0n, length: 1n, flags: LockFlag.EXCLUSIVE_LOCK | LockFlag.FAIL_IMMEDIATELY };
    const sequence = { number: 1, index: 1 };
    file.exchange(requests.lock(file.fileId, [lock], sequence)).catch(() => {});
    await settle();
    tree.session.connection.close();
    store.release();
    await settle();
    const back = await reconnect.v2(await mount(1), file, guid(1), PERSISTENT);
    expect((await back.exchange(requests.lock(back.fileId, [lock], sequence))).status).toBe(0);
    await back.unlock(0, 1);
  });
});
