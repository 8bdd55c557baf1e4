// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import type { Identity } from "../../src/auth/auth.ts";
import { statusName } from "../../src/nt/status.ts";
import { CreateDisposition, Dialect, GlobalCapability } from "../../src/smb2/wire/constants.ts";
import { cut, durable, mountAs } from "../support/durable-client.ts";
import { alice, bob, ServerHarness, settle, statusOf } from "../support/server-harness.ts";
import { requests } from "../support/smb-requests.ts";

const listening = {
  capabilities: GlobalCapability.LARGE_MTU | GlobalCapability.MULTI_CHANNEL | GlobalCapability.NOTIFICATIONS,
};
const isAlice = ({ userName }: Identity) => userName === "Alice";

describe("a session that the server ends", () => {
  let harness: ServerHarness;

  beforeEach(async () => {
    harness = await ServerHarness.start();
  });

  it("is announced to the client that listens, with the bytes of the specification", async () => {
    const tree = await harness.mount("data", { negotiate: listening });
    const { connection, sessionId } = tree.session;
    expect((connection.negotiated?.response.capabilities ?? 0) & GlobalCapability.NOTIFICATIONS).not.toBe(0);
    await tree.put("file", "content");
    const file = await tree.create("file", { shareAccess: 0 });
    expect(await harness.server.endSessions(isAlice)).toBe(1);
    await settle();
    const [notification] = connection.notifications;
    const id = Buffer.alloc(8);
    id.writeBigUInt64LE(sessionId);
    expect(notification?.message.toString("hex")).toBe(
      // Header (2.2.1.2): ProtocolId, StructureSize, CreditCharge, Status, Command, Credits, Flags, NextCommand, MessageId, …
      `fe534d42400000000000000013000000${"01000000"}00000000${"ffffffffffffffff"}0000000000000000` +
        `${id.toString("hex")}${"00".repeat(16)}` +
        // StructureSize, Reserved, NotificationType, Reserved.
        "0c0000000000000000000000",
    );
    expect(connection.notifications.length).toBe(1);
    const answer = await file.exchange(requests.read(file.fileId, 0, 1));
    expect(statusName(answer.status)).toBe("STATUS_USER_SESSION_DELETED");
    const other = await harness.mount("data", { account: bob });
    expect(await statusOf(other.create("file", { shareAccess: 0 }))).toBe("STATUS_SUCCESS");
    expect(harness.errors).toEqual([]);
  });

  it("is announced encrypted where the session is", async () => {
    harness = await ServerHarness.start({ protocol: { encryption: "required" } });
    const tree = await harness.mount("data", { negotiate: listening });
    expect(await harness.server.endSessions(isAlice)).toBe(1);
    await settle();
    expect(tree.session.connection.notifications.map(({ encrypted }) => encrypted)).toEqual([true]);
  });

  it("is announced on another channel where the first one is dead", async () => {
    const session = await harness.logOn(alice, { negotiate: listening });
    const second = await harness.connect(listening);
    await session.bind(second, alice);
    session.connection.close();
    await settle();
    expect(await harness.server.endSessions(isAlice)).toBe(1);
    await settle();
    expect(second.notifications.length).toBe(1);
  });

  it("ends without a word for clients that do not listen, or cannot", async () => {
    for (const negotiate of [{}, { ...listening, dialects: [Dialect.SMB_3_0_2] }]) {
      const { connection } = await harness.logOn(alice, { negotiate });
      expect((connection.negotiated?.response.capabilities ?? 0) & GlobalCapability.NOTIFICATIONS).toBe(0);
      expect(await harness.server.endSessions(isAlice)).toBe(1);
      await settle();
      expect(connection.notifications).toEqual([]);
    }
  });

  it("leaves the sessions of others alone", async () => {
    const tree = await harness.mount("data", { account: bob });
    expect(await harness.server.endSessions(isAlice)).toBe(0);
    await tree.put("file", "content");
  });

  it("takes with it the handles that would wait for the client", async () => {
    await (await mountAs(harness, 1)).create("kept", { ...durable.v1(), createDisposition: CreateDisposition.CREATE });
    const gone = await mountAs(harness, 2);
    await gone.create("waiting", { ...durable.v1(), createDisposition: CreateDisposition.CREATE });
    await cut(gone);
    expect([...harness.server.durableOpens.disconnected].length).toBe(1);
    await harness.server.endSessions(isAlice);
    expect([...harness.server.durableOpens.disconnected]).toEqual([]);
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });

  it("needs channels that agree about listening", async () => {
    const session = await harness.logOn(alice, { negotiate: listening });
    const second = await harness.connect();
    expect(await statusOf(session.bind(second, alice))).toBe("STATUS_INVALID_PARAMETER");
  });
});
