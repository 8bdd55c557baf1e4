// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it, vi } from "vitest";
import { Dialect, DurableHandleFlag, GlobalCapability, LeaseBreakFlag } from "../../src/smb2/wire/constants.ts";
import { leaseContext } from "../../src/smb2/wire/create-context-data.ts";
import { decodeOplockBreakNotification } from "../../src/smb2/wire/oplock-break.ts";
import { cut, durable, guid, mountAs, reconnect } from "../support/durable-client.ts";
import { LeaseClient, leaseBits, type Opening } from "../support/lease-client.ts";
import { MemoryOpenStore } from "../support/memory-open-store.ts";
import { alice, ServerHarness, settle } from "../support/server-harness.ts";
import { logOn, type SmbSession, type SmbTree } from "../support/smb-client.ts";
import { SmbConnection } from "../support/smb-connection.ts";
import { requests } from "../support/smb-requests.ts";
import type { InProcessTransport } from "../support/smb-transport.ts";

const PATIENCE = 3_000;
const ACKNOWLEDGMENT_TIMEOUT = 35_000;
const BATCH = 9;
const negotiate = {
  capabilities: GlobalCapability.LARGE_MTU | GlobalCapability.LEASING | GlobalCapability.MULTI_CHANNEL,
};

interface Channel {
  readonly transport: InProcessTransport;
  readonly connection: SmbConnection;
}

/** Levels and lease states that a connection has been told of. */
function told({ connection }: Channel): (number | string)[] {
  return connection.notifications.map(({ reader }) => {
    reader.seek(64);
    const message = decodeOplockBreakNotification(reader);
    return message.kind === "oplock"
      ? message.oplockLevel
      : `${message.currentLeaseState}>${message.newLeaseState}, epoch ${message.newEpoch}, flags ${message.flags}`;
  });
}

