// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConversations } from "../../conformance/fuzz/conversation.ts";
import { compoundStarts, mutateConversation, mutateMessage } from "../../conformance/fuzz/mutate.ts";
import { Random } from "../../conformance/fuzz/random.ts";
import { buildRequest } from "../../conformance/fuzz/session.ts";
import { makeTemplate } from "../../conformance/fuzz/templates.ts";
import { Dialect } from "../../src/smb2/wire/constants.ts";
import type { FileId } from "../../src/smb2/wire/file-id.ts";
import { HEADER_SIZE, HeaderOffset } from "../../src/smb2/wire/header.ts";
import { alice, ServerHarness, settle } from "../support/server-harness.ts";
import { logOn, type SmbTree } from "../support/smb-client.ts";
import type { NegotiateOptions, SmbConnection } from "../support/smb-connection.ts";
import { requests } from "../support/smb-requests.ts";

const corpus = loadConversations(fileURLToPath(new URL("../../conformance/fuzz/corpus", import.meta.url)));
const recorded = corpus.flatMap(({ messages }) => messages);

/** Turns of the event loop after which a server that works in memory has answered. */
const PATIENCE = 20;

describe("a server that is sent anything", () => {
  let harness: ServerHarness;

  beforeEach(async () => {
    harness = await ServerHarness.start({ protocol: { maxOpensPerSession: 100, maxAsyncPerConnection: 50 } });
  });

  afterEach(async () => {
    for (const { transport } of [...harness.server.connections]) transport.destroy();
    await settle();
    expect(harness.errors).toEqual([]);
    expect(harness.server.connections.size).toBe(0);
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.server.resumeKeys.size).toBe(0);
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });

  /** Whether an ECHO is answered, or the connection closed. */
  async function copes(connection: SmbConnection, tree?: SmbTree): Promise<"answered" | "closed" | "hangs"> {
    if (connection.isClosed) return "closed";
    const options = tree === undefined ? {} : tree.session.defaults(tree.defaults());
    connection.credits = Math.max(connection.credits, 1);
    let result: "answered" | "closed" | "hangs" = "hangs";
    connection.exchange(requests.echo(), { ...options, verify: false }).then(
      () => {
        result = "answered";
      },
      () => {
        result = "closed";
      },
    );
    for (let turn = 0; turn < PATIENCE && result === "hangs"; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    return result;
  }

  it("answers or closes for frames of random bytes", async () => {
    const start = fc
      .constantFrom("", "fe534d424000", "fd534d42", "fc534d42", "ff534d4272")
      .map((hex) => Buffer.from(hex, "hex"));
    const tail = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(start, tail), { minLength: 1, maxLength: 4 }), async (parts) => {
        const connection = harness.open();
        connection.toleratesUnknown = true;
        for (const part of parts) connection.sendFrame(Buffer.concat(part));
        await settle();
        expect(await copes(connection)).not.toBe("hangs");
        connection.close();
      }),
      { numRuns: 150 },
    );
  });

  it("takes a stream of random bytes in any pieces", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 10 }), async (pieces) => {
        const connection = harness.open();
        connection.toleratesUnknown = true;
        for (const piece of pieces) connection.sendRaw(Buffer.from(piece));
        await settle();
        connection.close();
        await connection.closed;
      }),
      { numRuns: 100 },
    );
  });

  it("answers or closes for changed conversations of real clients", async () => {
    const connections = new Set<SmbConnection>();
    for (let round = 0; round < 250; round += 1) {
      const random = Random.ofRound(0x5eed, round);
      const conversation = random.pick(corpus);
      if (conversation === undefined) throw new Error("no conversations");
      const connection = harness.open();
      connection.toleratesUnknown = true;
      connections.add(connection);
      for (const part of mutateConversation(random, conversation.messages, recorded)) {
        const cut = random.oneIn(4) ? random.below(part.length) : part.length;
        connection.sendRaw(part.subarray(0, cut));
        connection.sendRaw(part.subarray(cut));
      }
      await settle();
      connection.close();
      await connection.closed;
    }
    expect(harness.server.connections.size).toBe(0);
  });

  const protections: [string, NegotiateOptions, { encrypt?: boolean; sign?: boolean }][] = [
    ["unprotected in 2.1", { dialects: [Dialect.SMB_2_1] }, {}],
    ["signed in 3.0.2", { dialects: [Dialect.SMB_3_0_2] }, { sign: true }],
    ["encrypted in 3.1.1", {}, { encrypt: true }],
  ];

  it.each(protections)("answers or closes for changed requests of a user, %s", async (_, negotiate, protection) => {
    let tree: SmbTree | undefined;
    let pipes: SmbTree | undefined;
    const tally = { answered: 0, closed: 0 };
    for (let round = 0; round < 400; round += 1) {
      const random = Random.ofRound(0xcafe, round);
      if (tree === undefined || pipes === undefined || tree.session.connection.isClosed) {
        const connection = await harness.connect(negotiate);
        connection.toleratesUnknown = true;
        const session = await logOn(connection, alice, protection);
        tree = await session.treeConnect("data");
        pipes = await session.treeConnect("IPC$");
      }
      const aim = random.oneIn(5) ? pipes : tree;
      const fileId = await openSomething(random, aim, aim === pipes, round);
      if (fileId !== undefined) send(random, aim, fileId, protection);
      const result = await copes(tree.session.connection, tree);
      expect(`round ${round}: ${result}`).not.toBe(`round ${round}: hangs`);
      if (result === "closed" || fileId === undefined) {
        tree.session.connection.close();
        tree = undefined;
      }
      if (result === "closed") tally.closed += 1;
      else tally.answered += 1;
    }
    // Most requests must have come as far as their handlers.
    expect(tally.answered).toBeGreaterThan(tally.closed);
  });

  /** Something to aim at; `undefined` where an earlier round has taken session, tree or all handles away. */
  async function openSomething(
    random: Random,
    tree: SmbTree,
    pipe: boolean,
    round: number,
  ): Promise<FileId | undefined> {
    try {
      if (pipe) return (await tree.create(random.pick(["srvsvc", "lsarpc", "wkssvc"] as const))).fileId;
      if (random.oneIn(4)) return (await tree.create("")).fileId;
      const name = random.oneIn(10) ? `fuzz-${round}` : "fuzz";
      return (await tree.create(name, { createDisposition: 3 })).fileId;
    } catch {
      return undefined;
    }
  }

  /** A made-up request, changed somewhere, and protected as if it were right. */
  function send(
    random: Random,
    tree: SmbTree,
    fileId: FileId,
    protection: { encrypt?: boolean; sign?: boolean },
  ): void {
    const { session } = tree;
    const { connection } = session;
    const { command, encode } = makeTemplate(random, fileId);
    const id = connection.nextMessageId;
    const message = buildRequest(command, { id, treeId: tree.treeId, sessionId: session.sessionId }, encode);
    connection.nextMessageId += BigInt(Math.max(1, message.readUInt16LE(HeaderOffset.CREDIT_CHARGE)));
    const changed = random.oneIn(8) ? message : mutateMessage(random, message, recorded);
    if (protection.encrypt === true && session.cipher !== undefined && !random.oneIn(10)) {
      connection.sendFrame(Buffer.concat(session.cipher.encrypt(session.sessionId, [changed])));
      return;
    }
    if (protection.sign === true && !random.oneIn(10)) signEach(changed, tree);
    connection.sendFrame(changed);
  }

  function signEach(message: Buffer, { session }: SmbTree): void {
    const starts = compoundStarts(message);
    for (const [index, start] of starts.entries()) {
      const part = message.subarray(start, starts[index + 1] ?? message.length);
      if (part.length < HEADER_SIZE) continue;
      part.writeUInt32LE((part.readUInt32LE(HeaderOffset.FLAGS) | 8) >>> 0, HeaderOffset.FLAGS);
      session.bindingSigner?.sign([part]);
    }
  }
});
