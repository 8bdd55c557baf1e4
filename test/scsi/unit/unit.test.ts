// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CommandTimeoutError,
  FateUnknownError,
  ScsiError,
  ScsiStatus,
  TransportError,
} from "../../../src/scsi/errors.ts";
import type { LogicalUnitEvent } from "../../../src/scsi/logical-unit.ts";
import { defaultUnitOptions, ScsiUnit, type UnitOptions } from "../../../src/scsi/unit/unit.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { check, FakeDevice, good, type Outcome, status } from "../../support/fake-nexus.ts";

const READ = 0x88;
const WRITE = 0x8a;

let clock: FakeClock;
let device: FakeDevice;
let units: ScsiUnit[];
let events: LogicalUnitEvent[];

beforeEach(() => {
  clock = new FakeClock();
  device = new FakeDevice();
  units = [];
  events = [];
});

afterEach(async () => {
  for (const unit of units) await unit.close();
});

/** Lets everything happen that needs no time. */
async function turns(): Promise<void> {
  for (let count = 0; count < 20; count++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Paths `a` and `b` of one portal group, `c` of another. */
function openUnit(options: Partial<UnitOptions> = {}, portals = ["a", "b"]): ScsiUnit {
  const unit = new ScsiUnit({
    address: "iscsi://a/t/0",
    lun: 0n,
    paths: portals.map((portal) => device.path(portal, portal === "c" ? "group 2" : "group 1")),
    clock,
    randomBytes: (size) => Buffer.alloc(size),
    options: { ...defaultUnitOptions, ...options },
  });
  unit.listen((event) => events.push(event));
  units.push(unit);
  return unit;
}

/** The first commands of a kind end so, the others well. */
function outcomes(opcode: number, ...list: readonly Outcome[]): void {
  const left = [...list];
  device.answer = (cdb) => (cdb[0] === opcode ? left.shift() : undefined);
}

describe("a unit", () => {
  it("is described once a path is there", async () => {
    const unit = openUnit();
    expect(unit.state).toBe("connecting");
    const description = await unit.ready();
    expect(description).toMatchObject({
      identity: { name: "naa.6000000000000001", vendor: "TEST", product: "DEVICE" },
      capacity: { blocks: 2048, blockSize: 512 },
      readOnly: false,
      thirdPartyCopy: { limits: { maximumRanges: 8 } },
    });
    expect(unit.state).toBe("online");
    expect(events.map(({ kind }) => kind)).toEqual(["online"]);
  });

  it("is missing while no path works, and is found again", async () => {
    device.refuse = (path) => new TransportError(`${path} is off`);
    const unit = openUnit();
    const ready = unit.ready({ timeout: 60_000 });
    await turns();
    expect(unit.state).toBe("missing");
    expect(events).toMatchObject([{ kind: "missing", reason: { message: "b is off" } }]);
    device.refuse = () => undefined;
    clock.advance(1000);
    expect((await ready).capacity.blocks).toBe(2048);
  });

  it("says why it is missing", async () => {
    device.refuse = () => new TransportError("the array is off");
    const ready = openUnit().ready({ timeout: 5000 });
    ready.catch(() => undefined);
    await turns();
    clock.advance(5000);
    await expect(ready).rejects.toThrow("iscsi://a/t/0 cannot be reached: the array is off");
  });

  it("asks with growing pauses", async () => {
    let tries = 0;
    device.refuse = () => {
      tries++;
      return new TransportError("off");
    };
    openUnit({}, ["a"]);
    await turns();
    const seen = [tries];
    for (const pause of [999, 1, 1999, 1, 4000, 8000, 16_000, 30_000, 30_000]) {
      clock.advance(pause);
      await turns();
      seen.push(tries);
    }
    expect(seen).toEqual([1, 1, 2, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("takes the optimized path, and another one where there is none", async () => {
    device.accessStates.set("a", 1).set("b", 0);
    const unit = openUnit();
    await unit.ready();
    await unit.read(0, [Buffer.alloc(512)]);
    expect(device.sent(READ)[0]?.path).toBe("b");
    device.accessStates.set("a", 2).set("b", 1);
    const other = openUnit();
    await other.ready();
    await other.read(0, [Buffer.alloc(512)]);
    expect(device.sent(READ)[1]?.path).toBe("b");
  });

  it("does not take another unit for its own", async () => {
    const unit = openUnit();
    await unit.ready();
    device.name = "6000000000000002";
    device.nexuses[0]?.lose(new TransportError("gone"));
    await turns();
    expect(unit.state).toBe("missing");
    expect(events.at(-1)).toMatchObject({
      kind: "missing",
      reason: { message: expect.stringMatching(/leads to another unit/) },
    });
  });

  it("tells of resets and changes, once it is in use", async () => {
    const unit = openUnit();
    await unit.ready();
    device.blocks = 4096;
    outcomes(READ, check(6, 0x2a, 0x09), check(6, 0x29, 0x00));
    await unit.read(0, [Buffer.alloc(512)]);
    await turns();
    expect(events.map(({ kind }) => kind)).toEqual(["online", "reset", "changed"]);
    expect(unit.description?.capacity.blocks).toBe(4096);
  });

  it("notices write protection", async () => {
    const unit = openUnit();
    await unit.ready();
    device.readOnly = true;
    outcomes(WRITE, check(7, 0x27));
    await expect(unit.write(0, [Buffer.alloc(512)])).rejects.toMatchObject({ sense: { key: 7, asc: 0x27 } });
    await turns();
    expect(unit.description?.readOnly).toBe(true);
  });

  it("ends with everything that waits for it", async () => {
    device.refuse = () => new TransportError("off");
    const unit = openUnit();
    const read = unit.read(0, [Buffer.alloc(512)]).catch((error: unknown) => error);
    const ready = unit.ready().catch((error: unknown) => error);
    await turns();
    await unit.close();
    expect(await ready).toBeInstanceOf(TransportError);
    expect(await read).toBeInstanceOf(TransportError);
    clock.advance(100_000);
    await turns();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("transfers", () => {
  it("are split as the options say, with buffers cut where they have to be", async () => {
    const unit = openUnit({ maximumRead: 1536, maximumWrite: 1024 });
    await unit.ready();
    const data = Buffer.from(Array.from({ length: 2560 }, (_, index) => index % 253));
    await unit.write(7, [data.subarray(0, 100), data.subarray(100)]);
    const sent = device.sent(WRITE);
    expect(sent.map(({ cdb }) => [cdb.readUInt32BE(6), cdb.readUInt32BE(10)])).toEqual([
      [7, 2],
      [9, 2],
      [11, 1],
    ]);
    expect(Buffer.concat(sent.map(({ dataOut }) => dataOut))).toEqual(data);
    await unit.read(7, [Buffer.alloc(2560)]);
    expect(device.sent(READ).map(({ cdb }) => [cdb.readUInt32BE(6), cdb.readUInt32BE(10)])).toEqual([
      [7, 3],
      [10, 2],
    ]);
  });

  it("are whole blocks", async () => {
    const unit = openUnit();
    await unit.ready();
    await expect(unit.read(0, [Buffer.alloc(100)])).rejects.toThrow(RangeError);
    await unit.read(0, []);
    expect(device.sent(READ)).toEqual([]);
  });

  it("fail where not everything was moved, GOOD or not", async () => {
    const unit = openUnit();
    await unit.ready();
    outcomes(READ, good(511));
    await expect(unit.read(0, [Buffer.alloc(512)])).rejects.toThrow("moved 511 of 512 bytes");
  });

  it("are not more at a time than the options say", async () => {
    const unit = openUnit({ maximumCommands: 2 });
    await unit.ready();
    device.answer = (cdb) => (cdb[0] === READ ? "silence" : undefined);
    const reads = [0, 1, 2].map((lba) => unit.read(lba, [Buffer.alloc(512)], { timeout: 1000 }));
    const settled = Promise.allSettled(reads);
    await turns();
    expect(device.sent(READ)).toHaveLength(2);
    clock.advance(1000);
    expect((await settled).every((each) => each.status === "rejected")).toBe(true);
  });
});

describe("a command", () => {
  it.each([
    ["unit attentions", Array.from({ length: 10 }, () => check(6, 0x29))],
    ["BUSY", [status(ScsiStatus.BUSY), status(ScsiStatus.BUSY)]],
    ["TASK SET FULL", [status(ScsiStatus.TASK_SET_FULL)]],
    ["the unit becoming ready", [check(2, 0x04, 0x01)]],
    ["ABORTED COMMAND", [check(0xb, 0x47)]],
    ["TASK ABORTED", [status(ScsiStatus.TASK_ABORTED)]],
  ])("goes on after %s", async (_name, list) => {
    const unit = openUnit();
    await unit.ready();
    outcomes(READ, ...list);
    const read = unit.read(0, [Buffer.alloc(512)]);
    for (let tries = 0; tries < 5; tries++) {
      await turns();
      clock.advance(500);
    }
    await read;
    expect(device.sent(READ)).toHaveLength(list.length + 1);
  });

  it.each([
    ["unit attentions", check(6, 0x29)],
    ["BUSY", status(ScsiStatus.BUSY)],
    ["ABORTED COMMAND", check(0xb, 0x47)],
  ])("does not go on after %s without end", async (_name, outcome) => {
    const unit = openUnit({ commandTimeout: 1_000_000 });
    await unit.ready();
    device.answer = (cdb) => (cdb[0] === READ ? outcome : undefined);
    const read = unit.read(0, [Buffer.alloc(512)]);
    const failed = expect(read).rejects.toThrow(ScsiError);
    for (let tries = 0; tries < 30; tries++) {
      await turns();
      clock.advance(1000);
    }
    await failed;
    expect(device.sent(READ).length).toBeLessThan(30);
  });

  it("ends when its time is over, dead", async () => {
    const unit = openUnit();
    await unit.ready();
    outcomes(WRITE, "silence");
    const write = unit.write(0, [Buffer.alloc(512)], { timeout: 2000 });
    const failed = expect(write).rejects.toThrow(CommandTimeoutError);
    await turns();
    clock.advance(2000);
    await failed;
    expect(device.nexuses[0]?.aborted).toBe(1);
  });

  it("ends when the caller wants it to, and does not begin after that", async () => {
    const unit = openUnit();
    await unit.ready();
    outcomes(READ, "silence");
    const controller = new AbortController();
    const read = unit.read(0, [Buffer.alloc(512)], { signal: controller.signal });
    const failed = expect(read).rejects.toThrow("enough");
    await turns();
    controller.abort(new Error("enough"));
    await failed;
    await expect(unit.read(0, [Buffer.alloc(512)], { signal: controller.signal })).rejects.toThrow("enough");
    expect(device.sent(READ)).toHaveLength(1);
  });

  it("waits for a path until its time is over", async () => {
    const unit = openUnit();
    await unit.ready();
    device.refuse = () => new TransportError("the array is off");
    device.nexuses[0]?.lose(new TransportError("gone"));
    const read = unit.read(0, [Buffer.alloc(512)], { timeout: 3000 });
    const failed = expect(read).rejects.toThrow("cannot be reached: the array is off");
    await turns();
    clock.advance(3000);
    await failed;
  });
});

describe("a lost path", () => {
  it("has its commands tried once more, without a reset in the same portal group", async () => {
    const unit = openUnit();
    await unit.ready();
    outcomes(WRITE, "lost");
    await unit.write(0, [Buffer.alloc(512)]);
    expect(device.sent(WRITE).map(({ path }) => path)).toEqual(["a", "b"]);
    expect(device.resets).toBe(0);
  });

  it("is followed by a reset in another portal group, before anything else is sent", async () => {
    const unit = openUnit({}, ["a", "c"]);
    await unit.ready();
    const before = device.commands.length;
    let resetsAtRetry = -1;
    let lost = false;
    device.answer = (cdb) => {
      if (cdb[0] !== WRITE) return undefined;
      if (lost) {
        resetsAtRetry = device.resets;
        return undefined;
      }
      lost = true;
      return "lost";
    };
    await unit.write(0, [Buffer.alloc(512)]);
    expect(resetsAtRetry).toBe(1);
    expect(device.commands.slice(before + 1).every(({ path }) => path === "c")).toBe(true);
  });

  it("needs no reset where it only read", async () => {
    const unit = openUnit({}, ["a", "c"]);
    await unit.ready();
    outcomes(READ, "lost");
    await unit.read(0, [Buffer.alloc(512)]);
    expect(device.resets).toBe(0);
  });

  it("is not replaced by one on which old commands cannot be killed", async () => {
    const unit = openUnit({}, ["a", "c"]);
    await unit.ready();
    device.resetWorks = false;
    device.refuse = (path) => (path === "a" ? new TransportError("a is off") : undefined);
    outcomes(WRITE, "lost");
    const write = unit.write(0, [Buffer.alloc(512)], { timeout: 5000 }).catch((error: unknown) => error);
    await turns();
    clock.advance(5000);
    const error = await write;
    expect(error).toBeInstanceOf(FateUnknownError);
    let settled = false;
    const markSettled = () => {
      settled = true;
    };
    if (error instanceof FateUnknownError) void error.settled.then(markSettled);
    await turns();
    expect(settled).toBe(false);
    // The old path is back: a new session on it ends what the old one left behind.
    device.refuse = () => undefined;
    clock.advance(60_000);
    await turns();
    expect(settled).toBe(true);
    await unit.read(0, [Buffer.alloc(512)]);
  });

  it("fails the command that loses the second one, too", async () => {
    const unit = openUnit();
    await unit.ready();
    device.answer = (cdb) => (cdb[0] === WRITE ? "lost" : undefined);
    await expect(unit.write(0, [Buffer.alloc(512)])).rejects.toBeInstanceOf(FateUnknownError);
    expect(device.sent(WRITE)).toHaveLength(2);
  });

  it("is left when it goes into standby", async () => {
    const unit = openUnit();
    await unit.ready();
    outcomes(READ, check(2, 0x04, 0x0b));
    const read = unit.read(0, [Buffer.alloc(512)]);
    await turns();
    clock.advance(500);
    await read;
    expect(device.sent(READ).map(({ path }) => path)).toEqual(["a", "b"]);
  });
});

describe("zeros", () => {
  it("are written with WRITE SAME, in steps", async () => {
    const unit = openUnit();
    await unit.ready();
    await unit.writeZeros({ lba: 10, blocks: 70_000 }, true);
    expect(device.sent(0x93).map(({ cdb }) => [cdb[1], cdb.readUInt32BE(6), cdb.readUInt32BE(10)])).toEqual([
      [0, 10, 65536],
      [0, 65546, 4464],
    ]);
  });

  it("are written as data where the unit does not know it", async () => {
    const unit = openUnit({ maximumRead: 1536, maximumWrite: 1024 });
    await unit.ready();
    outcomes(0x93, check(5, 0x20));
    await unit.writeZeros({ lba: 10, blocks: 5 }, false);
    await unit.writeZeros({ lba: 20, blocks: 1 }, false);
    expect(device.sent(0x93)).toHaveLength(1);
    const written = device.sent(WRITE).map(({ cdb, dataOut }) => [cdb.readUInt32BE(6), dataOut.length]);
    expect(written).toEqual([
      [10, 1024],
      [12, 1024],
      [14, 512],
      [20, 512],
    ]);
  });
});
