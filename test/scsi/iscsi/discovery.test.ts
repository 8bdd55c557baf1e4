// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { discoverTargets, readTargets } from "../../../src/scsi/iscsi/discovery.ts";
import { defaultSessionWishes } from "../../../src/scsi/iscsi/negotiation.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { acceptLogin, opcode, type ScriptedConnection, ScriptedTarget, text } from "../../support/iscsi-target.ts";

const asked = { host: "portal", port: 3260 };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function discover(answer: (connection: ScriptedConnection) => void) {
  const target = new ScriptedTarget();
  const clock = new FakeClock();
  target.accept = (connection) => acceptLogin(connection);
  const found = discoverTargets(
    {
      dial: target.dial,
      clock,
      randomBytes: (size) => Buffer.alloc(size),
      times: { keepaliveInterval: 5000, answerTimeout: 5000 },
      loginTimeout: 1000,
    },
    asked,
    { initiatorName: "iqn.2026-01.test:i", isid: Buffer.alloc(6), wishes: defaultSessionWishes },
  );
  found.catch(() => undefined);
  await turn();
  const { connection } = target;
  const question = connection.take();
  expect(opcode(question)).toBe(0x04);
  expect(question.data.toString()).toBe("SendTargets=All\0");
  answer(connection);
  await turn();
  return { found, connection, clock };
}

describe("SendTargets", () => {
  it("tells targets and portals, also in pieces, and is followed by a logout", async () => {
    const whole = Buffer.concat([
      text({ TargetName: "iqn.2026-01.test:a" }),
      text({ TargetAddress: "192.0.2.1:3260,1" }),
      text({ TargetAddress: "[2001:db8::1]:3260,2" }),
      text({ TargetName: "iqn.2026-01.test:b" }),
    ]);
    const { found, connection } = await discover((target) => {
      target.reply(0x24, 0x40, 1, { 20: 7 }, whole.subarray(0, 30));
      const more = target.take();
      expect(more.bhs.readUInt32BE(20)).toBe(7);
      target.reply(0x24, 0x80, 1, { 20: 0xffffffff }, whole.subarray(30));
    });
    expect(await found).toEqual([
      {
        name: "iqn.2026-01.test:a",
        portals: [
          { host: "192.0.2.1", port: 3260, portalGroupTag: 1 },
          { host: "2001:db8::1", port: 3260, portalGroupTag: 2 },
        ],
      },
      { name: "iqn.2026-01.test:b", portals: [asked] },
    ]);
    expect(opcode(connection.take())).toBe(0x06);
  });

  it.each([
    [
      "breaks off",
      (target: ScriptedConnection) => target.reply(0x24, 0, 1, { 20: 0xffffffff }, text({ a: "b" })),
      /breaks off/,
    ],
    ["says nothing without end", (target: ScriptedConnection) => target.reply(0x24, 0, 1, { 20: 3 }), /breaks off/],
    ["is something else", (target: ScriptedConnection) => target.reply(0x21, 0x80, 1), /does not answer SendTargets/],
  ])("fails where the answer %s", async (_name, answer, message) => {
    const { found, connection } = await discover(answer);
    await expect(found).rejects.toThrow(message);
    expect(connection.closed).toBe(true);
  });

  it("is not waited for without end", async () => {
    const { found, clock } = await discover(() => undefined);
    clock.advance(1000);
    await expect(found).rejects.toThrow("does not answer SendTargets");
  });

  it("has to bound what it keeps", async () => {
    const { found } = await discover((target) => {
      const chunk = Buffer.alloc(200_000, "x");
      for (let count = 0; count < 50; count++) target.reply(0x24, 0, 1, { 20: 3 }, chunk);
    });
    await expect(found).rejects.toThrow("too many targets");
  });
});

describe("readTargets", () => {
  it("takes no address without a target, and none that is none", () => {
    expect(() => readTargets([["TargetAddress", "a"]], asked)).toThrow("TargetAddress");
    const pairs = [["TargetName", "x"] as const, ["TargetAddress", "a:b:c"] as const];
    expect(() => readTargets(pairs, asked)).toThrow("TargetAddress");
  });
});
