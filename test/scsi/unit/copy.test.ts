// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CommandTimeoutError,
  FateUnknownError,
  ProtocolError,
  ScsiError,
  TransportError,
} from "../../../src/scsi/errors.ts";
import { defaultUnitOptions, ScsiUnit } from "../../../src/scsi/unit/unit.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { check, FakeDevice, fill, type Outcome } from "../../support/fake-nexus.ts";

const token = Buffer.alloc(512, 0x5a);
token.writeUInt32BE(0x00800000, 0);

let clock: FakeClock;
let device: FakeDevice;
let unit: ScsiUnit;

beforeEach(async () => {
  clock = new FakeClock();
  device = new FakeDevice();
  unit = await unitOn("group 1", "group 1");
});

/** A unit with two paths, to these portal groups. */
async function unitOn(first: string, second: string): Promise<ScsiUnit> {
  const made = new ScsiUnit({
    address: "iscsi://a/t/0",
    lun: 0n,
    paths: [device.path("a", first), device.path("b", second)],
    clock,
    randomBytes: (size) => Buffer.alloc(size, 0xff),
    options: defaultUnitOptions,
  });
  await made.ready();
  return made;
}

afterEach(() => unit.close());

async function turns(): Promise<void> {
  for (let count = 0; count < 20; count++) await new Promise<void>((resolve) => setImmediate(resolve));
}

interface Result {
  readonly status?: number;
  readonly count?: bigint;
  readonly units?: number;
  readonly withToken?: boolean;
  readonly delay?: number;
}

function information({ status = 1, count = 64n, units = 0xf1, withToken = true, delay = 0xfffffffe }: Result): Buffer {
  const data = Buffer.alloc(withToken ? 550 : 36);
  data.writeUInt32BE(data.length - 4, 0);
  data[4] = 0x10;
  data[5] = status;
  data.writeUInt32BE(delay, 8);
  data[15] = units;
  data.writeBigUInt64BE(count, 16);
  if (withToken) {
    data.writeUInt32BE(514, 32);
    token.copy(data, 38);
  }
  return data;
}

const PT = 0x8310;
const WUT = 0x8311;
const COA = 0x831c;
const RRTI = 0x8407;

/** Answers third-party copy commands one after the other; what is left out ends well. */
function script(answers: Partial<Record<number, readonly (Outcome | Result | undefined)[]>>): void {
  const left = new Map(Object.entries(answers).map(([code, list]) => [Number(code), [...(list ?? [])]]));
  device.answer = (cdb, command) => {
    const next = left.get((cdb[0] ?? 0) * 256 + ((cdb[1] ?? 0) & 0x1f))?.shift();
    if (next === undefined && cdb[0] === 0x84) return fill(command, information({}));
    if (next === undefined || typeof next === "string" || "senseData" in next) return next;
    return fill(command, information(next));
  };
}

const sent = () =>
  device.commands
    .filter(({ cdb }) => cdb[0] === 0x83 || cdb[0] === 0x84)
    .map(({ path, cdb }) => {
      const code = (cdb[0] ?? 0) * 256 + ((cdb[1] ?? 0) & 0x1f);
      const identifier = cdb.readUInt32BE(code === PT || code === WUT ? 6 : 2);
      return [path, code, identifier] as const;
    });

const ranges = [
  { lba: 0, blocks: 40 },
  { lba: 100, blocks: 24 },
];
const populate = () => unit.populateToken({ ranges, inactivityTimeout: 60 }, { timeout: 10_000 });
const write = (deleteToken = false) =>
  unit.writeUsingToken({ token, offsetInRod: 0, ranges, deleteToken }, { timeout: 10_000 });

