// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandTimeoutError, TransportError } from "../../../src/scsi/errors.ts";
import { encodeLun } from "../../../src/scsi/iscsi/lun.ts";
import { defaultSessionWishes } from "../../../src/scsi/iscsi/negotiation.ts";
import { openSession } from "../../../src/scsi/iscsi/open-session.ts";
import type { IscsiSession } from "../../../src/scsi/iscsi/session.ts";
import { NexusLostError } from "../../../src/scsi/nexus.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { acceptLogin, opcode, type Pdu, type ScriptedConnection, ScriptedTarget } from "../../support/iscsi-target.ts";

const LUN = encodeLun(3);
const cdb = Buffer.from("88000000000000000000000000080000", "hex");
const tagOf = (pdu: Pdu) => pdu.bhs.readUInt32BE(16);
const cmdSnOf = (pdu: Pdu) => pdu.bhs.readUInt32BE(24);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const NO_TAG = 0xffffffff;

let clock: FakeClock;
let target: ScriptedTarget;
let session: IscsiSession;
let lost: (Error | undefined)[];
let firstCmdSn = 0x10;

async function open(keys: Readonly<Record<string, string>> = {}, window = 32): Promise<ScriptedConnection> {
  target.accept = (connection) => acceptLogin(connection, keys, window);
  const randomBytes = (size: number) => {
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32BE(firstCmdSn, 0);
    return bytes;
  };
  session = await openSession(
    {
      dial: target.dial,
      clock,
      randomBytes,
      times: { keepaliveInterval: 5000, answerTimeout: 3000 },
      loginTimeout: 1000,
    },
    { host: "portal", port: 3260 },
    {
      initiatorName: "iqn.2026-01.test:initiator",
      targetName: "iqn.2026-01.test:target",
      isid: Buffer.from("800000000001", "hex"),
      wishes: defaultSessionWishes,
    },
    { attention: () => undefined, lost: (error) => lost.push(error) },
  );
  return target.connection;
}

beforeEach(() => {
  clock = new FakeClock();
  target = new ScriptedTarget();
  lost = [];
  firstCmdSn = 0x10;
});

afterEach(async () => {
  session.fail(new TransportError("the test is over"));
  await turn();
});

const read = (length: number) => {
  const dataIn = [Buffer.alloc(length)];
  return { dataIn, running: session.start({ lun: LUN, cdb, dataIn }) };
};

/** The connection was given up, and a command on it has been told so. */
async function expectLost(connection: ScriptedConnection, result: Promise<unknown>, message: RegExp): Promise<void> {
  await expect(result).rejects.toThrow(NexusLostError);
  await expect(result).rejects.toThrow(message);
  expect(connection.closed).toBe(true);
  expect(lost[0]?.message).toMatch(message);
}

describe("reading", () => {
  it("sends a SCSI Command with CDB, LUN and length, and takes data whose last PDU has the status", async () => {
    const connection = await open();
    const { dataIn, running } = read(1024);
    const command = connection.take();
    expect(command.bhs.toString("hex")).toBe(
      `01c10000000000000003000000000000${command.bhs.toString("hex", 16, 20)}0000040000000010${command.bhs.toString("hex", 28, 32)}${cdb.toString("hex")}`,
    );
    const tag = tagOf(command);
    connection.reply(0x25, 0, tag, { 20: NO_TAG, 36: 0, 40: 0 }, Buffer.alloc(600, 1), { numbered: false });
    connection.reply(0x25, 0x81, tag, { 20: NO_TAG, 36: 1, 40: 600 }, Buffer.alloc(424, 2));
    expect(await running.result).toEqual({ status: 0, senseData: Buffer.alloc(0), transferred: 1024 });
    expect(dataIn[0]).toEqual(Buffer.concat([Buffer.alloc(600, 1), Buffer.alloc(424, 2)]));
  });

  it("tells how much has come, and gives sense data as a copy", async () => {
    const connection = await open();
    const { running } = read(1024);
    const tag = tagOf(connection.take());
    connection.reply(0x25, 0x80, tag, { 20: NO_TAG }, Buffer.alloc(100), { numbered: false });
    connection.reply(
      0x21,
      0x82,
      tag,
      { 0: Buffer.from([0x21, 0x82, 0, 2]), 44: 924 },
      Buffer.from("0003720524", "hex"),
    );
    expect(await running.result).toEqual({ status: 2, senseData: Buffer.from("720524", "hex"), transferred: 100 });
  });

  it.each([
    ["data behind the end", { 36: 0, 40: 0 }, 1028],
    ["data out of order", { 36: 0, 40: 8 }, 100],
    ["a DataSN out of order", { 36: 1, 40: 0 }, 100],
  ])("ends the session at %s", async (_name, fields, length) => {
    const connection = await open();
    const { running } = read(1024);
    connection.reply(0x25, 0, tagOf(connection.take()), { 20: NO_TAG, ...fields }, Buffer.alloc(length), {
      numbered: false,
    });
    await expectLost(connection, running.result, /not asked for/);
  });

  it("ends the session at data for a command that was not given, or that writes", async () => {
    const connection = await open();
    const write = session.start({ lun: LUN, cdb, dataOut: [Buffer.alloc(512)] });
    connection.reply(0x25, 0, tagOf(connection.take()), { 20: NO_TAG }, Buffer.alloc(10), { numbered: false });
    await expectLost(connection, write.result, /not asked for/);
  });
});

