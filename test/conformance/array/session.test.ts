// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SimulatedArray } from "../../../conformance/array/array.ts";
import type { ArrayConfig } from "../../../conformance/array/config.ts";
import { chapResponse } from "../../../conformance/array/iscsi/chap.ts";
import { startArray, TestInitiator } from "./initiator.ts";

const name = "iqn.2026-01.com.example:array";

let folder: string;
let array: SimulatedArray;
let initiators: TestInitiator[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tessera-array-"));
  initiators = [];
});

afterEach(async () => {
  for (const initiator of initiators) initiator.end();
  await array.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(change: Partial<ArrayConfig> = {}, chap?: ArrayConfig["targets"][number]["chap"]): Promise<void> {
  array = await startArray({
    identity: "test",
    targets: [
      {
        name,
        luns: [
          { id: "first", file: join(folder, "first"), size: 4 * 1024 * 1024 },
          { id: "native", file: join(folder, "native"), size: 4 * 1024 * 1024, blockBytes: 4096 },
        ],
        ...(chap === undefined ? {} : { chap }),
      },
    ],
    ...change,
  });
}

function keep(initiator: TestInitiator): TestInitiator {
  initiators.push(initiator);
  return initiator;
}

const ready = async (options = {}) => keep(await TestInitiator.ready(array, options));

const testUnitReady = "000000000000";

describe("a login", () => {
  const normal = { InitiatorName: "iqn.2026-01.com.example:test", SessionType: "Normal", TargetName: name };

  it("tells the portal group and gets a session", async () => {
    await start();
    const initiator = keep(await TestInitiator.connect(array));
    const reply = await initiator.loginRequest(1, 3, normal);
    expect(reply.status).toBe(0);
    expect(reply.keys["TargetPortalGroupTag"]).toBe("1");
    expect(reply.header.readUInt8(1)).toBe(0x87);
    expect(reply.header.readUInt16BE(14)).toBeGreaterThan(0);
  });

  it("is refused for what is missing or not there", async () => {
    await start();
    const status = async (keys: Record<string, string>) =>
      (await keep(await TestInitiator.connect(array)).loginRequest(1, 3, keys)).status;
    expect(await status({ TargetName: name })).toBe(0x0207);
    expect(await status({ InitiatorName: "iqn.x:i" })).toBe(0x0207);
    expect(await status({ ...normal, TargetName: "iqn.x:none" })).toBe(0x0203);
    expect(await status({ ...normal, SessionType: "Other" })).toBe(0x0209);
  });

  it("that breaks off, or is none, is cut", async () => {
    await start();
    const initiator = keep(await TestInitiator.connect(array));
    initiator.start(testUnitReady);
    await initiator.untilEnd();
    expect(array.sessions.list()).toEqual([]);
  });

  it("with the same ISID ends the earlier session", async () => {
    await start();
    const first = await ready({ isid: 4 });
    const second = keep(await TestInitiator.login(array, { isid: 4 }));
    await first.untilEnd();
    expect((await second.command(testUnitReady)).sense).toBe("6/29/07");
    expect((await second.command(testUnitReady)).status).toBe(0);
    const other = keep(await TestInitiator.login(array, { isid: 5 }));
    expect((await other.command(testUnitReady)).sense).toBe("6/29/00");
    expect(array.sessions.list()).toHaveLength(2);
  });

  it("proves itself with CHAP, and so does the target", async () => {
    const chap = {
      accounts: [{ name: "alice", secret: "secret of alice" }],
      mutual: { name: "array", secret: "other" },
    };
    await start({}, chap);
    const direct = keep(await TestInitiator.connect(array));
    expect((await direct.loginRequest(1, 3, normal)).status).toBe(0x0201);
    const without = keep(await TestInitiator.connect(array));
    expect((await without.loginRequest(0, 1, { ...normal, AuthMethod: "None" })).status).toBe(0x0201);
    const login = async (secret: string, reflect = false) => {
      const initiator = keep(await TestInitiator.connect(array));
      await initiator.loginRequest(0, 1, { ...normal, AuthMethod: "CHAP,None" });
      const asked = await initiator.loginRequest(0, 1, { CHAP_A: "5" });
      const challenge = Buffer.from(asked.keys["CHAP_C"]?.slice(2) ?? "", "hex");
      const proof = chapResponse("md5", Number(asked.keys["CHAP_I"]), secret, challenge);
      return initiator.loginRequest(0, 1, {
        CHAP_N: "alice",
        CHAP_R: `0x${proof.toString("hex")}`,
        CHAP_I: "7",
        CHAP_C: reflect ? (asked.keys["CHAP_C"] ?? "") : "0x0102030405",
      });
    };
    const proved = await login("secret of alice");
    expect(proved.status).toBe(0);
    expect(proved.keys["CHAP_N"]).toBe("array");
    const expected = chapResponse("md5", 7, "other", Buffer.from("0102030405", "hex"));
    expect(proved.keys["CHAP_R"]).toBe(`0x${expected.toString("hex")}`);
    expect((await login("wrong")).status).toBe(0x0201);
    expect((await login("secret of alice", true)).status).toBe(0x0201);
  });

  it("for discovery lists targets and portals, and runs no commands", async () => {
    await start({ portals: [{ port: 0 }, { port: 0, portalGroup: 2 }] });
    const initiator = keep(await TestInitiator.connect(array));
    await initiator.loginRequest(1, 3, { InitiatorName: "iqn.x:i", SessionType: "Discovery" });
    initiator.send(initiator.request(0x04, 0x80), Buffer.from("SendTargets=All\0"));
    const { data } = await initiator.receive();
    const [one, two] = array.portals;
    expect(data.toString()).toBe(
      `TargetName=${name}\0TargetAddress=${one?.address},1\0TargetAddress=${two?.address},2\0`,
    );
    initiator.start(testUnitReady);
    const reject = await initiator.receive();
    expect([reject.header.readUInt8(0), reject.header.readUInt8(2)]).toEqual([0x3f, 0x05]);
  });
});

describe("data", () => {
  const data = Buffer.from(Array.from({ length: 512 * 1024 }, (_, index) => (index >> 8) ^ index));

  it.each([
    ["unsolicited", {}, {}],
    ["solicited", { initialR2T: true, immediateData: false }, {}],
    ["in small bursts", { maxBurstLength: 8192, firstBurstLength: 4096, maxRecvDataSegmentLength: 2048 }, {}],
    ["with digests", {}, { HeaderDigest: "CRC32C", DataDigest: "CRC32C", MaxRecvDataSegmentLength: "5000" }],
  ])("arrives and comes back %s", async (_title, iscsi, keys) => {
    await start({ iscsi });
    const initiator = await ready({
      keys: { ImmediateData: "Yes", FirstBurstLength: "4096", MaxBurstLength: "65536", ...keys },
    });
    initiator.firstBurst = 4096;
    const written = await initiator.command("8a00 0000000000000010 00000400 0000", { out: data });
    expect(written.status).toBe(0);
    const most = Math.min(65_536, "maxBurstLength" in iscsi ? (iscsi.maxBurstLength ?? 0) : 65_536);
    expect(written.r2ts.length).toBeGreaterThan(0);
    for (const { length } of written.r2ts) expect(length).toBeLessThanOrEqual(most);
    const back = await initiator.command("8800 0000000000000010 00000400 0000", { in: data.length });
    expect(back.data.equals(data)).toBe(true);
    expect((await initiator.command("8800 0000000000000002 00000080 0000", { in: data.length, lun: 1 })).residual).toBe(
      0,
    );
  });

  it("of another length than expected is told as residual", async () => {
    await start();
    const initiator = await ready();
    const more = await initiator.command("8800 0000000000000000 00000002 0000", { in: 512 });
    expect([more.data.length, more.residual, more.status]).toEqual([512, 512, 0]);
    const less = await initiator.command("8800 0000000000000000 00000002 0000", { in: 4096 });
    expect([less.data.length, less.residual]).toEqual([1024, 3072]);
  });

  it("unmapped reads as zeros, is told as deallocated and takes no space", async () => {
    await start();
    const initiator = await ready();
    await initiator.command("8a00 0000000000000000 00000400 0000", { out: data });
    const { blocks } = statSync(join(folder, "first"));
    const list = Buffer.from("001600100000000000000000000000080000020000000000", "hex");
    expect((await initiator.command("42000000000000001800", { out: list })).status).toBe(0);
    const after = (await initiator.command("8800 0000000000000000 00000400 0000", { in: data.length })).data;
    expect(after.subarray(0, 4096).equals(data.subarray(0, 4096))).toBe(true);
    expect(after.subarray(4096, 4096 + 512 * 512).every((byte) => byte === 0)).toBe(true);
    expect(after.subarray(4096 + 512 * 512).equals(data.subarray(4096 + 512 * 512))).toBe(true);
    if (statSync(join(folder, "first")).blocks === blocks) return;
    const status = await initiator.command("9e12 0000000000000008 00000018 0000", { in: 24 });
    expect(status.data.toString("hex")).toBe("00000014000000000000000000000008" + "0000020001000000");
  });
});

describe("commands", () => {
  it("outside of the window or out of their turn are not run twice, and wait for each other", async () => {
    await start({ iscsi: { queueDepth: 4 } });
    const initiator = await ready();
    const first = initiator.cmdSN;
    initiator.cmdSN = first + 1;
    const second = initiator.start(testUnitReady);
    initiator.cmdSN = first + 50;
    initiator.start(testUnitReady);
    initiator.cmdSN = first - 1;
    initiator.start(testUnitReady);
    initiator.cmdSN = first;
    const late = initiator.start(testUnitReady);
    const order = [await initiator.receive(), await initiator.receive()];
    expect(order.map(({ header }) => header.readUInt32BE(16))).toEqual([late, second]);
    const { header } = order[1] ?? { header: Buffer.alloc(48) };
    expect(header.readUInt32BE(28)).toBe(first + 2);
    expect(header.readUInt32BE(32)).toBe(first + 5);
  });

  it("hang, are aborted alone, and give their place in the window back", async () => {
    await start({ iscsi: { queueDepth: 2 } });
    const initiator = await ready();
    array.faults.add({ command: "READ(16)", fault: { silence: "before" } });
    const hanging = initiator.start("8800 0000000000000000 00000001 0000", { in: 512 });
    const abort = initiator.request(0x42, 0x81);
    abort.writeUInt32BE(hanging, 20);
    initiator.send(abort);
    const { header } = await initiator.receive();
    expect([header.readUInt8(0), header.readUInt8(2)]).toEqual([0x22, 0]);
    for (let again = 0; again < 4; again += 1) expect((await initiator.command(testUnitReady)).status).toBe(0);
    const unknown = initiator.request(0x42, 0x81);
    unknown.writeUInt32BE(4711, 20);
    unknown.writeUInt32BE(1, 32);
    initiator.send(unknown);
    expect((await initiator.receive()).header.readUInt8(2)).toBe(1);
  });

  it("end with a reset of their unit, which all initiators learn", async () => {
    await start();
    const one = await ready({ isid: 1 });
    const other = await ready({ isid: 2 });
    array.faults.add({ fault: { silence: "after" } });
    other.start("8800 0000000000000000 00000001 0000", { in: 512 });
    one.send(one.request(0x42, 0x85));
    expect((await one.receive()).header.readUInt8(2)).toBe(0);
    expect((await other.command(testUnitReady)).sense).toBe("6/29/03");
    expect((await one.command(testUnitReady)).sense).toBe("6/29/03");
    expect((await one.command(testUnitReady, { lun: 1 })).status).toBe(0);
    const missing = one.request(0x42, 0x85, 9);
    one.send(missing);
    expect((await one.receive()).header.readUInt8(2)).toBe(2);
  });

  it("that are ordered wait for those before them", async () => {
    await start();
    const initiator = await ready();
    array.faults.add({ command: "READ(16)", fault: { silence: "before" } });
    const hanging = initiator.start("8800 0000000000000000 00000001 0000", { in: 512 });
    const ordered = initiator.start(testUnitReady, { attribute: 2 });
    const simple = initiator.start(testUnitReady);
    const head = initiator.start(testUnitReady, { attribute: 3 });
    const order = [(await initiator.receive()).header.readUInt32BE(16)];
    const abort = initiator.request(0x42, 0x81);
    abort.writeUInt32BE(hanging, 20);
    initiator.send(abort);
    while (order.length < 4) order.push((await initiator.receive()).header.readUInt32BE(16));
    expect(order).toEqual([head, abort.readUInt32BE(16), ordered, simple]);
  });

  it("for numbers without a unit are refused, INQUIRY and REPORT LUNS answered", async () => {
    await start();
    const initiator = await ready();
    expect((await initiator.command(testUnitReady, { lun: 9 })).sense).toBe("5/25/00");
    expect((await initiator.command("120000002400", { in: 36, lun: 9 })).data.readUInt8(0)).toBe(0x7f);
    const luns = await initiator.command("a000000000000000040000 00", { in: 1024 });
    expect(luns.data.toString("hex")).toBe("0000001000000000" + "0000000000000000" + "0001000000000000");
    expect((await initiator.command("ff0000000000")).sense).toBe("5/20/00");
    expect((await initiator.command("9e1f0000000000000000000000000000")).sense).toBe("5/24/00");
  });
});

describe("NOP, logout and rejects", () => {
  it("answers pings with their data, sends its own, says goodbye", async () => {
    await start();
    const initiator = await ready();
    initiator.send(initiator.request(0x00, 0x80), Buffer.from("ping"));
    const pong = await initiator.receive();
    expect([pong.header.readUInt8(0), pong.data.toString()]).toEqual([0x20, "ping"]);
    array.sessions.list()[0]?.connection.ping();
    const asked = await initiator.receive();
    expect(asked.header.readUInt32BE(16)).toBe(0xffffffff);
    expect(asked.header.readUInt32BE(20)).not.toBe(0xffffffff);
    initiator.send(initiator.request(0x10, 0x80));
    // A SNACK does not take a command number.
    initiator.cmdSN -= 1;
    const snack = await initiator.receive();
    expect([snack.header.readUInt8(0), snack.header.readUInt8(2)]).toEqual([0x3f, 0x03]);
    array.sessions.list()[0]?.connection.announce(1, [0, 0, 3]);
    expect((await initiator.receive()).header.readUInt8(36)).toBe(1);
    initiator.send(initiator.request(0x06, 0x80));
    expect((await initiator.receive()).header.readUInt8(0)).toBe(0x26);
    await initiator.untilEnd();
    expect(array.sessions.list()).toEqual([]);
  });
});
