// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { NtStatus } from "../../src/nt/status.ts";
import { CipherId } from "../../src/smb2/crypto/encryption.ts";
import { SigningAlgorithm } from "../../src/smb2/crypto/signing.ts";
import { Dialect } from "../../src/smb2/wire/constants.ts";
import { decodeReadResponse } from "../../src/smb2/wire/read.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import { alice, ServerHarness, settle } from "../support/server-harness.ts";
import { Gate, slowVolume } from "../support/slow-volume.ts";
import { logOn, type SmbTree } from "../support/smb-client.ts";
import { SmbConnection } from "../support/smb-connection.ts";
import { requests } from "../support/smb-requests.ts";

const protections = [
  { name: "2.0.2", negotiate: { dialects: [Dialect.SMB_2_0_2] }, encrypt: false },
  { name: "2.1", negotiate: { dialects: [Dialect.SMB_2_1] }, encrypt: false },
  { name: "3.0", negotiate: { dialects: [Dialect.SMB_3_0] }, encrypt: false },
  { name: "3.0 encrypted", negotiate: { dialects: [Dialect.SMB_3_0] }, encrypt: true },
  { name: "3.0.2 encrypted", negotiate: { dialects: [Dialect.SMB_3_0_2] }, encrypt: true },
  ...Object.entries(SigningAlgorithm).map(([name, algorithm]) => ({
    name: `3.1.1 ${name}`,
    negotiate: { dialects: [Dialect.SMB_3_1_1], signingAlgorithms: [algorithm] },
    encrypt: false,
  })),
  ...Object.entries(CipherId).map(([name, cipher]) => ({
    name: `3.1.1 ${name}`,
    negotiate: { dialects: [Dialect.SMB_3_1_1], ciphers: [cipher] },
    encrypt: true,
  })),
];

describe("a conversation", () => {
  it.each(protections)("in $name", async ({ negotiate, encrypt }) => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount("data", { negotiate, encrypt, sign: true });
    await tree.put("hello.txt", "Salve!");
    expect((await tree.get("HELLO.TXT")).toString()).toBe("Salve!");
    await tree.disconnect();
    await tree.session.logOff();
    const again = await harness.logOn(alice, { negotiate });
    expect(again.connection.dialect).toBe(negotiate.dialects[0]);
    expect(harness.errors).toEqual([]);
  });
});

/** Bytes that differ from file to file and from place to place. */
function pattern(length: number, seed: number): Buffer {
  const words = new Uint32Array(length / 4);
  for (let index = 0; index < words.length; index++) words[index] = index * 2_654_435_761 + seed * 40_503;
  return Buffer.from(words.buffer);
}