describe("writing", () => {
  it("sends immediate and unsolicited data, and the rest as it is asked for", async () => {
    const connection = await open({
      InitialR2T: "No",
      ImmediateData: "Yes",
      MaxRecvDataSegmentLength: "512",
      FirstBurstLength: "1200",
      MaxBurstLength: "2048",
    });
    const data = Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 251));
    const running = session.start({ lun: LUN, cdb, dataOut: [data.subarray(0, 700), data.subarray(700)] });
    const command = connection.take();
    const tag = tagOf(command);
    // Not final: unsolicited data follow.
    expect(command.bhs[1]).toBe(0x21);
    expect(command.data).toEqual(data.subarray(0, 512));
    const first = connection.take();
    const second = connection.take();
    expect([first.bhs[1], second.bhs[1]]).toEqual([0, 0x80]);
    expect(first.bhs.readUInt32BE(20)).toBe(NO_TAG);
    expect(first.bhs.readUInt32BE(36)).toBe(0);
    expect(second.bhs.readUInt32BE(36)).toBe(1);
    expect(second.bhs.readUInt32BE(40)).toBe(1024);
    expect(Buffer.concat([command.data, first.data, second.data])).toEqual(data.subarray(0, 1200));
    expect(connection.sent).toEqual([]);

    const lun = Buffer.from("0003000000000000", "hex");
    connection.reply(0x31, 0x80, tag, { 8: lun, 20: 77, 36: 0, 40: 1200, 44: 1800 }, undefined, { numbered: false });
    const solicited = connection.sent.splice(0);
    expect(
      solicited.map(({ bhs }) => [bhs[1], bhs.readUInt32BE(20), bhs.readUInt32BE(36), bhs.readUInt32BE(40)]),
    ).toEqual([
      [0, 77, 0, 1200],
      [0, 77, 1, 1712],
      [0, 77, 2, 2224],
      [0x80, 77, 3, 2736],
    ]);
    expect(solicited.every(({ bhs }) => bhs.subarray(8, 16).equals(lun))).toBe(true);
    expect(Buffer.concat(solicited.map((pdu) => pdu.data))).toEqual(data.subarray(1200));
    connection.reply(0x21, 0x80, tag);
    expect((await running.result).transferred).toBe(3000);
  });

  it("sends nothing unasked where the target wants it so", async () => {
    const connection = await open({ InitialR2T: "Yes", ImmediateData: "No" });
    session.start({ lun: LUN, cdb, dataOut: [Buffer.alloc(512)] });
    const command = connection.take();
    expect(command.bhs[1]).toBe(0xa1);
    expect(command.data.length).toBe(0);
    expect(connection.sent).toEqual([]);
  });

  it("does not count what was never asked for", async () => {
    const connection = await open({ InitialR2T: "Yes", ImmediateData: "No" });
    const running = session.start({ lun: LUN, cdb, dataOut: [Buffer.alloc(512)] });
    connection.reply(0x21, 0x80, tagOf(connection.take()));
    expect((await running.result).transferred).toBe(0);
  });

  it("keeps its buffers until they are sent, though the answer has come", async () => {
    const connection = await open();
    connection.hold = true;
    const running = session.start({ lun: LUN, cdb, dataOut: [Buffer.alloc(512)] });
    connection.reply(0x21, 0x80, tagOf(connection.take()));
    let settled = false;
    void running.result.then(() => {
      settled = true;
    });
    await turn();
    expect(settled).toBe(false);
    connection.release();
    await turn();
    expect(settled).toBe(true);
  });

  it("ends a session whose target answers but takes no data", async () => {
    const connection = await open();
    connection.hold = true;
    const running = session.start({ lun: LUN, cdb, dataOut: [Buffer.alloc(512)] });
    connection.reply(0x21, 0x80, tagOf(connection.take()));
    running.abort(new CommandTimeoutError("too long"));
    // Its answer counts: it has come.
    expect((await running.result).status).toBe(0);
    expect(connection.closed).toBe(true);
  });

  it.each([
    [
      "a range twice",
      [
        { 36: 0, 40: 0, 44: 100 },
        { 36: 1, 40: 0, 44: 100 },
      ],
    ],
    ["nothing", [{ 36: 0, 40: 0, 44: 0 }]],
    ["more than there is", [{ 36: 0, 40: 0, 44: 4000 }]],
    ["more than a burst", [{ 36: 0, 40: 0, 44: 2000 }]],
    ["a range out of order", [{ 36: 0, 40: 512, 44: 100 }]],
    ["an R2TSN out of order", [{ 36: 3, 40: 0, 44: 100 }]],
  ])("ends the session at an R2T for %s", async (_name, requests) => {
    const connection = await open({ InitialR2T: "Yes", ImmediateData: "No", MaxBurstLength: "1024" });
    const running = session.start({ lun: LUN, cdb, dataOut: [Buffer.alloc(3000)] });
    const tag = tagOf(connection.take());
    for (const fields of requests)
      connection.reply(0x31, 0x80, tag, { 20: 5, ...fields }, undefined, { numbered: false });
    await expectLost(connection, running.result, /may not ask for/);
  });
});

