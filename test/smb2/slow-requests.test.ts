// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { HeaderFlag } from "../../src/smb2/wire/constants.ts";
import { decodeReadResponse } from "../../src/smb2/wire/read.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import { ServerHarness, settle } from "../support/server-harness.ts";
import { Gate, slowVolume } from "../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../support/smb-client.ts";
import { requests } from "../support/smb-requests.ts";

const INTERVAL = 100;

describe("a request that the storage keeps waiting", () => {
  let gate: Gate;
  let harness: ServerHarness;
  let tree: SmbTree;
  let file: SmbFile;
  let frames: number;

  beforeEach(async () => {
    gate = new Gate();
    harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    tree = await harness.mount();
    file = await tree.createFile("file");
    await file.write(0, "0123456789");
    harness.clock.advance(INTERVAL);
    frames = 0;
    tree.session.connection.onFrame = () => {
      frames += 1;
    };
  });

  it("is announced after a while, and answered when it is done", async () => {
    gate.hold("read");
    const call = file.submit(requests.read(file.fileId, 2, 3), { sign: true });
    await gate.arrival("read");
    harness.clock.advance(INTERVAL);
    await settle();
    expect(frames).toBe(0);
    harness.clock.advance(INTERVAL);
    const interim = await call.pending;
    expect(interim.signed).toBe(false);
    expect(interim.header.flags & HeaderFlag.ASYNC_COMMAND).not.toBe(0);
    expect(interim.header.credits).toBeGreaterThan(0);
    harness.clock.advance(10 * INTERVAL);
    expect(frames).toBe(1);
    gate.release();
    const reply = await call.reply;
    expect(reply.signed).toBe(true);
    expect(reply.header.asyncId).toBe(interim.header.asyncId);
    expect(reply.header.credits).toBe(0);
    expect(decodeReadResponse(reply.reader).data.toString()).toBe("234");
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it("is not announced when it is done in time", async () => {
    gate.hold("flush");
    const call = file.submit(requests.flush(file.fileId));
    await gate.arrival("flush");
    harness.clock.advance(INTERVAL);
    gate.release();
    const reply = await call.reply;
    expect(reply.header.flags & HeaderFlag.ASYNC_COMMAND).toBe(0);
    harness.clock.advance(INTERVAL);
    expect(frames).toBe(1);
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it("is not announced inside of a compound", async () => {
    gate.hold("flush");
    const calls = tree.submitCompound([requests.create("file"), requests.flush()]);
    await gate.arrival("flush");
    harness.clock.advance(10 * INTERVAL);
    await settle();
    expect(frames).toBe(0);
    gate.release();
    for (const call of calls) expect((await call.reply).status).toBe(0);
    expect(frames).toBe(1);
  });

  it("hears of the end of its connection, and a shutdown waits for it", async () => {
    gate.hold("flush");
    const call = file.submit(requests.flush(file.fileId));
    await gate.arrival("flush");
    harness.clock.advance(2 * INTERVAL);
    await call.pending;
    const [connection] = harness.server.connections;
    expect(connection?.isBusy).toBe(true);
    tree.session.connection.close();
    gate.release();
    await settle();
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.errors).toEqual([]);
  });
});