describe("file data", () => {
  it.each(protections)("stays apart when requests share memory in turn, in $name", async ({ negotiate, encrypt }) => {
    const harness = await ServerHarness.start();
    const transport = harness.transport();
    const send = transport.send.bind(transport);
    // As from a socket: a frame comes in pieces.
    transport.send = (bytes) => {
      for (let at = 0; at < bytes.length; at += 60_000) send(Buffer.from(bytes.subarray(at, at + 60_000)));
    };
    const connection = new SmbConnection(transport);
    await connection.negotiate(negotiate);
    const session = await logOn(connection, alice, { sign: true, encrypt });
    const tree = await session.treeConnect("data");
    connection.creditsAsked = 512;
    const size = negotiate.dialects[0] === Dialect.SMB_2_0_2 ? 65_536 : 700_000;
    for (let round = 0; round < 3; round++) {
      const contents = Array.from({ length: 6 }, (_, index) => pattern(size, round * 10 + index));
      await Promise.all(contents.map((content, index) => tree.put(`file-${index}`, content)));
      const read = await Promise.all(contents.map((_, index) => tree.get(`file-${index}`)));
      expect(read.map((content, index) => content.equals(contents[index] ?? Buffer.alloc(0)))).toEqual(
        contents.map(() => true),
      );
    }
    expect(harness.errors).toEqual([]);
  });

  it("is not read for a hundred requests at once, also where they arrive together", async () => {
    const gate = new Gate();
    const harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    const transport = harness.transport();
    const connection = new SmbConnection(transport);
    await connection.negotiate();
    const tree: SmbTree = await (await logOn(connection, alice)).treeConnect("data");
    const file = await tree.createFile("big");
    await file.write(0, pattern(1 << 20, 1));
    connection.creditsAsked = 2000;
    await tree.exchange(requests.echo());

    gate.hold("read");
    const together: Buffer[] = [];
    const send = transport.send.bind(transport);
    transport.send = (bytes) => void together.push(bytes);
    const reads = Array.from({ length: 100 }, () => file.exchange(requests.read(file.fileId, 0, 1 << 20)));
    await settle();
    transport.send = send;
    transport.send(Buffer.concat(together));
    await settle();
    expect(together).toHaveLength(100);
    // One in each turn of the event loop.
    for (let turns = 0; turns < 10; turns++) await settle();
    expect(gate.waiting).toBe(33);
    expect(transport.paused).toBe(true);
    gate.release();
    expect((await Promise.all(reads)).every(({ status }) => status === 0)).toBe(true);
    await settle();
    expect(transport.paused).toBe(false);
  });

  it("is not taken for a hundred requests that the storage keeps waiting", async () => {
    const gate = new Gate();
    const harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    const transport = harness.transport();
    const connection = new SmbConnection(transport);
    await connection.negotiate();
    const tree = await (await logOn(connection, alice)).treeConnect("data");
    const file = await tree.createFile("big");
    connection.creditsAsked = 2000;
    await tree.exchange(requests.echo());
    gate.hold("write");
    const content = Buffer.alloc(1 << 20, 1);
    const writes = Array.from({ length: 100 }, () => file.exchange(requests.write(file.fileId, 0, content)));
    // One in each turn of the event loop.
    for (let turns = 0; turns < 15; turns++) await settle();
    expect(gate.waiting).toBe(32);
    expect(transport.paused).toBe(true);
    expect(harness.server.budget.used).toBeGreaterThan(32 << 20);
    gate.release();
    expect((await Promise.all(writes)).every(({ status }) => status === 0)).toBe(true);
    await settle();
    expect(transport.paused).toBe(false);
    expect(harness.server.budget.used).toBe(0);
  });

  it("lets others have their turn, whatever one client writes at once", async () => {
    const harness = await ServerHarness.start();
    const transport = harness.transport();
    const connection = new SmbConnection(transport);
    await connection.negotiate();
    const tree = await (await logOn(connection, alice)).treeConnect("data");
    const file = await tree.createFile("big");
    const other = await harness.mount("data");
    connection.creditsAsked = 512;
    await tree.exchange(requests.echo());

    const answers: string[] = [];
    const together: Buffer[] = [];
    const send = transport.send.bind(transport);
    transport.send = (bytes) => void together.push(bytes);
    const writes = Array.from({ length: 10 }, async (_, index) => {
      await file.exchange(requests.write(file.fileId, 0, pattern(1 << 20, index)));
      answers.push(`write ${index}`);
    });
    await settle();
    transport.send = send;
    transport.send(Buffer.concat(together));
    await other.exchange(requests.echo());
    answers.push("echo");
    await Promise.all(writes);
    expect(together).toHaveLength(10);
    expect(answers.indexOf("echo")).toBeLessThan(answers.indexOf("write 3"));
    expect(answers.filter((answer) => answer !== "echo")).toEqual(writes.map((_, index) => `write ${index}`));
  });

  const long = protections.slice(2).flatMap((protection) => [true, false].map((spare) => ({ ...protection, spare })));
  describe.each(long)("of long messages in $name, on other threads: $spare", ({ negotiate, encrypt, spare }) => {
    const LONG = 1 << 20;
    const mount = async () => {
      const harness = await ServerHarness.start({ hasSpareProcessor: spare });
      const tree = await harness.mount("data", { negotiate, encrypt, sign: true });
      tree.session.connection.creditsAsked = 512;
      await tree.exchange(requests.echo());
      const file = await tree.createFile("file");
      return { harness, tree, file };
    };

    it("is worked on in the order in which it was sent", async () => {
      const { harness, tree, file } = await mount();
      const writes: Promise<unknown>[] = [];
      for (let index = 0; index < 5; index++) {
        writes.push(file.exchange(requests.write(file.fileId, 0, pattern(LONG, index))));
        writes.push(file.exchange(requests.write(file.fileId, 4, Buffer.from(`short ${index}`))));
      }
      // The handle is closed when all of them have been done.
      writes.push(file.close());
      await Promise.all(writes);
      const expected = pattern(LONG, 4);
      expected.write("short 4", 4);
      expect((await tree.get("file")).equals(expected)).toBe(true);
      expect(harness.errors).toEqual([]);
    });

    it("ends with the connection, whatever is still being worked on", async () => {
      const { harness, tree, file } = await mount();
      const { connection } = tree.session;
      await file.write(0, pattern(LONG, 1));
      const calls = [1, 2, 3].map((index) => tree.submit(requests.write(file.fileId, 0, pattern(LONG, index))));
      calls.push(tree.submit(requests.read(file.fileId, 0, LONG)));
      connection.close();
      await connection.closed;
      for (let turns = 0; turns < 20; turns++) await settle();
      expect(harness.server.connections.size).toBe(0);
      expect(harness.server.sessions.size).toBe(0);
      expect(harness.errors).toEqual([]);
    });

    it("is refused where it was changed on its way", async () => {
      const { harness, tree, file } = await mount();
      const { connection } = tree.session;
      const before = harness.log.length;
      if (encrypt) {
        const { transport } = connection;
        const send = transport.send.bind(transport);
        transport.send = (bytes) => {
          bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
          send(bytes);
        };
        tree.submit(requests.write(file.fileId, 0, pattern(LONG, 1)));
        await connection.closed;
      } else {
        const tamper = (message: Buffer) => void message.fill(0, LONG);
        const reply = await tree.submit(requests.write(file.fileId, 0, pattern(LONG, 1)), { tamper, verify: false })
          .reply;
        expect(reply.status).toBe(NtStatus.ACCESS_DENIED);
        expect((await tree.get("file")).length).toBe(0);
      }
      expect(harness.log.slice(before).map(({ level, message }) => ({ level, message }))).toContainEqual({
        level: "warn",
        message: encrypt ? "connection ended: malformed packet" : "a request has a wrong signature",
      });
      expect(harness.errors).toEqual([]);
    });

    it("is still answered in a session that logs off behind it", async () => {
      const { harness, tree, file } = await mount();
      await file.write(0, pattern(LONG, 1));
      const reading = tree.submit(requests.read(file.fileId, 0, LONG));
      await tree.session.logOff();
      const { data } = decodeReadResponse((await reading.reply).reader);
      expect(data.equals(pattern(LONG, 1))).toBe(true);
      expect(harness.errors).toEqual([]);
    });
  });

  it("does not keep the other connections waiting", async () => {
    const harness = await ServerHarness.start();
    const transport = harness.transport();
    const busy = new SmbConnection(transport);
    await busy.negotiate();
    const tree: SmbTree = await (await logOn(busy, alice)).treeConnect("data");
    const file = await tree.createFile("big");
    const content = pattern(1 << 20, 1);
    await file.write(0, content);
    busy.creditsAsked = 2000;
    await tree.exchange(requests.echo());
    const quiet = await harness.mount("data");

    const together: Buffer[] = [];
    const send = transport.send.bind(transport);
    transport.send = (bytes) => void together.push(bytes);
    let answered = 0;
    const reads = Array.from({ length: 20 }, async () => {
      const { data } = decodeReadResponse((await file.exchange(requests.read(file.fileId, 0, 1 << 20))).reader);
      answered += data.equals(content) ? 1 : 0;
    });
    await settle();
    transport.send = send;
    transport.send(Buffer.concat(together));
    await quiet.exchange(requests.echo());
    expect(answered).toBeLessThanOrEqual(2);
    await Promise.all(reads);
    expect(answered).toBe(20);
  });
});
