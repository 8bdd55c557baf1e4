// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { SimulatedArray } from "../../../conformance/array/array.ts";
import { readCommandLine } from "../../../conformance/array/command-line.ts";
import { startControl } from "../../../conformance/array/control.ts";
import type { RuleInput } from "../../../conformance/array/faults.ts";
import { RodType } from "../../../conformance/array/odx/options.ts";
import { startArray, TestInitiator } from "./initiator.ts";

let folder: string;
let array: SimulatedArray;
let initiator: TestInitiator;
let control: (method: string, path: string, body?: object) => Promise<unknown>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tessera-array-"));
  array = await startArray({
    identity: "test",
    targets: [
      { name: "iqn.2026-01.com.example:array", luns: [{ id: "unit", file: join(folder, "unit"), size: 4 << 20 }] },
    ],
  });
  const { address } = await startControl(array, { port: 0 });
  control = async (method, path, body) => {
    const answer = await fetch(`http://${address}${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    const json: unknown = await answer.json();
    return answer.ok ? json : Promise.reject(new Error(JSON.stringify(json)));
  };
  initiator = await TestInitiator.ready(array);
});

afterEach(async () => {
  initiator.end();
  await array.close();
  rmSync(folder, { recursive: true, force: true });
});

const fault = (rule: RuleInput) => control("POST", "/faults", rule);
const testUnitReady = "000000000000";
const read = (lba = "00") => initiator.command(`8800 00000000000000${lba} 00000008 0000`, { in: 4096 });

/** POPULATE TOKEN of blocks 0 to 15. */
const populate = () =>
  initiator.command("8310 00000000 00000007 00000020 0000", {
    out: Buffer.from("001e00000000000000000000000000100000000000000000" + "0000001000000000", "hex"),
  });
const information = (allocation = "00000400") =>
  initiator.command(`8407 00000007 00000000 ${allocation} 0000`, { in: 1024 });

it("a rule meets what it names, after so many, so often", async () => {
  await fault({ command: "READ(16)", after: 1, times: 2, fault: { status: "BUSY" } });
  expect((await initiator.command(testUnitReady)).status).toBe(0);
  expect([(await read()).status, (await read()).status, (await read()).status, (await read()).status]).toEqual([
    0, 8, 8, 0,
  ]);
  await fault({ lba: 20, times: null, fault: { sense: { key: 3, code: 0x11, qualifier: 0, information: 20 } } });
  expect((await read("00")).status).toBe(0);
  expect((await read("10")).sense).toBe("3/11/00");
  expect((await read("10")).senseData.readUInt32BE(3)).toBe(20);
  await control("DELETE", "/faults");
  await fault({ fault: { status: "TASK_SET_FULL" } });
  expect([(await read()).status, (await read()).status]).toEqual([0x28, 0]);
});

it("a switch that makes no sense is refused", async () => {
  await expect(fault({ fault: { status: "OFTEN" } } as unknown as RuleInput)).rejects.toThrow(/BUSY/);
  await expect(control("POST", "/units/none", {})).rejects.toThrow(/no logical unit/);
  await expect(control("DELETE", "/faults/99")).rejects.toThrow(/no rule 99/);
});

it("a copy is cut short and told in each of the three ways", async () => {
  await fault({ command: "POPULATE TOKEN", fault: { truncate: { blocks: 4, report: "good" } } });
  expect((await populate()).status).toBe(0);
  const cut = (await information()).data;
  expect([cut.readUInt8(5), cut.readBigUInt64BE(16), cut.readBigUInt64BE(38 + 56)]).toEqual([4, 4n, 2048n]);
  await fault({ command: "POPULATE TOKEN", fault: { truncate: { blocks: 4 } } });
  const told = await populate();
  expect([told.sense, told.senseData.readUInt8(0), told.senseData.readUInt32BE(3)]).toEqual(["a/0d/04", 0xf0, 4]);
  await fault({
    command: "POPULATE TOKEN",
    fault: { truncate: { blocks: 4, report: "sense", key: "aborted-command" } },
  });
  const vague = await populate();
  expect([vague.sense, vague.senseData.readUInt8(0)]).toEqual(["b/0d/04", 0x70]);
  const { data } = await information();
  // The sense data stand before the token: 18 bytes in a field of 20.
  expect([data.readUInt8(12), data.readUInt8(13), data.readUInt8(14), data.length]).toEqual([2, 20, 18, 570]);
  expect(data.readUInt32BE(58)).toBe(RodType.POINT_IN_TIME);
});

it("a result is first in progress, then patched, cut or kept", async () => {
  await fault({ command: "POPULATE TOKEN", fault: { inProgress: { polls: 2, status: 0x11 } } });
  await populate();
  const statuses = [];
  for (let poll = 0; poll < 3; poll += 1) statuses.push((await information()).data.readUInt8(5));
  expect(statuses).toEqual([0x11, 0x11, 0x01]);
  await populate();
  await fault({
    command: "RECEIVE ROD TOKEN INFORMATION",
    fault: { patch: [{ offset: 16, bytes: "ffffffffffffffff" }], dataLength: 100 },
  });
  const hostile = (await information()).data;
  expect([hostile.length, hostile.readBigUInt64BE(16)]).toEqual([100, 0xffff_ffff_ffff_ffffn]);
  await populate();
  expect((await information("00000020")).data).toHaveLength(32);
  expect((await information()).data).toHaveLength(550);
});

it("the connection is cut before or after the command, or its digest is wrong", async () => {
  await fault({ command: "WRITE(16)", fault: { drop: "after" } });
  initiator.start("8a00 0000000000000000 00000001 0000", { out: Buffer.alloc(512, 7) });
  await initiator.untilEnd();
  initiator = await TestInitiator.ready(array);
  expect((await read()).data.readUInt8(0)).toBe(7);
  await fault({ command: "WRITE(16)", fault: { drop: "before" } });
  initiator.start("8a00 0000000000000000 00000001 0000", { out: Buffer.alloc(512, 8) });
  await initiator.untilEnd();
  initiator = await TestInitiator.ready(array);
  expect((await read()).data.readUInt8(0)).toBe(7);
});

it("a unit becomes read-only, offline, larger, bad in places, or goes away", async () => {
  const write = () => initiator.command("8a00 0000000000000000 00000001 0000", { out: Buffer.alloc(512) });
  await control("POST", "/units/unit", { readOnly: true });
  expect((await write()).sense).toBe("7/27/00");
  await control("POST", "/units/unit", { readOnly: false, mediumErrors: [3] });
  expect((await read()).sense).toBe("3/11/00");
  expect((await write()).status).toBe(0);
  await control("POST", "/units/unit", { mediumErrors: [], offline: true });
  expect((await read()).sense).toBe("2/04/12");
  await control("POST", "/units/unit", { offline: false, size: 8 << 20 });
  expect((await read()).sense).toBe("6/2a/09");
  const capacity = await initiator.command("9e10 0000000000000000 00000020 0000", { in: 32 });
  expect(capacity.data.readBigUInt64BE(0)).toBe(BigInt((8 << 20) / 512 - 1));
  await control("POST", "/units/unit", { attention: { code: 0x3f, qualifier: 0x03 } });
  expect((await read()).sense).toBe("6/3f/03");
  await control("POST", "/", { map: { target: "iqn.2026-01.com.example:array", lun: 0, unit: null } });
  expect((await read()).sense).toBe("5/25/00");
  await control("POST", "/", { map: { target: "iqn.2026-01.com.example:array", lun: 0, unit: "unit" } });
  expect((await read()).sense).toBe("6/3f/0e");
  await control("POST", "/", { accessState: { portalGroup: 1, state: "STANDBY" } });
  expect((await read()).sense).toBe("6/2a/06");
  expect((await read()).sense).toBe("2/04/0b");
  const groups = await initiator.command("a30a 00000000 00000100 0000", { in: 256 });
  expect(groups.data.toString("hex")).toBe("0000000c" + "020f00010002000100000001");
});

it("sessions are cut, and tokens expire", async () => {
  await populate();
  await control("POST", "/", { expireTokens: true });
  expect((await initiator.command("8408 0000000000000000 00000100 0000", { in: 256 })).data.toString("hex")).toBe(
    "0000000400000000",
  );
  await control("POST", "/sessions", { action: "drop" });
  await initiator.untilEnd();
  expect(await control("GET", "/")).toMatchObject({ tokens: 0, units: [{ id: "unit", blockBytes: 512 }] });
});

it("the command line makes portals, targets, units, accounts and limits", () => {
  const line = readCommandLine(
    [
      ...["--listen", "[::1]:3261,2", "--lun", "a:1M,block=4096,ro", "--target", "iqn.x:b", "--chap", "u:s:t"],
      ...[
        "--lun-number",
        "300",
        "--lun",
        "/b:10G,id=big,transfer=2K",
        "--rod-type",
        "aur,pit",
        "--max-burst-length",
        "64K",
      ],
    ],
    "host",
  );
  expect(line).toEqual({
    array: {
      identity: "host",
      portals: [{ host: "::1", port: 3261, portalGroup: 2 }],
      targets: [
        {
          name: "iqn.2026-01.com.example:array",
          luns: { 0: { file: "a", size: 1 << 20, blockBytes: 4096, readOnly: true } },
        },
        {
          name: "iqn.x:b",
          luns: { 300: { file: "/b", size: 10 * 2 ** 30, id: "big", maxTransferBlocks: 2048 } },
          chap: { accounts: [{ name: "u", secret: "s:t" }] },
        },
      ],
      iscsi: { maxBurstLength: 65_536 },
      odx: { rodTypes: [RodType.ACCESS_UPON_REFERENCE, RodType.POINT_IN_TIME] },
    },
    control: undefined,
  });
  expect(readCommandLine(["--help"], "host")).toBe("help");
  expect(() => readCommandLine([], "host")).toThrow(/no --lun/);
  expect(() => readCommandLine(["--lun", "a:1X"], "host")).not.toThrow();
  expect(() => readCommandLine(["--lun", "a,size=3"], "host")).toThrow(/unknown option size/);
});
