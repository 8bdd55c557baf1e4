// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { GlobalCapability, OplockLevel } from "../../src/smb2/wire/constants.ts";
import { ServerHarness, settle, statusOf } from "../support/server-harness.ts";
import type { SmbTree } from "../support/smb-client.ts";
import { requests } from "../support/smb-requests.ts";

const IDLE = 20_000;
const negotiate = { capabilities: GlobalCapability.LARGE_MTU | GlobalCapability.NOTIFICATIONS };

describe("a session that asks nothing", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  const advance = async (milliseconds: number) => {
    harness.clock.advance(milliseconds);
    await settle();
  };

  beforeEach(async () => {
    harness = await ServerHarness.start({ protocol: { sessionIdleTimeout: IDLE } });
    tree = await harness.mount("data", { negotiate });
  });

  it("ends after the time configured, and its client is told", async () => {
    await advance(IDLE - 1);
    expect(harness.server.sessions.size).toBe(1);
    await advance(1);
    expect(harness.server.sessions.size).toBe(0);
    expect(tree.session.connection.notifications).toHaveLength(1);
    expect(await statusOf(tree.put("file", ""))).toBe("STATUS_USER_SESSION_DELETED");
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it("has its whole time again after each request", async () => {
    await advance(IDLE - 1);
    await tree.exchange(requests.echo());
    await advance(IDLE - 1);
    expect(harness.server.sessions.size).toBe(1);
    await advance(1);
    expect(harness.server.sessions.size).toBe(0);
  });

  it("goes on while it has something open, or waits for that", async () => {
    await tree.put("file", "");
    const other = await harness.mount("data");
    const batch = await other.create("file", { requestedOplockLevel: OplockLevel.BATCH });
    const waiting = tree.submit(requests.create("file"));
    await waiting.pending;
    harness.clock.advance(35_000 - 1);
    expect(harness.server.sessions.size).toBe(2);
    await batch.close();
    expect((await waiting.reply).status).toBe(0);
    await advance(5 * IDLE);
    expect([...harness.server.sessions.values()].map(({ opens }) => opens.size)).toEqual([1]);
  });

  it("stays for ever where no time is configured", async () => {
    harness = await ServerHarness.start();
    await harness.mount("data");
    await advance(1000 * IDLE);
    expect(harness.server.sessions.size).toBe(1);
    expect(harness.clock.pendingTimers).toBe(0);
  });
});