describe("populateToken", () => {
  it("fetches the token with the same list identifier on the same path", async () => {
    script({});
    expect(await populate()).toEqual({ token, rodType: 0x00800000, blocks: 64 });
    expect(sent()).toEqual([
      ["a", PT, 0xffffffff],
      ["a", RRTI, 0xffffffff],
    ]);
    await populate();
    // Identifiers go round.
    expect(sent()[2]).toEqual(["a", PT, 0]);
  });

  it.each([
    ["the command says so", { [PT]: [check(0xa, 0x0d, 0x04)], [RRTI]: [{ count: 10n }] }],
    ["the result says so", { [RRTI]: [{ status: 4, count: 10n }] }],
    ["the result says so in bytes", { [RRTI]: [{ status: 3, count: 5500n, units: 0 }] }],
  ])("takes a token for less where %s", async (_name, answers) => {
    script(answers);
    expect((await populate()).blocks).toBe(10);
  });

  it.each([
    ["no token", { withToken: false }],
    ["no blocks", { count: 0n }],
    ["the end with errors", { status: 2 }],
    ["its termination", { status: 0x60 }],
  ])("fails with %s", async (_name, result) => {
    script({ [RRTI]: [result] });
    await expect(populate()).rejects.toThrow("POPULATE TOKEN");
  });

  it("does not believe in more than was asked for", async () => {
    script({ [RRTI]: [{ count: 65n }] });
    await expect(populate()).rejects.toThrow(ProtocolError);
  });

  it("tells what the array says", async () => {
    script({ [PT]: [check(5, 0x26, 0x08)] });
    await expect(populate()).rejects.toMatchObject({ sense: { key: 5, asc: 0x26, ascq: 8 } });
    expect(sent()).toHaveLength(1);
  });

  it("asks again while the operation goes on, as often as the array recommends", async () => {
    script({
      [RRTI]: [
        { status: 0x12, withToken: false, delay: 300 },
        { status: 0x10, withToken: false },
      ],
    });
    const populated = populate();
    await turns();
    clock.advance(299);
    await turns();
    expect(sent()).toHaveLength(2);
    clock.advance(1);
    await turns();
    expect(sent()).toHaveLength(3);
    clock.advance(100);
    expect((await populated).blocks).toBe(64);
  });

  it("ends an operation that goes on for too long", async () => {
    script({ [RRTI]: Array.from({ length: 100 }, () => ({ status: 0x12, withToken: false, delay: 2000 })) });
    const failed = expect(populate()).rejects.toThrow(CommandTimeoutError);
    for (let count = 0; count < 8; count++) {
      await turns();
      clock.advance(2000);
    }
    await failed;
    expect(sent().at(-1)).toEqual(["a", COA, 0xffffffff]);
  });

  it("begins anew on another path, with another identifier, where the command or its result is lost", async () => {
    for (const code of [PT, RRTI]) {
      script({ [code]: ["lost"] });
      const before = sent().length;
      expect((await populate()).blocks).toBe(64);
      const [first, ...others] = sent().slice(before);
      const populates = others.filter(([, each]) => each === PT);
      expect(populates).toHaveLength(1);
      expect(populates[0]?.[0]).not.toBe(first?.[0]);
      expect(populates[0]?.[2]).not.toBe(first?.[2]);
    }
  });

  it("takes another identifier where one is in use", async () => {
    script({ [PT]: [check(5, 0x00, 0x16)] });
    await populate();
    expect(sent().map(([, code, identifier]) => [code, identifier])).toEqual([
      [PT, 0xffffffff],
      [PT, 0],
      [RRTI, 0],
    ]);
  });
});

describe("writeUsingToken", () => {
  it("looks at the result even where all went well: it may be a short one", async () => {
    script({});
    expect(await write()).toBe(64);
    expect(sent().map(([, code]) => code)).toEqual([WUT, RRTI]);
    script({ [RRTI]: [{ status: 4, count: 12n, withToken: false }] });
    expect(await write()).toBe(12);
    // An array that keeps no result has done what it was asked to.
    script({ [RRTI]: [check(5, 0x24)] });
    expect(await write()).toBe(64);
  });

  it("takes the count of a truncated copy from the sense data, or else from the result", async () => {
    script({ [WUT]: [check(0xb, 0x0d, 0x04, 33)] });
    expect(await write()).toBe(33);
    expect(sent()).toHaveLength(1);
    script({ [WUT]: [check(0xa, 0x0d, 0x04)], [RRTI]: [{ status: 4, count: 12n, withToken: false }] });
    expect(await write()).toBe(12);
    // More than was asked for is no count.
    script({ [WUT]: [check(0xa, 0x0d, 0x04, 65)], [RRTI]: [{ status: 4, count: 12n, withToken: false }] });
    expect(await write()).toBe(12);
  });

  it.each([
    ["an invalid token", check(5, 0x23, 0x04)],
    ["an unreachable target", check(5, 0x08, 0x04)],
    ["an LBA out of range", check(5, 0x21)],
  ])("tells of %s and asks for no result", async (_name, outcome) => {
    script({ [WUT]: [outcome] });
    await expect(write()).rejects.toBeInstanceOf(ScsiError);
    expect(sent()).toHaveLength(1);
  });

  it("asks what was written after another failure", async () => {
    script({ [WUT]: [check(3, 0x0c)], [RRTI]: [{ status: 2, count: 12n, withToken: false }] });
    await expect(write()).rejects.toMatchObject({ sense: { key: 3 } });
    expect(sent()).toHaveLength(2);
  });

  it("is tried once more on another path, with another identifier", async () => {
    script({ [WUT]: ["lost"] });
    expect(await write()).toBe(64);
    const writes = sent().filter(([, code]) => code === WUT);
    expect(writes.map(([path]) => path)).toEqual(["a", "b"]);
    expect(writes[0]?.[2]).not.toBe(writes[1]?.[2]);
  });

  it("is not tried twice where the token may be gone", async () => {
    script({ [WUT]: ["lost"] });
    await expect(write(true)).rejects.toBeInstanceOf(FateUnknownError);
    expect(sent().filter(([, code]) => code === WUT)).toHaveLength(1);
  });

  it("says when it is known to be over, where both paths were lost", async () => {
    script({ [WUT]: ["lost", "lost"] });
    const error = await write().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FateUnknownError);
    // The next session ends what the old ones left behind.
    if (error instanceof FateUnknownError) await error.settled;
  });

  it("ends the command, and learns what it did, when the time is over", async () => {
    script({ [WUT]: ["silence"], [RRTI]: [{ status: 0x60, count: 0n, withToken: false }] });
    const failed = expect(write()).rejects.toThrow(CommandTimeoutError);
    await turns();
    clock.advance(10_000);
    await failed;
    expect(device.nexuses[0]?.aborted).toBe(1);
    expect(sent().map(([, code]) => code)).toEqual([WUT, RRTI]);
  });

  it("resets the unit where the array goes on copying", async () => {
    script({
      [WUT]: ["silence"],
      [RRTI]: Array.from({ length: 50 }, () => ({ status: 0x12, withToken: false, delay: 1000 })),
    });
    const failed = expect(write()).rejects.toThrow(CommandTimeoutError);
    await turns();
    clock.advance(10_000);
    for (let count = 0; count < 4; count++) {
      await turns();
      clock.advance(1000);
    }
    await failed;
    expect(sent().some(([, code]) => code === COA)).toBe(true);
    expect(device.resets).toBe(1);
  });
});