describe("the command window", () => {
  it("holds commands back until the target has room, across the end of the numbers", async () => {
    firstCmdSn = 0xfffffffe;
    const connection = await open({}, 2);
    const results = Array.from({ length: 4 }, () => read(0).running.result);
    expect(connection.sent.map(cmdSnOf)).toEqual([0xfffffffe, 0xffffffff]);
    const [first] = connection.sent.splice(0);
    connection.expCmdSn = 0;
    connection.maxCmdSn = 0;
    connection.reply(0x21, 0x80, tagOf(first ?? connection.take()));
    expect(connection.sent.map(cmdSnOf)).toEqual([0]);
    // A window that shrinks, or ends before it begins, changes nothing.
    connection.maxCmdSn = 0xfffffff0;
    connection.reply(0x20, 0x80, NO_TAG, { 20: NO_TAG }, undefined, { numbered: false });
    connection.maxCmdSn = 1;
    connection.reply(0x20, 0x80, NO_TAG, { 20: NO_TAG }, undefined, { numbered: false });
    expect(connection.sent.map(cmdSnOf)).toEqual([0, 1]);
    expect((await results[0])?.status).toBe(0);
  });

  it("takes a command that was not sent back at once", async () => {
    const connection = await open({}, 1);
    read(0);
    const second = read(0).running;
    second.abort(new CommandTimeoutError("too long"));
    await expect(second.result).rejects.toThrow("too long");
    expect(connection.sent).toHaveLength(1);
  });
});