describe("the notification of a break", () => {
  let harness: ServerHarness;
  let session: SmbSession;
  let tree: SmbTree;
  let first: Channel;
  let second: Channel;
  let other: LeaseClient;

  const channel = async (): Promise<Channel> => {
    const transport = harness.transport();
    const connection = new SmbConnection(transport, guid(1));
    await connection.negotiate(negotiate);
    return { transport, connection };
  };
  const bound = async (): Promise<Channel> => {
    const made = await channel();
    await session.bind(made.connection, alice);
    return made;
  };
  const lease = (state: string) => new LeaseClient(tree).open("file", { key: 1, state });
  const advance = async (milliseconds: number) => {
    harness.clock.advance(milliseconds);
    await settle();
  };
  const acknowledge = (over: Channel, state: string) =>
    tree.exchange(requests.oplockBreak({ kind: "lease", leaseKey: guid(1), leaseState: leaseBits(state) }), {
      connection: over.connection,
    });

  beforeEach(async () => {
    harness = await ServerHarness.start();
    first = await channel();
    session = await logOn(first.connection, alice);
    tree = await session.treeConnect("data");
    second = await bound();
    other = await LeaseClient.mount(harness);
  });

  it("of a lease comes again over another channel where the first one gets nothing through, and that one is ended", async () => {
    await lease("RWH");
    first.transport.hold(true);
    const opening = other.begin("file", { key: 2, state: "RWH" });
    await opening.pending;
    await advance(PATIENCE);
    expect(told(second)).toEqual([]);
    expect(first.transport.endedBy).toBeUndefined();
    await advance(500);
    expect(told(second)).toEqual([`7>3, epoch 2, flags ${LeaseBreakFlag.ACK_REQUIRED}`]);
    expect(first.transport.endedBy).toBe("server");
    expect(harness.log.filter(({ message }) => message === "connection ended")).toHaveLength(1);
    await acknowledge(second, "RH");
    expect(await opening.opened).toMatchObject({ state: "RH" });
    await advance(500);
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it("of an oplock goes to the channel of the handle, and to the others in their order", async () => {
    const third = await bound();
    await tree.put("file", "");
    const opened = await tree.create("file", { requestedOplockLevel: BATCH }, { connection: second.connection });
    second.transport.hold(true);
    const opening = other.begin("file", {});
    await opening.pending;
    expect(told(first)).toEqual([]);
    await advance(PATIENCE + 500);
    expect(told(first)).toEqual([1]);
    first.transport.close("client");
    await settle();
    expect(told(third)).toEqual([1]);
    const answer = requests.oplockBreak({ kind: "oplock", oplockLevel: 1, fileId: opened.fileId });
    await tree.exchange(answer, { connection: third.connection });
    await opening.opened;
  });

  it("of the mere caching of reads comes again, too", async () => {
    await lease("R");
    first.transport.hold(true);
    const { file } = await other.open("file", {});
    await file.write(0, Buffer.from("x"));
    await advance(PATIENCE + 500);
    expect(told(second)).toEqual(["1>0, epoch 2, flags 0"]);
    await advance(500);
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it("does not come twice once it has arrived", async () => {
    await lease("R");
    const { file } = await other.open("file", {});
    await file.write(0, Buffer.from("x"));
    await advance(500);
    expect(told(first)).toHaveLength(1);
    first.transport.close("client");
    await settle();
    expect(told(second)).toEqual([]);
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it("comes again where the channel ends before the acknowledgment, which may have been lost with it", async () => {
    await lease("RWH");
    const opening = other.begin("file", {});
    await opening.pending;
    await advance(500);
    expect(told(first)).toHaveLength(1);
    first.transport.close("client");
    await settle();
    expect(told(second)).toHaveLength(1);
    await acknowledge(second, "RH");
    await opening.opened;
  });

  it("leaves a channel alone that is slow, but moves", async () => {
    await lease("RWH");
    first.transport.hold(true);
    let acknowledged = 0;
    vi.spyOn(first.transport.connection.transport, "acknowledgedBytes").mockImplementation(() => acknowledged++);
    const opening = other.begin("file", {});
    await opening.pending;
    await advance(ACKNOWLEDGMENT_TIMEOUT - 1);
    expect(first.transport.endedBy).toBeUndefined();
    expect(told(second)).toEqual([]);
    await advance(1);
    expect(await opening.opened).toBeDefined();
  });

  it("leaves a channel alone of which nobody knows what arrives", async () => {
    await lease("RWH");
    first.transport.hold(true);
    first.transport.acknowledges = false;
    const opening = other.begin("file", {});
    await opening.pending;
    await advance(ACKNOWLEDGMENT_TIMEOUT);
    await opening.opened;
    expect(first.transport.endedBy).toBeUndefined();
  });

  describe("to a client with one connection", () => {
    let waiting: Opening;

    beforeEach(async () => {
      second.transport.close("client");
      await settle();
      await lease("RWH");
      first.transport.hold(true);
      waiting = other.begin("file", {});
      await waiting.pending;
    });

    it("ends that before the acknowledgment timer, so that nothing cached is written back later", async () => {
      await advance(30_000);
      expect(waiting.isDone).toBe(false);
      expect(first.transport.endedBy).toBeUndefined();
      await advance(500);
      await waiting.opened;
      expect(first.transport.endedBy).toBe("server");
      expect(harness.server.sessions.size).toBe(1);
      expect(harness.clock.pendingTimers).toBe(0);
    });

    it("ends that in time on a server whose timers come late, too", async () => {
      harness.clock.lateness = 100;
      await advance(30_000 + 1_000);
      await waiting.opened;
      expect(first.transport.endedBy).toBe("server");
    });

    it("waits for the acknowledgment where it has arrived", async () => {
      first.transport.hold(false);
      await advance(ACKNOWLEDGMENT_TIMEOUT - 1);
      expect(waiting.isDone).toBe(false);
      await advance(1);
      await waiting.opened;
      expect(first.transport.endedBy).toBeUndefined();
      expect(harness.clock.pendingTimers).toBe(0);
    });

    it("goes over a further one as soon as it has that", async () => {
      await advance(PATIENCE + 1_000);
      const third = await channel();
      // Whoever names the client's GUID is not yet the client.
      await advance(1_000);
      expect(told(third)).toEqual([]);
      // The answers to a binding come over the new connection.
      await session.bind(third.connection, alice);
      await advance(500);
      expect(told(third)).toHaveLength(1);
      expect(first.transport.endedBy).toBe("server");
      await acknowledge(third, "RH");
      await waiting.opened;
    });
  });

  it("goes over the one connection of a session of SMB 2.1", async () => {
    const old = await harness.mount("data", { negotiate: { dialects: [Dialect.SMB_2_1], clientGuid: guid(2) } });
    const client = new LeaseClient(old);
    await client.open("old", { key: 1, state: "RWH", version: 1 });
    const opening = other.begin("old", {});
    await opening.pending;
    expect(client.breaks).toMatchObject([{ from: "RWH", to: "RH", epoch: 0 }]);
    await client.acknowledge(1, "RH");
    await opening.opened;
  });
});

describe("a break while the client of a persistent handle is away", () => {
  const { PERSISTENT } = DurableHandleFlag;
  const capabilities = GlobalCapability.LARGE_MTU | GlobalCapability.PERSISTENT_HANDLES;
  const asked = (state: string) =>
    leaseContext({
      version: 2,
      leaseKey: guid(1),
      leaseState: leaseBits(state),
      flags: 0,
      parentLeaseKey: Buffer.alloc(16),
      epoch: 0,
    });
  let harness: ServerHarness;

  beforeEach(async () => {
    const share = { continuousAvailability: true };
    harness = await ServerHarness.start({ share, persistentOpens: new MemoryOpenStore() });
  });

  /** A handle that caches reads and handles, whose client is cut off while another one writes. */
  async function brokenWhileAway() {
    const tree = await mountAs(harness, 1, { capabilities });
    await tree.put("file", "0");
    const other = await mountAs(harness, 2, { capabilities });
    const writer = await other.create("file");
    const file = await tree.create("file", {
      ...durable.v2(guid(9), { flags: PERSISTENT, contexts: [asked("RH")] }),
      requestedOplockLevel: 0xff,
    });
    await cut(tree);
    await writer.write(0, "x");
    return { file, writer };
  }

  it("is told when it is back, after the answer, and has its time from then on", async () => {
    const { file } = await brokenWhileAway();
    harness.clock.advance(ACKNOWLEDGMENT_TIMEOUT + 1);
    const back = await mountAs(harness, 1, { capabilities });
    const again = await reconnect.v2(back, file, guid(9), PERSISTENT, [asked("RH")], "file");
    await settle();
    const client = new LeaseClient(back);
    expect(client.breaks).toEqual([{ key: 1, from: "RH", to: "", epoch: 2, flags: LeaseBreakFlag.ACK_REQUIRED }]);
    const lease = [...harness.server.fileTable(harness.volume).files()][0]?.streams.get("")?.oplock.holders()[0];
    expect(lease?.breaking).toBeDefined();
    harness.clock.advance(ACKNOWLEDGMENT_TIMEOUT - 1);
    expect(await client.acknowledge(1, "")).toBe("");
    await again.close();
    expect(harness.errors).toEqual([]);
  });

  it("is over where it does not come back", async () => {
    const { file } = await brokenWhileAway();
    harness.clock.advance(60_000);
    await settle();
    expect(harness.server.durableOpens.find(file.fileId.persistent)).toBeUndefined();
    expect(harness.server.leases.size).toBe(0);
    expect(harness.clock.pendingTimers).toBe(0);
  });
});