describe("a copy that goes on after it was said to be done", () => {
  const goesOn = { status: 0x11, withToken: false, delay: 1000 };

  it("is waited for", async () => {
    script({ [RRTI]: [goesOn, { status: 1, count: 64n, withToken: false }] });
    const written = write();
    await turns();
    clock.advance(1000);
    expect(await written).toBe(64);
    expect(device.resets).toBe(0);
  });

  it("is ended by a reset of the unit when the time is over", async () => {
    script({ [RRTI]: Array.from({ length: 50 }, () => goesOn) });
    const failed = expect(write()).rejects.toThrow(CommandTimeoutError);
    for (let count = 0; count < 12; count++) {
      await turns();
      clock.advance(1000);
    }
    await failed;
    expect(device.resets).toBe(1);
  });

  it("is not taken for done where the array has forgotten its result", async () => {
    script({ [RRTI]: [goesOn, check(5, 0x24)] });
    const failed = expect(write()).rejects.toBeInstanceOf(ScsiError);
    await turns();
    clock.advance(1000);
    await failed;
    expect(device.resets).toBe(1);
  });

  it("is known to be dead before it is tried on another path", async () => {
    await unit.close();
    unit = await unitOn("group 1", "group 2");
    script({ [RRTI]: [goesOn, "lost"] });
    const written = write();
    await turns();
    clock.advance(1000);
    expect(await written).toBe(64);
    expect(
      sent()
        .filter(([, code]) => code === WUT)
        .map(([path]) => path),
    ).toEqual(["a", "b"]);
    expect(device.resets).toBe(1);
  });

  it("has no known fate where no other path is left", async () => {
    script({ [RRTI]: [goesOn, "lost"] });
    const written = write().catch((reason: unknown) => reason);
    await turns();
    device.refuse = () => new TransportError("the array is off");
    for (let count = 0; count < 12; count++) {
      clock.advance(1000);
      await turns();
    }
    expect(await written).toBeInstanceOf(FateUnknownError);
    device.refuse = () => undefined;
    clock.advance(60_000);
    await turns();
  });
});

describe("a copy that was aborted", () => {
  it("has no known fate where the path is lost while the array goes on", async () => {
    script({ [WUT]: ["silence"], [RRTI]: [{ status: 0x12, withToken: false, delay: 100 }, "lost"] });
    const written = write().catch((reason: unknown) => reason);
    await turns();
    device.refuse = () => new TransportError("the array is off");
    clock.advance(10_000);
    for (let count = 0; count < 5; count++) {
      await turns();
      clock.advance(1000);
    }
    const error = await written;
    expect(error).toBeInstanceOf(FateUnknownError);
    device.refuse = () => undefined;
    clock.advance(60_000);
    await turns();
    if (error instanceof FateUnknownError) await error.settled;
  });
});

describe("copyNexus", () => {
  it("is the path in use, and no other", async () => {
    script({});
    const nexus = unit.copyNexus();
    const identifier = nexus.takeListIdentifier();
    expect(nexus.takeListIdentifier()).not.toBe(identifier);
    await nexus.populateToken(identifier, { ranges, inactivityTimeout: 0 });
    device.nexuses[0]?.lose(new Error("gone"));
    await turns();
    expect(nexus.connected).toBe(false);
    await expect(nexus.receiveRodTokenInformation(identifier)).rejects.toThrow();
    expect(sent()).toHaveLength(1);
  });
});