describe("aborting a command", () => {
  it("waits until the target says that it is dead", async () => {
    const connection = await open();
    const { running } = read(512);
    const command = connection.take();
    running.abort(new CommandTimeoutError("too long"));
    const request = connection.take();
    expect(request.bhs.subarray(0, 2).toString("hex")).toBe("4281");
    expect(request.bhs.readUInt32BE(20)).toBe(tagOf(command));
    expect(request.bhs.readUInt32BE(32)).toBe(cmdSnOf(command));
    // An immediate command takes no number.
    expect(cmdSnOf(request)).toBe(cmdSnOf(command) + 1);
    connection.reply(0x22, 0x80, tagOf(request));
    await expect(running.result).rejects.toThrow(CommandTimeoutError);
    expect(connection.closed).toBe(false);
  });

  it("takes the command's own answer where that comes first", async () => {
    const connection = await open();
    const { running } = read(512);
    const command = connection.take();
    running.abort(new CommandTimeoutError("too long"));
    connection.reply(0x25, 0x81, tagOf(command), { 20: NO_TAG }, Buffer.alloc(512));
    expect((await running.result).transferred).toBe(512);
    connection.reply(0x22, 0x80, tagOf(connection.take()), { 0: Buffer.from([0x22, 0x80, 1]) });
    await turn();
    expect(connection.closed).toBe(false);
  });

  it("resets the unit where the target refuses, and gives up the session where it refuses that", async () => {
    const connection = await open();
    const first = read(512).running;
    const other = read(512).running;
    connection.sent.length = 0;
    first.abort(new CommandTimeoutError("too long"));
    connection.reply(0x22, 0x80, tagOf(connection.take()), { 0: Buffer.from([0x22, 0x80, 5]) });
    await turn();
    const reset = connection.take();
    expect(reset.bhs[1]).toBe(0x85);
    expect(reset.bhs.readBigUInt64BE(8)).toBe(LUN);
    connection.reply(0x22, 0x80, tagOf(reset));
    await expect(first.result).rejects.toThrow("too long");
    // TASK ABORTED: the others on the unit may try again.
    expect((await other.result).status).toBe(0x40);

    const third = read(512).running;
    connection.sent.length = 0;
    third.abort(new CommandTimeoutError("too long"));
    connection.reply(0x22, 0x80, tagOf(connection.take()), { 0: Buffer.from([0x22, 0x80, 255]) });
    await turn();
    connection.reply(0x22, 0x80, tagOf(connection.take()), { 0: Buffer.from([0x22, 0x80, 255]) });
    await expectLost(connection, third.result, /neither answers nor aborts/);
  });

  it("gives up a session that does not answer", async () => {
    const connection = await open();
    const { running } = read(512);
    running.abort(new CommandTimeoutError("too long"));
    clock.advance(3000);
    await expectLost(connection, running.result, /does not answer task management/);
  });

  it("tells a LUN reset that is refused from one that is not answered", async () => {
    const connection = await open();
    connection.sent.length = 0;
    const refused = session.resetLogicalUnit(LUN);
    connection.reply(0x22, 0x80, tagOf(connection.take()), { 0: Buffer.from([0x22, 0x80, 255]) });
    await expect(refused).rejects.toThrow("refused a LUN reset (response 255)");
    const unanswered = session.resetLogicalUnit(LUN);
    clock.advance(3000);
    await expect(unanswered).rejects.toThrow("was lost before it answered a LUN reset");
    await expect(session.resetLogicalUnit(LUN)).rejects.toThrow("was lost before it answered a LUN reset");
  });

  it("takes a Reject for an answer", async () => {
    const connection = await open();
    const { running } = read(512);
    connection.sent.length = 0;
    running.abort(new CommandTimeoutError("too long"));
    const refused = connection.take().bhs;
    connection.reply(0x3f, 0x80, NO_TAG, { 0: Buffer.from([0x3f, 0x80, 5]) }, refused);
    await turn();
    expect(connection.take().bhs[1]).toBe(0x85);
  });
});

describe("keepalive", () => {
  it("asks after silence, and gives up after more of it", async () => {
    const connection = await open();
    clock.advance(5000);
    expect(connection.sent).toEqual([]);
    clock.advance(5000);
    const ping = connection.take();
    expect(ping.bhs.subarray(0, 2).toString("hex")).toBe("4080");
    expect(ping.bhs.readUInt32BE(20)).toBe(NO_TAG);
    connection.reply(0x20, 0x80, tagOf(ping), { 20: NO_TAG });
    clock.advance(3000);
    expect(connection.closed).toBe(false);
    const { running } = read(512);
    clock.advance(10_000);
    await expectLost(connection, running.result, /is silent/);
  });

  it("answers the target's NOPs with their tag and LUN", async () => {
    const connection = await open();
    const lun = Buffer.from("0001000000000000", "hex");
    connection.reply(0x20, 0x80, NO_TAG, { 8: lun, 20: 99 }, undefined, { numbered: false });
    const pong = connection.take();
    expect(pong.bhs.subarray(0, 2).toString("hex")).toBe("4080");
    expect(tagOf(pong)).toBe(NO_TAG);
    expect(pong.bhs.readUInt32BE(20)).toBe(99);
    expect(pong.bhs.subarray(8, 16)).toEqual(lun);
  });

  it("does not let answers pile up", async () => {
    const connection = await open();
    connection.hold = true;
    const { running } = read(512);
    for (let count = 0; count < 1000; count++) {
      connection.reply(0x20, 0x80, NO_TAG, { 20: count }, undefined, { numbered: false });
    }
    await expectLost(connection, running.result, /floods/);
    expect(connection.sent.length).toBeLessThan(100);
  });
});

