// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../src/nt/access-mask.ts";
import { statusName } from "../../src/nt/status.ts";
import { Command, CreateDisposition, HeaderFlag, LockFlag } from "../../src/smb2/wire/constants.ts";
import { decodeCreateResponse } from "../../src/smb2/wire/create.ts";
import { NO_FILE_ID } from "../../src/smb2/wire/file-id.ts";
import { decodeReadResponse } from "../../src/smb2/wire/read.ts";
import { ServerHarness, settle, statusOf } from "../support/server-harness.ts";
import type { SmbTree } from "../support/smb-client.ts";
import type { Reply } from "../support/smb-connection.ts";
import { type RequestBody, requests } from "../support/smb-requests.ts";

const names = (replies: readonly Reply[]): string[] => replies.map(({ status }) => statusName(status));

/** `OK` for success: compounds are easier to read so. */
const outcome = (replies: readonly Reply[]): string =>
  names(replies).join(" ").replaceAll("STATUS_SUCCESS", "OK").replaceAll("STATUS_", "");

describe("a compound", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let frames: Buffer[];

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
    await tree.put("file", "0123456789");
    frames = [];
    tree.session.connection.onFrame = (frame) => {
      frames.push(frame);
    };
  });

  const read = (length = 10) => requests.read(NO_FILE_ID, 0, length);
  const make = (name: string) => requests.create(name, { createDisposition: CreateDisposition.CREATE });

  describe("of related requests", () => {
    it("hands session, tree and handle on, and answers in one frame", async () => {
      const replies = await tree.compound([requests.create("file"), read(), requests.flush(), requests.close()]);
      expect(outcome(replies)).toBe("OK OK OK OK");
      expect(frames).toHaveLength(1);
      expect(replies.map(({ header }) => (header.flags & HeaderFlag.RELATED_OPERATIONS) !== 0)).toEqual([
        false,
        true,
        true,
        true,
      ]);
      expect(replies[1] && decodeReadResponse(replies[1].reader).data.toString()).toBe("0123456789");
    });

    it("takes the place of the ids that a related request carries", async () => {
      const header = { sessionId: 0xffff_ffff_ffff_ffffn, treeId: 0xffff_ffff };
      const { connection } = tree.session;
      const options = tree.session.defaults(tree.defaults());
      const calls = connection.submitCompound([
        { body: requests.create("file"), options },
        { body: requests.close(), options: { ...options, related: true, header } },
      ]);
      expect(outcome(await Promise.all(calls.map(({ reply }) => reply)))).toBe("OK OK");
    });

    it.each([true, false])("signs or encrypts what it answers (encrypt: %s)", async (encrypt) => {
      const file = await tree.create("file");
      await file.write(0, Buffer.alloc(5000, 7));
      frames.length = 0;
      // 5000 and 4999 bytes: data in buffers of their own, with padding between the responses.
      const bodies = [
        requests.create("file"),
        read(4999),
        requests.read(NO_FILE_ID, 0, 5000),
        read(3),
        requests.close(),
      ];
      const replies = await tree.compound(bodies, { sign: !encrypt, encrypt });
      expect(outcome(replies)).toBe("OK OK OK OK OK");
      expect(replies.every(({ signed, encrypted }) => signed !== encrypted && encrypted === encrypt)).toBe(true);
      const lengths = replies.slice(1, 4).map((reply) => decodeReadResponse(reply.reader).data.length);
      expect(lengths).toEqual([4999, 5000, 3]);
      expect(frames).toHaveLength(1);
    });

    it("fails all that depend on a handle that was not made, with the same status", async () => {
      const replies = await tree.compound([requests.create("missing"), read(), requests.close()]);
      expect(outcome(replies)).toBe("OBJECT_NAME_NOT_FOUND OBJECT_NAME_NOT_FOUND OBJECT_NAME_NOT_FOUND");
    });

    it("goes on behind a failure that left the handle alone", async () => {
      const replies = await tree.compound([
        requests.create("file"),
        requests.read(NO_FILE_ID, 100, 1),
        requests.close(),
      ]);
      expect(outcome(replies)).toBe("OK END_OF_FILE OK");
    });

    it("does not use the handle of a close that came before", async () => {
      const replies = await tree.compound([requests.create("file"), requests.close(), read()]);
      expect(outcome(replies)).toBe("OK OK FILE_CLOSED");
    });

    it("uses the newest handle", async () => {
      const replies = await tree.compound([
        make("a"),
        make("b"),
        requests.write(NO_FILE_ID, 0, Buffer.from("b")),
        requests.close(),
      ]);
      expect(outcome(replies)).toBe("OK OK OK OK");
      expect((await tree.get("b")).toString()).toBe("b");
    });

    it("takes over a handle that a request names", async () => {
      const { fileId } = await tree.create("file");
      const replies = await tree.compound([requests.read(fileId, 0, 4), read(2), requests.close()]);
      expect(outcome(replies)).toBe("OK OK OK");
    });

    it("uses the handle of the request before, whatever a related one names", async () => {
      await tree.put("other", "abc");
      const { fileId } = await tree.create("other");
      const replies = await tree.compound([
        requests.create("file"),
        requests.read(fileId, 0, 3),
        requests.close(fileId),
      ]);
      expect(outcome(replies)).toBe("OK OK OK");
      expect(replies[1] && decodeReadResponse(replies[1].reader).data.toString()).toBe("012");
      expect(outcome([await tree.exchange(requests.close(fileId))])).toBe("OK");
    });

    it("has no handle where nothing before had one", async () => {
      expect(outcome(await tree.compound([requests.echo(), read(), read()]))).toMatch(/^OK INVALID_HANDLE/);
      const { fileId } = await tree.create("file");
      const named = await tree.compound([requests.echo(), requests.read(fileId, 0, 3)]);
      expect(outcome(named)).toBe("OK INVALID_HANDLE");
    });

    it("fails whole where already the first request is related", async () => {
      const { connection } = tree.session;
      const options = { ...tree.session.defaults(tree.defaults()), related: true };
      const calls = connection.submitCompound([
        { body: requests.create("file"), options },
        { body: requests.close(), options },
      ]);
      expect(outcome(await Promise.all(calls.map(({ reply }) => reply)))).toBe("INVALID_PARAMETER INVALID_PARAMETER");
      // Alone in its frame as well.
      expect(statusName((await tree.exchange(requests.echo(), { related: true })).status)).toBe(
        "STATUS_INVALID_PARAMETER",
      );
    });

    it("fails where no tree was made", async () => {
      const bodies = [requests.treeConnect("\\\\server\\missing"), requests.create("file"), requests.close()];
      const calls = tree.submitCompound(bodies, { treeId: 0, sign: true });
      const replies = await Promise.all(calls.map(({ reply }) => reply));
      expect(outcome(replies)).toBe("BAD_NETWORK_NAME INVALID_PARAMETER INVALID_PARAMETER");
    });

    it("works on the tree that it has just made", async () => {
      const bodies = [requests.treeConnect("\\\\server\\data"), requests.create("file"), requests.close()];
      const calls = tree.submitCompound(bodies, { treeId: 0, sign: true });
      expect(outcome(await Promise.all(calls.map(({ reply }) => reply)))).toBe("OK OK OK");
    });

    it("fails where there is no session", async () => {
      const { connection } = tree.session;
      const calls = connection.submitCompound([
        { body: requests.echo(), options: {} },
        { body: requests.create("file"), options: { related: true } },
        { body: requests.close(), options: { related: true } },
      ]);
      const replies = await Promise.all(calls.map(({ reply }) => reply));
      expect(outcome(replies)).toBe("OK INVALID_PARAMETER INVALID_PARAMETER");
    });
  });

  it("of unrelated requests runs each by itself", async () => {
    const { fileId } = await tree.create("file");
    const bodies = [requests.create("missing"), requests.read(fileId, 0, 3), requests.create("file"), requests.close()];
    const replies = await tree.compound(bodies, { related: false });
    expect(outcome(replies)).toBe("OBJECT_NAME_NOT_FOUND OK OK FILE_CLOSED");
    expect(replies.some(({ header }) => (header.flags & HeaderFlag.RELATED_OPERATIONS) !== 0)).toBe(false);
  });

  it("starts a new chain at each request that is not related", async () => {
    const { connection } = tree.session;
    const options = tree.session.defaults(tree.defaults());
    const parts: [RequestBody, boolean][] = [
      [requests.create("missing"), false],
      [requests.close(), true],
      [requests.create("file"), false],
      [read(), true],
      [requests.close(), true],
    ];
    const calls = connection.submitCompound(
      parts.map(([body, related]) => ({ body, options: { ...options, related } })),
    );
    const replies = await Promise.all(calls.map(({ reply }) => reply));
    expect(outcome(replies)).toBe("OBJECT_NAME_NOT_FOUND OBJECT_NAME_NOT_FOUND OK OK OK");
  });

  it("runs in order, one at a time", async () => {
    const bodies = [make("dir1"), requests.close(), make("dir1"), make("dir2"), requests.close()];
    expect(outcome(await tree.compound(bodies))).toBe("OK OK OBJECT_NAME_COLLISION OK OK");
  });

  it("is charged and granted credits request by request", async () => {
    const { connection } = tree.session;
    connection.creditsAsked = 3;
    const before = connection.credits;
    const replies = await tree.compound([requests.create("file"), read(), requests.close()]);
    expect(replies.map(({ header }) => header.credits)).toEqual([3, 3, 3]);
    expect(connection.credits).toBe(before - 3 + 9);
  });

  it("is answered as far as the answers fit a frame", async () => {
    const { connection } = tree.session;
    connection.creditsAsked = 1024;
    await tree.exchange(requests.echo());
    const file = await tree.create("file");
    await file.write((4 << 20) - 1, Buffer.from([1]));
    const whole = () => read(4 << 20);
    const replies = await tree.compound([requests.create("file"), whole(), whole(), whole(), whole(), read(100)]);
    expect(outcome(replies)).toBe("OK OK OK OK INSUFFICIENT_RESOURCES OK");
    // What they could have become counts: memory for it is taken before anybody knows.
    const short = await tree.createFile("short");
    await short.write(0, Buffer.alloc(5000, 1));
    const bodies = [requests.create("short"), ...Array.from({ length: 16 }, () => read(1 << 20)), requests.close()];
    const shortReplies = await tree.compound(bodies);
    expect(outcome(shortReplies)).toBe(`OK${" OK".repeat(14)} INSUFFICIENT_RESOURCES INSUFFICIENT_RESOURCES OK`);
    expect(harness.errors).toEqual([]);
  });

  describe("that has to wait", () => {
    const lock = { offset: 0n, length: 10n, flags: LockFlag.EXCLUSIVE_LOCK };

    it("is refused the wait in the middle", async () => {
      const holder = await tree.create("file");
      await holder.lock(0, 10);
      const bodies = [requests.create("file"), requests.lock(NO_FILE_ID, [lock]), requests.close()];
      expect(outcome(await tree.compound(bodies))).toBe("OK INTERNAL_ERROR OK");
      await holder.unlock(0, 10);
      expect(await statusOf(holder.lock(0, 10))).toBe("STATUS_SUCCESS");
    });

    it("at its end answers what is done, then that it waits", async () => {
      const holder = await tree.create("file");
      await holder.lock(0, 10);
      frames.length = 0;
      const [create, waiting] = tree.submitCompound([requests.create("file"), requests.lock(NO_FILE_ID, [lock])], {
        sign: true,
      });
      if (create === undefined || waiting === undefined) throw new Error("no calls");
      expect((await create.reply).status).toBe(0);
      expect((await waiting.pending).header.asyncId).not.toBe(0n);
      expect(frames).toHaveLength(2);
      await holder.unlock(0, 10);
      expect((await waiting.reply).signed).toBe(true);
    });
  });

  it("may hold a CANCEL, which has no response", async () => {
    const holder = await tree.create("file");
    await holder.lock(0, 10);
    const other = await tree.create("file");
    const waiting = other.submitLock({ offset: 0n, length: 1n, flags: LockFlag.EXCLUSIVE_LOCK });
    await waiting.pending;
    const { connection } = tree.session;
    const options = tree.session.defaults(tree.defaults());
    const cancel = { command: Command.CANCEL, payload: 0, encode: requests.echo().encode };
    const header = {
      flags: HeaderFlag.ASYNC_COMMAND,
      asyncId: waiting.asyncId,
      messageId: waiting.messageId + 1_000_000n,
    };
    const [first, , third] = connection.submitCompound([
      { body: requests.echo(), options },
      { body: cancel, options: { ...options, header } },
      { body: requests.create("file"), options },
    ]);
    expect((await first?.reply)?.status).toBe(0);
    const reply = await third?.reply;
    expect(reply && decodeCreateResponse(reply.reader).fileId.volatile).toBeGreaterThan(0n);
    expect(statusName((await waiting.reply).status)).toBe("STATUS_CANCELLED");
  });

  describe("ends the connection", () => {
    it.each([
      ["misaligned", 68],
      ["inside of the header", 56],
      ["beyond the frame", 4096],
      ["at its end", 128],
    ])("for a NextCommand that is %s", async (_, nextCommand) => {
      const { connection } = tree.session;
      await expect(tree.exchange(requests.echo(), { header: { nextCommand } })).rejects.toThrow("closed");
      expect(connection.isClosed).toBe(true);
      await settle();
      expect(harness.server.sessions.size).toBe(0);
    });

    it("for more requests than anybody sends", async () => {
      tree.session.connection.creditsAsked = 1000;
      await tree.exchange(requests.echo());
      const many = Array.from({ length: 300 }, () => requests.echo());
      await expect(tree.compound(many)).rejects.toThrow("closed");
    });

    it("for a message id that is used twice in it", async () => {
      const { connection } = tree.session;
      const options = tree.session.defaults(tree.defaults());
      const messageId = connection.nextMessageId;
      connection.submitCompound([
        { body: requests.echo(), options },
        { body: requests.create("new", { createDisposition: 2 }), options: { ...options, header: { messageId } } },
      ]);
      await connection.closed;
      const other = await harness.mount();
      expect(statusName(await other.tryCreate("new", { desiredAccess: Access.READ_DATA }))).toBe(
        "STATUS_OBJECT_NAME_NOT_FOUND",
      );
    });
  });
});
