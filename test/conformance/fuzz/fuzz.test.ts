// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  conversationsOfPcap,
  loadConversations,
  saveConversation,
  splitStream,
} from "../../../conformance/fuzz/conversation.ts";
import { compoundStarts, frame, mutateConversation, mutateMessage } from "../../../conformance/fuzz/mutate.ts";
import { clientStreams } from "../../../conformance/fuzz/pcap-reader.ts";
import { openSeal } from "../../../conformance/fuzz/protection.ts";
import { Random } from "../../../conformance/fuzz/random.ts";
import { buildNegotiate, buildRequest, FuzzSession, revive } from "../../../conformance/fuzz/session.ts";
import { makeTemplate } from "../../../conformance/fuzz/templates.ts";
import { Watch } from "../../../conformance/fuzz/watch.ts";
import { type Target, Wire } from "../../../conformance/fuzz/wire.ts";

const corpus = new URL("../../../conformance/fuzz/corpus", import.meta.url).pathname;

function segment(port: number, sequence: number, data: string, options: { syn?: boolean; to?: number } = {}): Buffer {
  const payload = Buffer.from(data, "latin1");
  const packet = Buffer.alloc(40 + payload.length);
  packet.writeUInt8(0x45, 0);
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt8(6, 9);
  packet.writeUInt32BE(0x7f000001, 12);
  packet.writeUInt16BE(port, 20);
  packet.writeUInt16BE(options.to ?? 445, 22);
  packet.writeUInt32BE(sequence >>> 0, 24);
  packet.writeUInt8(0x50, 32);
  packet.writeUInt8(options.syn === true ? 0x02 : 0x18, 33);
  packet.set(payload, 40);
  return packet;
}

function pcapFile(packets: readonly Buffer[], linkType = 101): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(linkType, 20);
  const records = packets.map((packet) => {
    const whole = linkType === 1 ? Buffer.concat([Buffer.from(`${"00".repeat(12)}0800`, "hex"), packet]) : packet;
    const record = Buffer.alloc(16);
    record.writeUInt32LE(whole.length, 8);
    record.writeUInt32LE(whole.length, 12);
    return Buffer.concat([record, whole]);
  });
  return Buffer.concat([header, ...records]);
}

describe("random choices", () => {
  it("are the same for the same seed and round, and others for another round", () => {
    const draw = (seed: number, round: number) => {
      const random = Random.ofRound(seed, round);
      return Array.from({ length: 8 }, () => random.u32());
    };
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(1, 3));
    expect(draw(2, 2)).not.toEqual(draw(1, 2));
  });

  it("stay in their bounds and reach them", () => {
    const random = new Random(7);
    const seen = new Set(Array.from({ length: 200 }, () => random.between(3, 6)));
    expect([...seen].sort()).toEqual([3, 4, 5, 6]);
  });
});

describe("pcap files", () => {
  it.each([101, 1])("with link type %i give each client's stream in order", (linkType) => {
    const packets = [
      segment(1000, 99, "", { syn: true }),
      segment(2000, 5, "other"),
      segment(1000, 104, "late"),
      segment(1000, 100, "earl"),
      segment(1000, 102, "rlla"),
      segment(1000, 100, "earl"),
      segment(445, 1, "answer", { to: 1000 }),
    ];
    expect(clientStreams(pcapFile(packets, linkType), 445).map(String)).toEqual(["earllate", "other"]);
  });

  it("end a stream at a gap, and count on over the end of the numbers", () => {
    const packets = [segment(1, 0xfffffffe, "abcd"), segment(1, 2, "ef"), segment(1, 9, "lost")];
    expect(clientStreams(pcapFile(packets), 445).map(String)).toEqual(["abcdef"]);
  });

  it("tell a second connection from the same port", () => {
    const packets = [
      segment(1, 9, "", { syn: true }),
      segment(1, 10, "one"),
      segment(1, 99, "", { syn: true }),
      segment(1, 100, "two"),
    ];
    expect(clientStreams(pcapFile(packets), 445).map(String)).toEqual(["one", "two"]);
  });

  it("give messages without their frames", () => {
    const stream = "\0\0\0\x03abc\0\0\0\x01d\0\0\0\x09cut";
    expect(conversationsOfPcap("x", pcapFile([segment(1, 1, stream)]))).toEqual([
      { name: "x-1", messages: [Buffer.from("abc"), Buffer.from("d")] },
    ]);
  });

  it("of other kinds are refused", () => {
    expect(() => clientStreams(Buffer.alloc(100), 445)).toThrow("pcap");
    expect(() => clientStreams(pcapFile([], 113), 445)).toThrow("link type 113");
  });
});

