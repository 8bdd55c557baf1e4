// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/auth/accounts.ts";
import { NtStatus, statusName } from "../../../src/nt/status.ts";
import { SigningAlgorithm } from "../../../src/smb2/crypto/signing.ts";
import { Command, Dialect, SecurityMode, SessionFlag, SessionSetupFlag } from "../../../src/smb2/wire/constants.ts";
import type { Writer } from "../../../src/smb2/wire/cursor.ts";
import { encodeSessionSetupRequest } from "../../../src/smb2/wire/session-setup.ts";
import { testAccounts } from "../../support/auth-fixtures.ts";
import { alice, bob, ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import { type Account, LogOn, logOn } from "../../support/smb-client.ts";
import { ALL_DIALECTS } from "../../support/smb-connection.ts";
import { requests } from "../../support/smb-requests.ts";

const wrong: Account = { userName: "Alice", password: "wrong" };
const nobody: Account = { userName: "", password: "" };
const stranger: Account = { userName: "Zoe", password: "whatever" };

describe("SESSION_SETUP", () => {
  let harness: ServerHarness;

  beforeEach(async () => {
    harness = await ServerHarness.start();
  });

  describe("that fails", () => {
    it.each([
      ["a wrong password", wrong, "STATUS_LOGON_FAILURE"],
      ["an unknown user", stranger, "STATUS_LOGON_FAILURE"],
      ["an anonymous user", nobody, "STATUS_ACCESS_DENIED|STATUS_LOGON_FAILURE"],
      ["a disabled account", { userName: "Carol", password: "secret3" }, "STATUS_ACCOUNT_DISABLED"],
    ])("for %s leaves no session behind", async (_, account, expected) => {
      const connection = await harness.connect();
      expect(expected.split("|")).toContain(await statusOf(logOn(connection, account)));
      expect(harness.server.sessions.size).toBe(0);
      for (const { sessions, isAuthenticated } of harness.server.connections) {
        expect([sessions.size, isAuthenticated]).toEqual([0, false]);
      }
      expect(await statusOf(logOn(connection, alice))).toBe("STATUS_SUCCESS");
    });

    it("for a token that is none", async () => {
      const connection = await harness.connect();
      const body = {
        command: Command.SESSION_SETUP,
        payload: 0,
        encode: (writer: Writer) =>
          encodeSessionSetupRequest(writer, {
            flags: 0,
            securityMode: 1,
            capabilities: 0,
            previousSessionId: 0n,
            securityBuffer: Buffer.from("no token"),
          }),
      };
      expect(statusName((await connection.exchange(body)).status)).toBe("STATUS_INVALID_PARAMETER");
      expect(harness.server.sessions.size).toBe(0);
      expect(harness.errors).toEqual([]);
    });

    it("says nothing of the session key: later requests on the dead session are refused", async () => {
      const connection = await harness.connect();
      const exchange = new LogOn(connection, wrong);
      await exchange.step();
      expect(statusName((await exchange.step()).status)).toBe("STATUS_LOGON_FAILURE");
      const reply = await connection.exchange(requests.treeConnect("\\\\server\\data"), {
        header: { sessionId: exchange.sessionId },
      });
      expect(statusName(reply.status)).toBe("STATUS_USER_SESSION_DELETED");
    });
  });

  it("refuses a session id that it does not know", async () => {
    const connection = await harness.connect();
    expect(await statusOf(logOn(connection, alice, { sessionId: 77n }))).toBe("STATUS_USER_SESSION_DELETED");
  });

  it("lets a client speak one dialect at a time", async () => {
    const guid = Buffer.alloc(16, 3);
    const first = await harness.connect({ dialects: [Dialect.SMB_3_1_1] }, guid);
    await logOn(first, alice);
    const lower = await harness.connect({ dialects: [Dialect.SMB_3_0] }, guid);
    expect(await statusOf(logOn(lower, alice))).toBe("STATUS_USER_SESSION_DELETED");
    expect(harness.server.sessions.size).toBe(1);
    const another = await harness.connect({ dialects: [Dialect.SMB_3_0] }, Buffer.alloc(16, 4));
    expect(await statusOf(logOn(another, alice))).toBe("STATUS_SUCCESS");
    const oldest = await harness.connect({ dialects: [Dialect.SMB_2_0_2] }, guid);
    expect(await statusOf(logOn(oldest, alice))).toBe("STATUS_SUCCESS");
    first.close();
    await settle();
    expect(await statusOf(logOn(lower, alice))).toBe("STATUS_SUCCESS");
    expect(harness.server.clients.size).toBe(2);
  });

  it("does not tell clients without a ClientGuid apart", async () => {
    const none = Buffer.alloc(16);
    await logOn(await harness.connect({ dialects: [Dialect.SMB_3_1_1] }, none), alice);
    const other = await harness.connect({ dialects: [Dialect.SMB_2_1] }, none);
    expect(await statusOf(logOn(other, alice))).toBe("STATUS_SUCCESS");
    expect(harness.server.clients.size).toBe(0);
  });

  it("starts a new session where the one to be bound has the id 0", async () => {
    const connection = await harness.connect();
    const exchange = new LogOn(connection, alice, { flags: SessionSetupFlag.BINDING });
    expect((await exchange.step()).status).toBe(NtStatus.MORE_PROCESSING_REQUIRED);
    expect(statusName((await exchange.step()).status)).toBe("STATUS_REQUEST_NOT_ACCEPTED");
  });

  it("may be given up half way", async () => {
    const connection = await harness.connect();
    const exchange = new LogOn(connection, alice);
    await exchange.step();
    const header = { sessionId: exchange.sessionId };
    const echo = await connection.exchange(requests.echo(), { header });
    expect(statusName(echo.status)).toBe("STATUS_USER_SESSION_DELETED");
    const tree = await connection.exchange(requests.treeConnect("\\\\server\\data"), { header });
    expect(statusName(tree.status)).toBe("STATUS_USER_SESSION_DELETED");
    const closed = await connection.exchange(requests.close({ persistent: 1n, volatile: 1n }), { header });
    expect(statusName(closed.status)).toBe("STATUS_NETWORK_NAME_DELETED");
    expect((await connection.exchange(requests.logoff(), { header })).status).toBe(0);
    expect(harness.server.sessions.size).toBe(0);
  });

  it("refuses the session id of another connection", async () => {
    const session = await harness.logOn();
    const connection = await harness.connect();
    const attempt = logOn(connection, alice, { sessionId: session.sessionId });
    expect(await statusOf(attempt)).toBe("STATUS_USER_SESSION_DELETED");
  });

  it("allows no other request before it is done", async () => {
    const connection = await harness.connect();
    const exchange = new LogOn(connection, alice);
    await exchange.step();
    for (const body of [requests.treeConnect("\\\\server\\data"), requests.treeDisconnect(), requests.create("x")]) {
      const reply = await connection.exchange(body, { header: { sessionId: exchange.sessionId } });
      expect(statusName(reply.status)).toBe("STATUS_USER_SESSION_DELETED");
    }
    expect((await exchange.step()).status).toBe(NtStatus.SUCCESS);
  });

  it("grants few credits until a user is logged on", async () => {
    const connection = await harness.connect();
    expect(connection.credits).toBe(1);
    const exchange = new LogOn(connection, alice);
    await exchange.step();
    expect(connection.credits).toBe(1);
    await exchange.step();
    expect(connection.credits).toBeGreaterThan(1);
  });

  it("grants few credits after a failure, and to who names a session without its key", async () => {
    const connection = await harness.connect();
    expect(await statusOf(logOn(connection, wrong))).toBe("STATUS_LOGON_FAILURE");
    expect(connection.credits).toBe(1);
    const { sessionId } = await harness.logOn();
    const second = await harness.connect();
    const attempt = new LogOn(second, alice, { sessionId, flags: SessionSetupFlag.BINDING });
    expect(statusName((await attempt.step()).status)).not.toBe("STATUS_SUCCESS");
    expect(second.credits).toBe(1);
  });

  it("has bounds: sessions per connection", async () => {
    const small = await ServerHarness.start({ protocol: { maxSessionsPerConnection: 2 } });
    const connection = await small.connect();
    await logOn(connection, alice);
    await logOn(connection, bob);
    expect(await statusOf(logOn(connection, alice))).toBe("STATUS_INSUFFICIENT_RESOURCES");
    expect(small.server.sessions.size).toBe(2);
  });

  it("keeps several users on one connection apart", async () => {
    const connection = await harness.connect();
    const [first, second] = [await logOn(connection, alice), await logOn(connection, bob)];
    const tree = await first.treeConnect("data");
    await tree.put("file", "content");
    const file = await tree.create("file");
    const other = await second.treeConnect("data");
    const reply = await other.exchange(requests.read(file.fileId, 0, 7));
    expect(statusName(reply.status)).toBe("STATUS_FILE_CLOSED");
    const stolen = await second.exchange(requests.create("file"), { treeId: tree.treeId + 1000 });
    expect(statusName(stolen.status)).toBe("STATUS_NETWORK_NAME_DELETED");
  });

  describe("of a previous session", () => {
    it("ends that of the same user", async () => {
      const before = await harness.mount();
      const file = await before.createFile("file");
      const session = await harness.logOn(alice, { previousSessionId: before.session.sessionId });
      expect(harness.server.sessions.size).toBe(1);
      const reply = await before.exchange(requests.read(file.fileId, 0, 1));
      expect(statusName(reply.status)).toBe("STATUS_USER_SESSION_DELETED");
      // Its handles are gone: nothing keeps the file from being opened alone.
      expect(await (await session.treeConnect("data")).tryCreate("file", { shareAccess: 0 })).toBe(NtStatus.SUCCESS);
    });

    it("leaves that of another user alone", async () => {
      const before = await harness.mount();
      await harness.logOn(bob, { previousSessionId: before.session.sessionId });
      expect(await before.tryCreate("")).toBe(NtStatus.SUCCESS);
    });

    it("ignores one that does not exist, and itself", async () => {
      expect(await statusOf(harness.logOn(alice, { previousSessionId: 4711n }))).toBe("STATUS_SUCCESS");
    });

    it("ends nothing where the new logon fails", async () => {
      const before = await harness.mount();
      const failing = harness.logOn(wrong, { previousSessionId: before.session.sessionId });
      expect(await statusOf(failing)).toBe("STATUS_LOGON_FAILURE");
      expect(await before.tryCreate("")).toBe(NtStatus.SUCCESS);
    });
  });

  describe("of a session that exists", () => {
    it.each(ALL_DIALECTS)("logs the user on again in %i, and keeps keys, trees and handles", async (dialect) => {
      const tree = await harness.mount("data", { negotiate: { dialects: [dialect] }, sign: true });
      const file = await tree.createFile("file");
      await file.write(0, "before");
      await tree.session.reauthenticate(alice);
      expect((await file.read(0, 6)).toString()).toBe("before");
      expect(harness.server.sessions.size).toBe(1);
    });

    it("is asked for when the time of a session is over, while what it holds stays", async () => {
      const limited = await ServerHarness.start({ protocol: { sessionLifetime: 60_000 } });
      const tree = await limited.mount();
      await tree.put("file", "content");
      const file = await tree.create("file");
      const read = async () => statusName((await file.exchange(requests.read(file.fileId, 0, 1))).status);
      limited.clock.advance(59_000);
      expect(await read()).toBe("STATUS_SUCCESS");
      limited.clock.advance(1000);
      expect(await read()).toBe("STATUS_NETWORK_SESSION_EXPIRED");
      await tree.session.reauthenticate(alice);
      expect(await read()).toBe("STATUS_SUCCESS");
      limited.clock.advance(60_000);
      expect(await read()).toBe("STATUS_NETWORK_SESSION_EXPIRED");
      await file.close();
      await tree.session.logOff();
    });

    it("needs no signature where encryption takes its place", async () => {
      const strict = await ServerHarness.start({ protocol: { encryption: "required", signingRequired: true } });
      const session = await strict.logOn();
      session.encrypt = false;
      session.sign = false;
      expect(await statusOf(session.reauthenticate(alice))).toBe("STATUS_SUCCESS");
      session.encrypt = true;
      expect(await statusOf(session.treeConnect("data"))).toBe("STATUS_SUCCESS");
      const plain = await session.exchange(requests.treeConnect("\\\\server\\data"), { encrypt: false, sign: true });
      expect(statusName(plain.status)).toBe("STATUS_ACCESS_DENIED");
    });

    it.each([
      ["password that is wrong", "STATUS_LOGON_FAILURE"],
      ["account that was disabled meanwhile", "STATUS_ACCOUNT_DISABLED"],
    ])("ends with the %s", async (_, expected) => {
      const base = await testAccounts();
      let disabled = false;
      const accounts: AccountStore = {
        machineSid: base.machineSid,
        lookup: (name) => {
          const account = base.lookup(name);
          return account && { ...account, disabled };
        },
        lookupRid: (rid) => base.lookupRid(rid),
        list: () => base.list(),
      };
      const changing = await ServerHarness.start({ authenticator: { accounts } });
      const session = await changing.logOn();
      disabled = expected === "STATUS_ACCOUNT_DISABLED";
      expect(await statusOf(session.reauthenticate(disabled ? alice : wrong))).toBe(expected);
      expect(changing.server.sessions.size).toBe(0);
    });

    it("does not become another user's", async () => {
      const tree = await harness.mount("data", { sign: true });
      expect(await statusOf(tree.session.reauthenticate(bob))).not.toBe("STATUS_SUCCESS");
      for (const session of harness.server.sessions.values()) expect(session.identity?.userName).toBe("Alice");
    });

    it("is not worked on by two exchanges at once", async () => {
      const { connection } = await harness.logOn();
      const exchange = new LogOn(connection, alice);
      await exchange.step();
      connection.credits = 10;
      const steps = [exchange.step(), exchange.step()];
      const statuses = (await Promise.all(steps)).map(({ status }) => statusName(status));
      expect(statuses).toContain("STATUS_SUCCESS");
      expect(harness.errors).toEqual([]);
    });
  });

  describe("that binds a further connection", () => {
    const guid = Buffer.alloc(16, 0x42);

    it.each([Dialect.SMB_3_0, Dialect.SMB_3_0_2, Dialect.SMB_3_1_1])("works in dialect %i", async (dialect) => {
      const negotiate = { dialects: [dialect] };
      const session = await logOn(await harness.connect(negotiate, guid), alice, { sign: true });
      const tree = await session.treeConnect("data");
      const file = await tree.createFile("file");
      const second = await harness.connect(negotiate, guid);
      await session.bind(second, alice);
      await file.write(0, "by the first");
      const reply = await file.exchange(requests.read(file.fileId, 0, 12), { connection: second });
      expect(reply.message.subarray(-12).toString()).toBe("by the first");
      // The session outlives its first connection.
      session.connection.close();
      await settle();
      const third = await harness.connect(negotiate, guid);
      await session.bind(third, alice);
      second.close();
      expect((await file.exchange(requests.close(file.fileId), { connection: third })).status).toBe(0);
      third.close();
      await settle();
      expect(harness.server.sessions.size).toBe(0);
      expect(harness.errors).toEqual([]);
    });

    it("keeps the client to its dialect when the first connection is gone", async () => {
      const session = await logOn(await harness.connect({}, guid), alice);
      await session.bind(await harness.connect({}, guid), alice);
      session.connection.close();
      await settle();
      const other = await harness.connect({ dialects: [Dialect.SMB_2_1] }, guid);
      expect(await statusOf(logOn(other, alice))).toBe("STATUS_USER_SESSION_DELETED");
    });

    it("carries encrypted requests on both", async () => {
      const session = await logOn(await harness.connect({}, guid), alice, { encrypt: true });
      const second = await harness.connect({}, guid);
      await session.bind(second, alice);
      const tree = await session.treeConnect("data", { connection: second });
      expect((await tree.exchange(requests.echo(), { connection: second })).encrypted).toBe(true);
      expect((await tree.exchange(requests.echo())).encrypted).toBe(true);
    });

    /** Binds a session of Alice's by somebody else's rules, and tells how that ends. */
    async function bound(
      options: { dialects?: readonly number[]; secondDialects?: readonly number[]; account?: Account } = {},
    ) {
      const signingAlgorithms = [SigningAlgorithm.AES_CMAC];
      const dialects = options.dialects ?? ALL_DIALECTS;
      const session = await logOn(await harness.connect({ dialects, signingAlgorithms }, guid), alice);
      const second = await harness.connect({ dialects: options.secondDialects ?? dialects, signingAlgorithms }, guid);
      const status = await statusOf(session.bind(second, options.account ?? alice));
      // Whatever was refused, the session and its first connection are as before.
      const tree = await session.treeConnect("data");
      expect(await tree.tryCreate("")).toBe(NtStatus.SUCCESS);
      return status;
    }

    it("needs the same dialect", async () => {
      expect(await bound({ secondDialects: [Dialect.SMB_3_0_2] })).toBe("STATUS_INVALID_PARAMETER");
    });

    it.each([Dialect.SMB_2_0_2, Dialect.SMB_2_1])("is not for dialect %i", async (dialect) => {
      expect(await bound({ dialects: [dialect] })).toBe("STATUS_REQUEST_NOT_ACCEPTED");
    });

    it("needs the same user", async () => {
      expect(await bound({ account: bob })).toBe("STATUS_ACCESS_DENIED");
    });

    it("needs the password", async () => {
      expect(await bound({ account: wrong })).toBe("STATUS_LOGON_FAILURE");
    });

    it("needs a session", async () => {
      const second = await harness.connect({}, guid);
      const attempt = logOn(second, alice, { sessionId: 99n, flags: SessionSetupFlag.BINDING });
      expect(await statusOf(attempt)).toBe("STATUS_USER_SESSION_DELETED");
    });

    it("needs a signature, with the session's key", async () => {
      const session = await logOn(await harness.connect({}, guid), alice);
      const second = await harness.connect({}, guid);
      const unsigned = new LogOn(second, alice, { sessionId: session.sessionId, flags: SessionSetupFlag.BINDING });
      expect(statusName((await unsigned.step()).status)).toBe("STATUS_INVALID_PARAMETER");
      const other = await logOn(await harness.connect({}, guid), alice);
      const forged = new LogOn(second, alice, { sessionId: session.sessionId, flags: SessionSetupFlag.BINDING }, other);
      const refusal = await forged.step();
      expect(statusName(refusal.status)).toBe("STATUS_ACCESS_DENIED");
      expect(refusal.signed).toBe(false);
      expect(await statusOf(session.bind(second, alice))).toBe("STATUS_SUCCESS");
    });

    it("is refused on a connection that the session has already", async () => {
      const session = await logOn(await harness.connect({}, guid), alice);
      expect(await statusOf(session.bind(session.connection, alice))).toBe("STATUS_REQUEST_NOT_ACCEPTED");
      const second = await harness.connect({}, guid);
      await session.bind(second, alice);
      expect(await statusOf(session.bind(second, alice))).not.toBe("STATUS_SUCCESS");
      expect((await session.exchange(requests.echo(), { connection: second, sign: true })).status).toBe(0);
    });

    it("takes 32 connections in all", async () => {
      const session = await harness.logOn();
      const { clientGuid } = session.connection;
      for (let count = 1; count < 32; count++) {
        await session.bind(await harness.connect({ clientGuid }), alice);
      }
      const further = await harness.connect({ clientGuid });
      expect(await statusOf(session.bind(further, alice))).toBe("STATUS_INSUFFICIENT_RESOURCES");
    });

    it("gives the connection nothing before it is done", async () => {
      const session = await logOn(await harness.connect({}, guid), alice);
      const tree = await session.treeConnect("data");
      const second = await harness.connect({}, guid);
      const exchange = new LogOn(second, alice, { flags: SessionSetupFlag.BINDING }, session);
      expect((await exchange.step()).status).toBe(NtStatus.MORE_PROCESSING_REQUIRED);
      const reply = await second.exchange(requests.create("x"), {
        header: { sessionId: session.sessionId, treeId: tree.treeId },
      });
      expect(statusName(reply.status)).toBe("STATUS_USER_SESSION_DELETED");
    });

    it("leaves nothing of a connection that is gone before it is done", async () => {
      const session = await logOn(await harness.connect({}, guid), alice);
      const second = await harness.connect({}, guid);
      const options = { sessionId: session.sessionId, flags: SessionSetupFlag.BINDING };
      expect((await new LogOn(second, alice, options, session).step()).status).toBe(NtStatus.MORE_PROCESSING_REQUIRED);
      const { authentications } = harness.server.sessions.get(session.sessionId) ?? {};
      expect(authentications?.size).toBe(1);
      second.close();
      await settle();
      expect(authentications?.size).toBe(0);
    });

    it("leaves nothing of a session that is gone before it is done", async () => {
      const session = await logOn(await harness.connect({}, guid), alice);
      const options = { sessionId: session.sessionId, flags: SessionSetupFlag.BINDING };
      const attempt = new LogOn(await harness.connect({}, guid), alice, options, session);
      expect((await attempt.step()).status).toBe(NtStatus.MORE_PROCESSING_REQUIRED);
      const bindings = () => [...harness.server.connections].map(({ binding }) => binding.size);
      expect(bindings()).toEqual([0, 1]);
      await session.logOff();
      expect(bindings()).toEqual([0, 0]);
      expect(statusName((await attempt.step()).status)).toBe("STATUS_USER_SESSION_DELETED");
    });

    it("is for sessions that are logged on", async () => {
      const first = await harness.connect({}, guid);
      const half = new LogOn(first, alice);
      await half.step();
      const session = await logOn(await harness.connect({}, guid), alice);
      const second = await harness.connect({}, guid);
      const attempt = new LogOn(second, alice, { sessionId: half.sessionId, flags: SessionSetupFlag.BINDING }, session);
      expect(statusName((await attempt.step()).status)).toBe("STATUS_REQUEST_NOT_ACCEPTED");
    });
  });

  describe("of guests and anonymous users", () => {
    const guests = { authenticator: { guest: "Alice", allowAnonymous: true } };

    it("is marked as what it is, where the configuration allows it", async () => {
      const open = await ServerHarness.start(guests);
      expect((await open.logOn(nobody)).flags).toBe(SessionFlag.IS_NULL);
      expect((await open.logOn(stranger)).flags).toBe(SessionFlag.IS_GUEST);
      expect((await open.logOn(alice)).flags).toBe(0);
      expect([...open.server.sessions.values()].map(({ identity }) => identity?.kind)).toEqual([
        "anonymous",
        "guest",
        "user",
      ]);
    });

    it("takes no wrong password of a user for a guest", async () => {
      const open = await ServerHarness.start(guests);
      expect(await statusOf(open.logOn(wrong))).toBe("STATUS_LOGON_FAILURE");
    });

    it.each([
      ["anonymous", nobody],
      ["guest", stranger],
    ])("is never signed: %s", async (_, account) => {
      const open = await ServerHarness.start(guests);
      const session = await open.logOn(account);
      const tree = await session.treeConnect("data");
      expect((await tree.exchange(requests.echo())).signed).toBe(false);
      const reply = await tree.exchange(requests.create(""), { header: { flags: 8 } });
      expect(statusName(reply.status)).toBe("STATUS_ACCESS_DENIED");
    });

    it.each([
      ["signing", { signingRequired: true }],
      ["encryption", { encryption: "required" as const }],
    ])("is refused where %s is required", async (_, protocol) => {
      const open = await ServerHarness.start({ ...guests, protocol });
      for (const account of [nobody, stranger]) {
        expect(await statusOf(open.logOn(account))).toBe("STATUS_ACCESS_DENIED");
      }
      expect(open.server.sessions.size).toBe(0);
    });

    it("cannot be bound", async () => {
      const open = await ServerHarness.start(guests);
      const guid = Buffer.alloc(16, 3);
      const guest = await logOn(await open.connect({}, guid), stranger);
      const user = await logOn(await open.connect({}, guid), alice);
      const second = await open.connect({}, guid);
      const attempt = new LogOn(second, alice, { sessionId: guest.sessionId, flags: SessionSetupFlag.BINDING }, user);
      expect(statusName((await attempt.step()).status)).toBe("STATUS_NOT_SUPPORTED");
    });
  });

  it("asks who requires encryption for a cipher", async () => {
    const strict = await ServerHarness.start({ protocol: { encryption: "required" } });
    for (const negotiate of [{ dialects: [Dialect.SMB_2_1] }, { ciphers: [] }]) {
      expect(await statusOf(strict.logOn(alice, { negotiate }))).toBe("STATUS_ACCESS_DENIED");
    }
    const session = await strict.logOn();
    expect(session.flags).toBe(SessionFlag.ENCRYPT_DATA);
    expect(await statusOf(session.treeConnect("data"))).toBe("STATUS_SUCCESS");
  });

  it("takes SIGNING_REQUIRED from the request and from the negotiation", async () => {
    const required = SecurityMode.SIGNING_ENABLED | SecurityMode.SIGNING_REQUIRED;
    for (const options of [{ securityMode: required }, { negotiate: { securityMode: required } }]) {
      const session = await harness.logOn(alice, options);
      expect(harness.server.sessions.get(session.sessionId)?.signingRequired).toBe(true);
    }
  });
});

describe("LOGOFF", () => {
  it("ends the session with its trees and handles", async () => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount("data", { sign: true });
    await tree.createFile("file", { shareAccess: 0 });
    await tree.session.logOff();
    const reply = await tree.exchange(requests.create("file"), { sign: false, verify: false });
    expect(statusName(reply.status)).toBe("STATUS_USER_SESSION_DELETED");
    const other = await harness.mount();
    expect(await other.tryCreate("file", { shareAccess: 0 })).toBe(NtStatus.SUCCESS);
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });
});
