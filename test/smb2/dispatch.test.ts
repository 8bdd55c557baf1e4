// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { fileTimeFromMilliseconds } from "../../src/nt/filetime.ts";
import { NtStatus, statusName } from "../../src/nt/status.ts";
import { SigningAlgorithm } from "../../src/smb2/crypto/signing.ts";
import { Command, Dialect, HeaderFlag, LockFlag, SecurityMode } from "../../src/smb2/wire/constants.ts";
import { Reader } from "../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { decodeHeader } from "../../src/smb2/wire/header.ts";
import { alice, bob, type HarnessOptions, ServerHarness, settle, statusOf } from "../support/server-harness.ts";
import { type LogOnOptions, logOn, type SmbSession, type SmbTree } from "../support/smb-client.ts";
import { type Reply, type RequestOptions, SmbConnection } from "../support/smb-connection.ts";
import { rawBody, requests } from "../support/smb-requests.ts";

const statusIn = (reply: Reply): string => statusName(reply.status);
const MUST_SIGN = SecurityMode.SIGNING_ENABLED | SecurityMode.SIGNING_REQUIRED;

describe("the protection of requests", () => {
  it.each([
    ["the server requires", { protocol: { signingRequired: true } }, {}],
    ["the client requires", {}, { securityMode: MUST_SIGN }],
  ])("refuses what is not signed where %s it, and goes on", async (_, options: HarnessOptions, logon) => {
    const harness = await ServerHarness.start(options);
    const tree = await harness.mount("data", logon);
    const unsigned = await tree.exchange(requests.create(""), { sign: false, verify: false });
    expect(statusIn(unsigned)).toBe("STATUS_ACCESS_DENIED");
    expect(await tree.tryCreate("")).toBe(NtStatus.SUCCESS);
  });

  it("refuses an unsigned reauthentication where signing is required", async () => {
    const harness = await ServerHarness.start({ protocol: { signingRequired: true } });
    const session = await harness.logOn();
    session.sign = false;
    expect(await statusOf(session.reauthenticate(alice))).toBe("STATUS_ACCESS_DENIED");
    session.sign = true;
    expect(await statusOf(session.reauthenticate(alice))).toBe("STATUS_SUCCESS");
  });

  it("takes unsigned requests where nobody requires signatures, also after signed ones", async () => {
    const tree = await (await ServerHarness.start()).mount();
    expect((await tree.exchange(requests.create(""), { sign: true })).signed).toBe(true);
    const unsigned = await tree.exchange(requests.create(""));
    expect([statusIn(unsigned), unsigned.signed]).toEqual(["STATUS_SUCCESS", false]);
  });

  it.each([Dialect.SMB_2_0_2, Dialect.SMB_3_0, Dialect.SMB_3_1_1])(
    "refuses a wrong signature in %i",
    async (dialect) => {
      const tree = await (await ServerHarness.start()).mount("data", { negotiate: { dialects: [dialect] } });
      const { bindingSigner } = tree.session;
      expect(bindingSigner).toBeDefined();
      for (const at of [48, 63, 64, 70]) {
        const tamper = (message: Buffer) => {
          message[at] = (message[at] ?? 0) ^ 1;
        };
        const reply = await tree.exchange(requests.create("new", { createDisposition: 2 }), {
          sign: true,
          tamper,
          verify: false,
        });
        expect(statusIn(reply)).toBe("STATUS_ACCESS_DENIED");
      }
      expect(await tree.tryCreate("new")).toBe(NtStatus.OBJECT_NAME_NOT_FOUND);
    },
  );

  it("refuses a signature with the key of another session", async () => {
    const harness = await ServerHarness.start();
    const connection = await harness.connect();
    const [mine, other] = [await logOn(connection, alice), await logOn(connection, bob)];
    const tree = await mine.treeConnect("data");
    const keys = { sessionId: mine.sessionId, cipher: undefined, signerOn: () => other.bindingSigner };
    const reply = await connection.exchange(requests.create(""), {
      session: keys,
      treeId: tree.treeId,
      sign: true,
      verify: false,
    });
    expect(statusIn(reply)).toBe("STATUS_ACCESS_DENIED");
  });

  it("refuses what is not encrypted on a session that encrypts", async () => {
    const harness = await ServerHarness.start({ protocol: { encryption: "required" } });
    const tree = await harness.mount();
    for (const sign of [true, false]) {
      const plain = await tree.exchange(requests.create(""), { encrypt: false, sign, verify: false });
      expect(statusIn(plain)).toBe("STATUS_ACCESS_DENIED");
    }
    expect(await tree.tryCreate("")).toBe(NtStatus.SUCCESS);
  });

  it("refuses what is not encrypted on a share that encrypts", async () => {
    const harness = await ServerHarness.start({ share: { encryption: "required" }, shares: { open: {} } });
    const session = await harness.logOn();
    const tree = await session.treeConnect("data");
    expect(tree.response.shareFlags & 0x8000).toBe(0x8000);
    for (const sign of [true, false]) {
      const plain = await tree.exchange(requests.create(""), { encrypt: false, sign });
      expect([statusIn(plain), plain.encrypted]).toEqual(["STATUS_ACCESS_DENIED", true]);
    }
    expect((await tree.exchange(requests.create(""))).encrypted).toBe(true);
    const open = await session.treeConnect("open");
    expect((await open.exchange(requests.create(""))).encrypted).toBe(false);
  });

  it("answers encrypted requests with encryption, whatever is required", async () => {
    const tree = await (await ServerHarness.start()).mount();
    const reply = await tree.exchange(requests.create(""), { encrypt: true });
    expect([reply.encrypted, reply.signed]).toEqual([true, false]);
  });

  it("signs for nobody who repeats, on another connection, what somebody has signed with AES-GMAC", async () => {
    const harness = await ServerHarness.start();
    for (const algorithm of [SigningAlgorithm.AES_CMAC, SigningAlgorithm.AES_GMAC]) {
      const negotiate = { signingAlgorithms: [algorithm] };
      const tree = await harness.mount("data", { negotiate });
      const call = tree.submit(requests.create(""), { sign: true });
      await call.reply;
      const connection = await harness.connect(negotiate);
      while (connection.nextMessageId < call.messageId) await connection.exchange(requests.echo());
      const answers: Buffer[] = [];
      connection.onFrame = (frame) => {
        answers.push(frame);
      };
      connection.toleratesUnknown = true;
      connection.sendFrame(call.message);
      await settle();
      const [answer] = answers.map((frame) => decodeHeader(new Reader(frame)));
      expect(statusName(answer?.status ?? 0)).toBe("STATUS_USER_SESSION_DELETED");
      expect(answer?.messageId).toBe(call.messageId);
      const isSigned = ((answer?.flags ?? 0) & HeaderFlag.SIGNED) !== 0;
      expect(isSigned).toBe(algorithm !== SigningAlgorithm.AES_GMAC);
    }
  });

  describe("of CANCEL", () => {
    /** Whether a CANCEL that the client has sent its own way ended a request that waits. */
    async function cancels(options: HarnessOptions, logon: LogOnOptions, cancel: Partial<RequestOptions>) {
      const tree = await (await ServerHarness.start(options)).mount("data", logon);
      const holder = await tree.createFile("file");
      await holder.lock(0, 10);
      const other = await tree.create("file");
      const waiting = other.submitLock({ offset: 0n, length: 1n, flags: LockFlag.EXCLUSIVE_LOCK });
      await waiting.pending;
      tree.session.connection.cancel(waiting, { ...waiting.options, ...cancel });
      await settle();
      await holder.unlock(0, 10);
      return statusIn(await waiting.reply) === "STATUS_CANCELLED";
    }
    const tamper = (message: Buffer) => {
      message[50] = (message[50] ?? 0) ^ 1;
    };
    const encryption = { protocol: { encryption: "required" as const } };

    it("is asked for as that of all requests", async () => {
      expect(await cancels({}, {}, {})).toBe(true);
      expect(await cancels({}, {}, { sign: true })).toBe(true);
      expect(await cancels({}, { securityMode: MUST_SIGN }, {})).toBe(true);
      expect(await cancels(encryption, {}, {})).toBe(true);
    });

    it("keeps one from having an effect that lacks it", async () => {
      expect(await cancels({}, {}, { sign: true, tamper })).toBe(false);
      expect(await cancels({}, { securityMode: MUST_SIGN }, { sign: false })).toBe(false);
      expect(await cancels(encryption, {}, { encrypt: false })).toBe(false);
      expect(await cancels(encryption, {}, { encrypt: false, sign: true })).toBe(false);
    });
  });

  describe("ends the connection for an encrypted message", () => {
    let harness: ServerHarness;
    let first: SmbSession;
    let second: SmbSession;

    beforeEach(async () => {
      harness = await ServerHarness.start();
      const connection = await harness.connect();
      first = await logOn(connection, alice);
      second = await logOn(connection, bob);
    });

    const expectEnd = async (sent: () => Promise<unknown>) => {
      await expect(sent()).rejects.toThrow("closed");
      await settle();
      expect(harness.server.sessions.size).toBe(0);
      expect(harness.errors).toEqual([]);
    };

    it("that holds a request for another session", async () => {
      const header = { sessionId: second.sessionId };
      await expectEnd(() => first.exchange(requests.echo(), { encrypt: true, header }));
    });

    it("whose second, unrelated request is for another session", async () => {
      const options = { ...first.defaults({ encrypt: true }) };
      const parts = [
        { body: requests.echo(), options },
        { body: requests.echo(), options: { ...options, header: { sessionId: second.sessionId } } },
      ];
      await expectEnd(() => Promise.all(first.connection.submitCompound(parts).map(({ reply }) => reply)));
    });

    it("that begins with a related request", async () => {
      await expectEnd(() => first.exchange(requests.echo(), { encrypt: true, related: true }));
    });

    it("of a session that does not exist", async () => {
      const keys = { sessionId: 4711n, cipher: first.cipher, signerOn: () => undefined };
      await expectEnd(() => first.connection.exchange(requests.echo(), { session: keys, encrypt: true }));
    });

    it("with the key of another session", async () => {
      const keys = { sessionId: first.sessionId, cipher: second.cipher, signerOn: () => undefined };
      await expectEnd(() => first.connection.exchange(requests.echo(), { session: keys, encrypt: true }));
    });

    it.each([4, 20, 36, 44, 60])("with a changed byte %i", async (at) => {
      const { connection } = first;
      const { transport } = connection;
      const send = transport.send.bind(transport);
      transport.send = (bytes) => {
        bytes[4 + at] = (bytes[4 + at] ?? 0) ^ 1;
        send(bytes);
      };
      await expectEnd(() => first.exchange(requests.echo(), { encrypt: true }));
    });

    it("that is cut short", async () => {
      const { connection } = first;
      for (const length of [4, 51, 52, 60, 115]) {
        const victim = await harness.connect();
        const message = Buffer.alloc(length);
        message.writeUInt32LE(0x424d53fd, 0);
        victim.sendFrame(message);
        await victim.closed;
      }
      expect(connection.isClosed).toBe(false);
    });

    it("that holds another encrypted message", async () => {
      const inner = Buffer.alloc(200);
      inner.writeUInt32LE(0x424d53fd, 0);
      const { cipher, sessionId, connection } = first;
      if (cipher === undefined) throw new Error("no cipher");
      connection.sendFrame(Buffer.concat(cipher.encrypt(sessionId, [inner])));
      await connection.closed;
    });
  });
});