describe("recordings", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tessera-fuzz-test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("come back as they were saved", () => {
    const conversation = { name: "one", messages: [Buffer.from("abc"), Buffer.from([0xff])] };
    saveConversation(folder, conversation);
    expect(loadConversations(folder)).toEqual([conversation]);
  });

  it("are refused when they are none", () => {
    expect(() => loadConversations(folder)).toThrow("no conversations");
    writeFileSync(join(folder, "bad.json"), '["xyz"]');
    expect(() => loadConversations(folder)).toThrow("bad: not hexadecimal");
  });

  it("of the corpus hold the commands that an ordinary client sends", () => {
    const commands = new Set(
      loadConversations(corpus).flatMap(({ messages }) =>
        messages.filter((message) => message[0] === 0xfe).map((message) => message.readUInt16LE(12)),
      ),
    );
    for (const command of [0, 1, 3, 5, 6, 8, 9, 11, 14, 16, 17]) expect(commands).toContain(command);
  });
});

describe("mutations", () => {
  const messages = loadConversations(corpus).flatMap((conversation) => conversation.messages);

  it("repeat themselves for the same seed, and change the message for nearly every seed", () => {
    let changed = 0;
    for (let round = 0; round < 500; round += 1) {
      const message = messages[round % messages.length] ?? Buffer.alloc(0);
      const before = Buffer.from(message);
      const once = mutateMessage(Random.ofRound(1, round), message, messages);
      expect(mutateMessage(Random.ofRound(1, round), message, messages)).toEqual(once);
      expect(message).toEqual(before);
      if (!once.equals(message)) changed += 1;
    }
    expect(changed).toBeGreaterThan(450);
  });

  it("take any bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 100 }).map((data) => Buffer.from(data));
    fc.assert(
      fc.property(fc.nat(), fc.array(bytes, { minLength: 1, maxLength: 4 }), (seed, parts) => {
        const random = new Random(seed);
        expect(Buffer.isBuffer(mutateMessage(random, parts[0] ?? Buffer.alloc(0), parts))).toBe(true);
        for (const part of mutateConversation(random, parts, parts)) expect(part.length).toBeGreaterThan(0);
      }),
    );
  });

  it("find the parts of a compound, also of one that is broken", () => {
    const one = buildNegotiate(Buffer.alloc(16));
    const padded = Buffer.concat([one, Buffer.alloc((8 - (one.length % 8)) % 8)]);
    padded.writeUInt32LE(padded.length, 20);
    expect(compoundStarts(Buffer.concat([padded, one]))).toEqual([0, padded.length]);
    padded.writeUInt32LE(7, 20);
    expect(compoundStarts(padded)).toEqual([0]);
    padded.writeUInt32LE(0xfffffff8, 20);
    expect(compoundStarts(padded)).toEqual([0]);
    expect(compoundStarts(Buffer.alloc(10))).toEqual([]);
  });

  it("sometimes lie about the length of a frame", () => {
    const message = Buffer.alloc(50);
    expect(splitStream(frame(undefined, message))).toEqual([message]);
    const random = new Random(3);
    const lies = Array.from({ length: 500 }, () => frame(random, message)).filter(
      (framed) => framed.readUIntBE(1, 3) !== 50,
    );
    expect(lies.length).toBeGreaterThan(10);
    expect(lies.length).toBeLessThan(150);
  });
});