describe("the end of a session", () => {
  it("logs out after the last answer", async () => {
    const connection = await open();
    const { running } = read(0);
    const tag = tagOf(connection.take());
    const closed = session.close();
    expect(session.connected).toBe(false);
    expect(connection.sent).toEqual([]);
    connection.reply(0x21, 0x80, tag);
    await running.result;
    await turn();
    const logout = connection.take();
    expect(logout.bhs.subarray(0, 2).toString("hex")).toBe("4680");
    connection.reply(0x26, 0x80, tagOf(logout));
    await closed;
    expect(lost).toEqual([undefined]);
    await expect(read(0).running.result).rejects.toThrow(NexusLostError);
  });

  it("does not wait for a farewell without end", async () => {
    const connection = await open();
    const closed = session.close();
    await turn();
    expect(opcode(connection.take())).toBe(0x06);
    clock.advance(3000);
    await closed;
    expect(connection.closed).toBe(true);
  });

  it("goes when it is asked to, with the commands in flight done", async () => {
    const connection = await open();
    const { running } = read(0);
    const tag = tagOf(connection.take());
    connection.reply(0x32, 0x80, NO_TAG, { 36: Buffer.from([1, 0, 0, 0, 0, 0, 0, 9]) });
    const late = read(0).running;
    await expect(late.result).rejects.toMatchObject({ name: "NexusLostError", sent: false });
    connection.reply(0x21, 0x80, tag);
    expect((await running.result).status).toBe(0);
    await turn();
    expect(opcode(connection.take())).toBe(0x06);
  });

  it.each([
    [
      "a Reject of a command",
      (connection: ScriptedConnection, pdu: Pdu) =>
        connection.reply(0x3f, 0x80, NO_TAG, { 0: Buffer.from([0x3f, 0x80, 9]) }, pdu.bhs),
      /rejects/,
    ],
    [
      "the end that the target announces",
      (connection: ScriptedConnection) => connection.reply(0x32, 0x80, NO_TAG, { 36: Buffer.from([3, 0]) }),
      /drops the session/,
    ],
    [
      "a PDU of no known kind",
      (connection: ScriptedConnection) => connection.reply(0x2a, 0x80, NO_TAG),
      /unknown kind/,
    ],
    [
      "a response of the target's failure",
      (connection: ScriptedConnection, pdu: Pdu) =>
        connection.reply(0x21, 0x80, tagOf(pdu), { 0: Buffer.from([0x21, 0x80, 1]) }),
      /failed to complete/,
    ],
    [
      "a segment longer than agreed",
      (connection: ScriptedConnection, pdu: Pdu) =>
        connection.reply(0x25, 0, tagOf(pdu), { 20: NO_TAG }, Buffer.alloc(300_000)),
      /longer than agreed/,
    ],
    [
      "the end of the connection",
      (connection: ScriptedConnection) => connection.cut(new Error("reset by peer")),
      /reset by peer/,
    ],
  ])("tells commands in flight after %s", async (_name, happen, message) => {
    const connection = await open();
    const { running } = read(512);
    happen(connection, connection.take());
    await expect(running.result).rejects.toMatchObject({ sent: true });
    await expectLost(connection, running.result, message);
  });
});

describe("a hostile target", () => {
  it("neither crashes nor hangs us, whatever it sends", async () => {
    const header = fc.record({
      code: fc.constantFrom(0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x31, 0x32, 0x3f, 0x05),
      flags: fc.nat(255),
      tag: fc.constantFrom(1, 2, 3, 0, NO_TAG),
      words: fc.array(fc.tuple(fc.constantFrom(0, 8, 20, 24, 28, 32, 36, 40, 44), fc.nat(0xffffffff)), {
        maxLength: 4,
      }),
      data: fc.uint8Array({ maxLength: 64 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(header, { maxLength: 12 }), fc.uint8Array({ maxLength: 200 }), async (pdus, noise) => {
        const connection = await open();
        const commands = [read(100).running, session.start({ lun: LUN, cdb, dataOut: [Buffer.alloc(100)] })];
        for (const { code, flags, tag, words, data } of pdus) {
          const fields = Object.fromEntries(words.filter(([at]) => at !== 0));
          connection.reply(code, flags, tag, fields, Buffer.from(data));
        }
        connection.receive(Buffer.from(noise));
        session.fail(new TransportError("the test is over"));
        await Promise.allSettled(commands.map(({ result }) => result));
      }),
      { numRuns: 200 },
    );
  });
});