describe("what all commands share", () => {
  let harness: ServerHarness;
  let tree: SmbTree;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
  });

  it("answers unknown commands", async () => {
    for (const command of [0x13, 0x14, 0xffff]) {
      expect(statusIn(await tree.exchange(rawBody(command, Buffer.alloc(64))))).toBe("STATUS_INVALID_PARAMETER");
    }
  });

  it("answers broken bodies and goes on", async () => {
    const commands = Object.values(Command).filter(
      (command) => command !== Command.CANCEL && command !== Command.NEGOTIATE && command !== Command.TREE_CONNECT,
    );
    for (const command of commands) {
      for (const length of [0, 1, 2, 4, 23]) {
        const reply = await tree.exchange(rawBody(command, Buffer.alloc(length, 0xff)));
        expect(statusIn(reply)).not.toBe("STATUS_SUCCESS");
        expect(statusIn(reply)).not.toBe("STATUS_INTERNAL_ERROR");
      }
    }
    expect(await tree.tryCreate("")).toBe(NtStatus.SUCCESS);
    expect(harness.errors).toEqual([]);
  });

  it("needs a session, a tree and a handle that exist", async () => {
    const file = await tree.createFile("file");
    const other = await tree.session.treeConnect("data");
    const { persistent, volatile } = file.fileId;
    const cases: [string, Promise<Reply>][] = [
      ["STATUS_USER_SESSION_DELETED", tree.exchange(requests.create(""), { header: { sessionId: 1n } })],
      ["STATUS_USER_SESSION_DELETED", tree.exchange(requests.create(""), { header: { sessionId: 0n } })],
      ["STATUS_NETWORK_NAME_DELETED", tree.exchange(requests.create(""), { header: { treeId: 9999 } })],
      ["STATUS_FILE_CLOSED", tree.exchange(requests.flush({ persistent, volatile: volatile + 1n }))],
      ["STATUS_FILE_CLOSED", tree.exchange(requests.flush({ persistent: persistent + 1n, volatile }))],
      ["STATUS_FILE_CLOSED", tree.exchange(requests.flush())],
      ["STATUS_FILE_CLOSED", other.exchange(requests.flush(file.fileId))],
      ["STATUS_SUCCESS", tree.exchange(requests.flush(file.fileId))],
    ];
    for (const [expected, answer] of cases) expect(statusIn(await answer)).toBe(expected);
  });

  it("needs a session for an ECHO that names one", async () => {
    const { session } = tree;
    const { connection } = session;
    const echo = async (sessionId: bigint) =>
      statusIn(await connection.exchange(requests.echo(), { header: { sessionId } }));
    expect(await echo(0n)).toBe("STATUS_SUCCESS");
    expect(await echo(session.sessionId)).toBe("STATUS_SUCCESS");
    expect(await echo(4711n)).toBe("STATUS_USER_SESSION_DELETED");
    const state = harness.server.sessions.get(session.sessionId);
    if (state === undefined) throw new Error("no session");
    state.expires = fileTimeFromMilliseconds(harness.clock.now());
    expect(await echo(session.sessionId)).toBe("STATUS_NETWORK_SESSION_EXPIRED");
    expect(statusIn(await session.exchange(requests.echo(), { encrypt: true }))).toBe("STATUS_SUCCESS");
  });

  it("keeps handles of the same number on other connections apart", async () => {
    const file = await tree.createFile("file");
    const stranger = await harness.mount("data", { account: bob });
    expect(statusIn(await stranger.exchange(requests.read(file.fileId, 0, 1)))).toBe("STATUS_FILE_CLOSED");
  });

  describe("credits", () => {
    it("pay for 64 KiB each, of what is sent or asked for", async () => {
      const file = await tree.createFile("file");
      const asked = (length: number, creditCharge: number) =>
        file.exchange(requests.read(file.fileId, 0, length), { header: { creditCharge } });
      expect(statusIn(await asked(65_536, 1))).toBe("STATUS_END_OF_FILE");
      expect(statusIn(await asked(65_536, 0))).toBe("STATUS_END_OF_FILE");
      expect(statusIn(await asked(65_537, 1))).toBe("STATUS_INVALID_PARAMETER");
      expect(statusIn(await asked(65_537, 2))).toBe("STATUS_END_OF_FILE");
      const data = Buffer.alloc(65_537);
      const sent = await file.exchange(requests.write(file.fileId, 0, data), { header: { creditCharge: 1 } });
      expect(statusIn(sent)).toBe("STATUS_INVALID_PARAMETER");
    });

    it("are not asked for in 2.0.2", async () => {
      const old = await harness.mount("data", { negotiate: { dialects: [Dialect.SMB_2_0_2] } });
      const file = await old.createFile("file");
      const asked = async (length: number) => statusIn(await file.exchange(requests.read(file.fileId, 0, length)));
      expect(await asked(65_536)).toBe("STATUS_END_OF_FILE");
      // One of them pays for no more than this, which NEGOTIATE has said (MS-SMB2 3.3.5.12).
      expect(await asked(65_537)).toBe("STATUS_INVALID_PARAMETER");
      expect(await statusOf(file.write(0, Buffer.alloc(65_537)))).toBe("STATUS_INVALID_PARAMETER");
      const info = file.queryInfo(FileInformationClass.FileAllInformation, { outputBufferLength: 65_537 });
      expect(await statusOf(info)).toBe("STATUS_INVALID_PARAMETER");
    });

    it("never grow beyond the bound, and never run out", async () => {
      const small = await ServerHarness.start({ protocol: { maxCredits: 16 } });
      const mount = await small.mount();
      const { connection } = mount.session;
      for (let round = 0; round < 100; round += 1) {
        await Promise.all([mount.exchange(requests.echo()), mount.exchange(requests.echo())]);
        expect(connection.credits).toBeGreaterThan(0);
        expect(connection.credits).toBeLessThanOrEqual(16);
      }
    });

    it("are granted as asked for", async () => {
      const { connection } = tree.session;
      for (const asked of [1, 7, 0, 100]) {
        const reply = await tree.exchange(requests.echo(), { header: { credits: asked } });
        expect(reply.header.credits).toBe(Math.max(asked, 1));
      }
      expect(connection.isClosed).toBe(false);
    });

    it("are granted with failures too", async () => {
      const reply = await tree.exchange(requests.create("missing"), { header: { credits: 5 } });
      expect(reply.header.credits).toBe(5);
    });
  });

  describe("ends the connection for", () => {
    const lastId = () => tree.session.connection.nextMessageId - 1n;

    it.each([
      ["a message id used before", () => lastId()],
      ["message id 0 again", () => 0n],
      ["a message id beyond the window", () => lastId() + 100_000n],
      ["message id 2^64 - 1", () => 0xffff_ffff_ffff_ffffn],
      ["a message id beyond 2^53", () => (1n << 53n) + 1n],
    ])("%s", async (_, id) => {
      await expect(tree.exchange(requests.echo(), { header: { messageId: id() } })).rejects.toThrow("closed");
      await settle();
      expect(harness.server.sessions.size).toBe(0);
    });

    it("a response", async () => {
      const header = { flags: HeaderFlag.SERVER_TO_REDIR };
      await expect(tree.exchange(requests.echo(), { header })).rejects.toThrow("closed");
    });

    it.each([
      ["an unknown protocol", Buffer.from("GET / HTTP/1.1\r\n\r\n".padEnd(80))],
      ["a compressed message", Buffer.concat([Buffer.from([0xfc, 0x53, 0x4d, 0x42]), Buffer.alloc(80)])],
      ["a message shorter than its header", Buffer.from([0xfe, 0x53, 0x4d, 0x42, 64, 0])],
      [
        "a StructureSize that is not 64",
        Buffer.concat([Buffer.from([0xfe, 0x53, 0x4d, 0x42, 65, 0]), Buffer.alloc(80)]),
      ],
    ])("%s", async (_, message) => {
      tree.session.connection.sendFrame(message);
      await tree.session.connection.closed;
      expect(harness.errors).toEqual([]);
    });

    it("a CANCEL before the negotiation", async () => {
      const connection = harness.open();
      const cancel = Buffer.alloc(68);
      cancel.write("fe534d4240", "hex");
      cancel.writeUInt16LE(Command.CANCEL, 12);
      connection.sendFrame(cancel);
      await connection.closed;
    });

    it("a long request of a command that has no use for it", async () => {
      const long = 68 * 1024 - 64;
      expect(statusIn(await tree.exchange(rawBody(Command.CREATE, Buffer.alloc(long))))).toBe(
        "STATUS_INVALID_PARAMETER",
      );
      await expect(tree.exchange(rawBody(Command.CREATE, Buffer.alloc(long + 1)))).rejects.toThrow("closed");
    });

    it("a long request where one credit pays for all of it", async () => {
      const old = await harness.mount("data", { negotiate: { dialects: [Dialect.SMB_2_0_2] } });
      const file = await old.createFile("file");
      await expect(file.write(0, Buffer.alloc(70_000))).rejects.toThrow("closed");
    });

    it("a frame too large for who has not logged on", async () => {
      const connection = await harness.connect();
      connection.sendRaw(Buffer.from([0, 2, 0, 1]));
      await connection.closed;
      expect((await tree.exchange(requests.echo())).status).toBe(0);
    });
  });

  describe("on an expired session", () => {
    it("leaves CLOSE, LOCK and LOGOFF, until the user logs on again", async () => {
      const file = await tree.createFile("file");
      const second = await tree.createFile("second");
      const session = harness.server.sessions.get(tree.session.sessionId);
      if (session === undefined) throw new Error("no session");
      session.expires = fileTimeFromMilliseconds(harness.clock.now() + 1000);
      expect(statusIn(await tree.exchange(requests.create("")))).toBe("STATUS_SUCCESS");
      harness.clock.advance(1000);
      expect(statusIn(await tree.exchange(requests.create("")))).toBe("STATUS_NETWORK_SESSION_EXPIRED");
      expect(statusIn(await file.exchange(requests.read(file.fileId, 0, 1)))).toBe("STATUS_NETWORK_SESSION_EXPIRED");
      await file.lock(0, 1, LockFlag.EXCLUSIVE_LOCK);
      await file.close();
      await tree.session.reauthenticate(alice);
      expect(await statusOf(second.write(0, "again"))).toBe("STATUS_SUCCESS");
      session.expires = fileTimeFromMilliseconds(harness.clock.now());
      await tree.session.logOff();
      expect(harness.server.sessions.size).toBe(0);
    });
  });

  it("stops reading from a client that does not take its answers", async () => {
    const transport = harness.transport();
    const connection = new SmbConnection(transport);
    await connection.negotiate();
    const mount = await (await logOn(connection, alice)).treeConnect("data");
    const file = await mount.createFile("big");
    await file.write(0, Buffer.alloc(1 << 20, 1));
    connection.creditsAsked = 2000;
    await mount.exchange(requests.echo());
    transport.hold(true);
    const reads = Array.from({ length: 100 }, () => file.exchange(requests.read(file.fileId, 0, 1 << 20)));
    // Turn by turn, until it takes no more.
    for (let queued = -1; queued !== transport.queuedBytes; ) {
      queued = transport.queuedBytes;
      await settle();
    }
    expect(transport.paused).toBe(true);
    expect(transport.queuedBytes).toBeGreaterThan(16 << 20);
    expect(transport.queuedBytes).toBeLessThan(40 << 20);
    transport.hold(false);
    expect((await Promise.all(reads)).every(({ status }) => status === 0)).toBe(true);
    // The last of the answers have ended its turn.
    await settle();
    expect(transport.paused).toBe(false);
  });
});