describe("with a server of our own", () => {
  let server: Server;
  let target: Target;
  let sockets: Socket[];
  let behave: (socket: Socket) => void;

  beforeEach(async () => {
    sockets = [];
    behave = () => {};
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      behave(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    target = { host: "127.0.0.1", port: address.port };
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Answers every message with its own header. */
  const echo = (status: number) => (socket: Socket) => {
    socket.on("data", (data) => {
      for (const message of splitStream(data)) {
        const answer = Buffer.from(message);
        answer.writeUInt32LE(status >>> 0, 8);
        socket.write(frame(undefined, answer));
      }
    });
    socket.on("end", () => socket.end());
  };

  const watch = (options: { pid?: number; logFile?: string; growthLimit?: number } = {}) =>
    new Watch({
      target,
      pid: options.pid,
      logFile: options.logFile,
      growthLimit: options.growthLimit ?? 1000,
    });

  it("a server that answers is well", async () => {
    behave = echo(0);
    const watched = watch({ pid: process.pid });
    watched.setBaseline();
    expect(await watched.trouble()).toBeUndefined();
  });

  it.each([
    ["that is silent", (_socket: Socket) => {}, "NEGOTIATE of a new connection: silence"],
    ["that hangs up", (socket: Socket) => socket.destroy(), "NEGOTIATE of a new connection: closed"],
    ["that refuses", echo(0xc0000001), "NEGOTIATE of a new connection: status 0xc0000001"],
  ])("a server %s is in trouble", async (_name, behaviour, trouble) => {
    behave = behaviour;
    expect(await watch().trouble()).toBe(trouble);
  });

  it("a server that is gone is in trouble", async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await watch().trouble()).toContain("no new connection");
    // No process has this number.
    expect(await watch({ pid: 2 ** 30 }).trouble()).toContain("has ended");
    server.listen(0);
  });

  it("a server that grows is in trouble", async () => {
    behave = echo(0);
    const watched = watch({ pid: process.pid, growthLimit: -1 });
    watched.setBaseline();
    expect(await watched.trouble()).toContain("memory grew");
  });

  it("a server that logs a bug is in trouble, once", async () => {
    behave = echo(0);
    const folder = mkdtempSync(join(tmpdir(), "tessera-fuzz-test-"));
    const logFile = join(folder, "log");
    try {
      writeFileSync(logFile, '{"level":"warn","msg":"fine"}\n');
      const watched = watch({ logFile });
      expect(await watched.trouble()).toBeUndefined();
      writeFileSync(logFile, '{"level":"error","msg":"oops"}\n', { flag: "a" });
      expect(await watched.trouble()).toContain("oops");
      expect(await watched.trouble()).toBeUndefined();
      writeFileSync(logFile, "12:00:00.000 ERROR again\n    at somewhere\n", { flag: "a" });
      expect(await watched.trouble()).toContain("again");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("a connection passes over interim answers and those to others", async () => {
    behave = (socket) => {
      socket.on("data", (data) => {
        const [message = Buffer.alloc(64)] = splitStream(data);
        const other = Buffer.from(message);
        other.writeBigUInt64LE(77n, 24);
        const interim = Buffer.from(message);
        interim.writeUInt32LE(0x103, 8);
        const final = Buffer.from(message);
        final.writeUInt32LE(0xc0000022, 8);
        socket.write(Buffer.concat([other, interim, final].map((part) => frame(undefined, part))));
      });
    };
    const wire = await Wire.open(target, undefined);
    const answer = await wire.exchange(buildNegotiate(Buffer.alloc(16)), 0n);
    expect(answer.kind === "answer" && answer.message.readUInt32LE(8)).toBe(0xc0000022);
    wire.destroy();
  });

  it("a connection that the server keeps open after its client's end is noticed", async () => {
    behave = (socket) => socket.resume();
    const wire = await Wire.open(target, undefined);
    expect(await wire.finish(50)).toBe(false);
    behave = echo(0);
    const other = await Wire.open(target, undefined);
    expect(await other.finish(5000)).toBe(true);
  });

  it("recorded requests get the identifiers of the session and lose their signature", async () => {
    const wire = await Wire.open(target, undefined);
    const session = new FuzzSession(wire, { sessionId: 5n, diskTree: 1, pipeTree: 2 }, "none", openSeal, 100n);
    const fileId = { persistent: 11n, volatile: 22n };
    const recorded = buildRequest(8, { id: 3n, treeId: 9, sessionId: 9n }, (writer) => writer.zeros(49));
    recorded.writeUInt32LE(0x8, 16);
    recorded.fill(0xaa, 48, 64);
    recorded.writeUInt16LE(4, 6);
    const live = revive(recorded, [0], session, 1, fileId);
    expect(live.readUInt32LE(16)).toBe(0);
    expect(live.readBigUInt64LE(24)).toBe(100n);
    expect(live.readUInt32LE(36)).toBe(1);
    expect(live.readBigUInt64LE(40)).toBe(5n);
    expect(live.subarray(48, 64)).toEqual(Buffer.alloc(16));
    expect([live.readBigUInt64LE(80), live.readBigUInt64LE(88)]).toEqual([11n, 22n]);
    // The CreditCharge of 4 took four MessageIds.
    expect(session.takeMessageId()).toBe(104n);
    wire.destroy();
  });
});

describe("templates", () => {
  it("of every kind encode", () => {
    const commands = new Set<number>();
    for (let round = 0; round < 600; round += 1) {
      const { command, encode } = makeTemplate(Random.ofRound(1, round), { persistent: 1n, volatile: 2n });
      const message = buildRequest(command, { id: 1n, treeId: 1, sessionId: 1n }, encode);
      expect(message.length).toBeGreaterThan(64);
      commands.add(command);
    }
    expect([...commands].sort((left, right) => left - right)).toEqual([
      3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18,
    ]);
  });
});
