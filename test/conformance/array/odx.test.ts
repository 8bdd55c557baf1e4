// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SimulatedArray } from "../../../conformance/array/array.ts";
import { systemClock } from "../../../conformance/array/clock.ts";
import type { ArrayConfig } from "../../../conformance/array/config.ts";
import { RodType } from "../../../conformance/array/odx/options.ts";
import { startArray, TestInitiator } from "./initiator.ts";

const blockBytes = 512;
const mebibyte = 1024 * 1024;

let folder: string;
let arrays: SimulatedArray[];
let initiators: TestInitiator[];
let now: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tessera-array-"));
  arrays = [];
  initiators = [];
  now = 1000;
});

afterEach(async () => {
  for (const initiator of initiators) initiator.end();
  for (const array of arrays) await array.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(
  odx: ArrayConfig["odx"] = {},
  name = "a",
  change: Partial<ArrayConfig> = {},
): Promise<SimulatedArray> {
  const array = await startArray({
    identity: name,
    targets: [
      {
        name: "iqn.2026-01.com.example:array",
        luns: [
          { id: "first", file: join(folder, `${name}0`), size: 16 * mebibyte },
          { id: "second", file: join(folder, `${name}1`), size: 16 * mebibyte },
        ],
      },
    ],
    odx,
    clock: { now: () => now, delay: systemClock.delay },
    ...change,
  });
  arrays.push(array);
  return array;
}

async function ready(array: SimulatedArray, isid = 1): Promise<TestInitiator> {
  const initiator = await TestInitiator.ready(array, { isid });
  initiators.push(initiator);
  return initiator;
}

const hex = (value: number, bytes: number) => value.toString(16).padStart(bytes * 2, "0");

type Range = readonly [lba: number, blocks: number];

function ranges(list: readonly Range[]): string {
  return list.map(([lba, blocks]) => `${hex(lba, 8)}${hex(blocks, 4)}00000000`).join("");
}

interface PopulateOptions {
  readonly immediate?: boolean;
  readonly timeout?: number;
  readonly rodType?: number;
  readonly lid?: number;
  readonly lun?: number;
}

function populate(initiator: TestInitiator, list: readonly Range[], options: PopulateOptions = {}) {
  const flags = (options.immediate === true ? 1 : 0) | (options.rodType === undefined ? 0 : 2);
  const out = Buffer.from(
    `${hex(14 + 16 * list.length, 2)}${hex(flags, 1)}00${hex(options.timeout ?? 0, 4)}${hex(options.rodType ?? 0, 4)}0000` +
      `${hex(16 * list.length, 2)}${ranges(list)}`,
    "hex",
  );
  return initiator.command(`8310 00000000 ${hex(options.lid ?? 7, 4)} ${hex(out.length, 4)} 0000`, {
    out,
    lun: options.lun ?? 0,
  });
}

function information(initiator: TestInitiator, lid = 7, lun = 0) {
  return initiator.command(`8407 ${hex(lid, 4)} 00000000 00000400 0000`, { in: 1024, lun });
}

interface WriteOptions {
  readonly offset?: number;
  readonly immediate?: boolean;
  readonly deleteToken?: boolean;
  readonly lid?: number;
  readonly lun?: number;
}

function writeUsing(initiator: TestInitiator, token: Buffer, list: readonly Range[], options: WriteOptions = {}) {
  const flags = (options.immediate === true ? 1 : 0) | (options.deleteToken === true ? 2 : 0);
  const out = Buffer.concat([
    Buffer.from(`${hex(534 + 16 * list.length, 2)}${hex(flags, 1)}0000000000${hex(options.offset ?? 0, 8)}`, "hex"),
    token,
    Buffer.from(`000000000000${hex(16 * list.length, 2)}${ranges(list)}`, "hex"),
  ]);
  return initiator.command(`8311 00000000 ${hex(options.lid ?? 8, 4)} ${hex(out.length, 4)} 0000`, {
    out,
    lun: options.lun ?? 1,
  });
}

async function tokenOf(
  initiator: TestInitiator,
  list: readonly Range[],
  options: PopulateOptions = {},
): Promise<Buffer> {
  const populated = await populate(initiator, list, options);
  expect(populated.sense).toBe("");
  const { data } = await information(initiator, options.lid ?? 7, options.lun ?? 0);
  return Buffer.from(data.subarray(38, 550));
}

function write(initiator: TestInitiator, lba: number, out: Buffer, lun = 0) {
  return initiator.command(`8a00 ${hex(lba, 8)} ${hex(out.length / blockBytes, 4)} 0000`, { out, lun });
}

async function read(initiator: TestInitiator, lba: number, blocks: number, lun = 0): Promise<Buffer> {
  return (await initiator.command(`8800 ${hex(lba, 8)} ${hex(blocks, 4)} 0000`, { in: blocks * blockBytes, lun })).data;
}

const pattern = (blocks: number, seed: number) =>
  Buffer.from(Array.from({ length: blocks * blockBytes }, (_, index) => (index * 7 + (index >> 9) + seed) & 0xff));

describe("a copy by token", () => {
  it("answers with the bytes of the standard", async () => {
    const initiator = await ready(await start());
    await write(initiator, 2048, pattern(64, 1));
    expect((await populate(initiator, [[2048, 64]])).status).toBe(0);
    const { data, residual } = await information(initiator);
    expect(data).toHaveLength(550);
    expect(residual).toBe(1024 - 550);
    expect(data.subarray(0, 38).toString("hex")).toBe(
      `00000222 10 01 0000 fffffffe 00 00 00 f1 ${hex(64, 8)} 0000 000000000000 00000202 0000`.replaceAll(" ", ""),
    );
    const token = data.subarray(38);
    expect(token.subarray(0, 8).toString("hex")).toBe("00800000000001f8");
    expect(token.readUInt8(16)).toBe(0xe4);
    expect(token.readBigUInt64BE(56)).toBe(BigInt(64 * blockBytes));
    expect(token.readUInt32BE(96)).toBe(blockBytes);
    // Fetched once, the result is gone.
    expect((await information(initiator)).sense).toBe("5/24/00");
  });

  it("moves several ranges to several others, on another unit, from any offset", async () => {
    const initiator = await ready(await start());
    const source = pattern(300, 3);
    await write(initiator, 1000, source.subarray(0, 100 * blockBytes));
    await write(initiator, 5000, source.subarray(100 * blockBytes));
    const token = await tokenOf(initiator, [
      [1000, 100],
      [5000, 200],
    ]);
    const written = await writeUsing(
      initiator,
      token,
      [
        [10, 40],
        [700, 210],
      ],
      { offset: 50 },
    );
    expect([written.status, written.sense]).toEqual([0, ""]);
    expect((await read(initiator, 10, 40, 1)).equals(source.subarray(50 * blockBytes, 90 * blockBytes))).toBe(true);
    expect((await read(initiator, 700, 210, 1)).equals(source.subarray(90 * blockBytes))).toBe(true);
    const { data } = await information(initiator, 8, 1);
    expect(data.subarray(0, 24).toString("hex")).toBe(
      `00000020 11 01 0000 fffffffe 000000f1 ${hex(250, 8)}`.replaceAll(" ", ""),
    );
  });

  it("takes the zero token without any read, and gives the space back", async () => {
    const array = await start();
    const initiator = await ready(array);
    await write(initiator, 0, pattern(2048, 1));
    const zero = Buffer.alloc(512);
    zero.writeUInt32BE(0xffff0001, 0);
    zero.writeUInt16BE(0x01f8, 6);
    expect((await writeUsing(initiator, zero, [[8, 1024]], { lun: 0 })).status).toBe(0);
    expect((await read(initiator, 8, 1024)).every((byte) => byte === 0)).toBe(true);
    expect((await read(initiator, 0, 8)).equals(pattern(2048, 1).subarray(0, 4096))).toBe(true);
  });

  it("goes to other initiators, as the token does", async () => {
    const array = await start();
    const one = await ready(array, 1);
    const other = await ready(array, 2);
    await write(one, 64, pattern(8, 5));
    const token = await tokenOf(one, [[64, 8]]);
    // The result belongs to the nexus, the token to the array.
    await populate(one, [[64, 8]]);
    expect((await information(other)).sense).toBe("5/24/00");
    expect((await writeUsing(other, token, [[0, 8]])).status).toBe(0);
    expect((await read(one, 0, 8, 1)).equals(pattern(8, 5))).toBe(true);
  });
});

describe("the data of a token", () => {
  it("of a point in time stay what they were, across overwriting, unmapping and copying onto themselves", async () => {
    const initiator = await ready(await start());
    const source = pattern(600, 9);
    await write(initiator, 100, source);
    const token = await tokenOf(initiator, [[100, 600]]);
    await write(initiator, 150, pattern(300, 77));
    // UNMAP of 128 blocks at 500.
    const unmap = Buffer.from(`0016 0010 00000000 ${hex(500, 8)} ${hex(128, 4)} 00000000`.replaceAll(" ", ""), "hex");
    expect((await initiator.command("42000000000000001800", { out: unmap })).status).toBe(0);
    expect((await writeUsing(initiator, token, [[0, 600]])).status).toBe(0);
    expect((await read(initiator, 0, 600, 1)).equals(source)).toBe(true);
    // Onto the source itself, shifted: no block is read after it was written.
    expect((await writeUsing(initiator, token, [[130, 600]], { lun: 0 })).status).toBe(0);
    expect((await read(initiator, 130, 600)).equals(source)).toBe(true);
  });

  it("upon reference are what is there now", async () => {
    const initiator = await ready(await start({ rodTypes: [RodType.ACCESS_UPON_REFERENCE] }));
    await write(initiator, 0, pattern(8, 1));
    const token = await tokenOf(initiator, [[0, 8]]);
    expect(token.readUInt32BE(0)).toBe(0x00010000);
    await write(initiator, 0, pattern(8, 2));
    await writeUsing(initiator, token, [[0, 8]]);
    expect((await read(initiator, 0, 8, 1)).equals(pattern(8, 2))).toBe(true);
  });

  it("that may change revoke the token when they do, and only then", async () => {
    const initiator = await ready(await start());
    const token = await tokenOf(initiator, [[64, 8]], { rodType: RodType.POINT_IN_TIME_CHANGE_VULNERABLE });
    await write(initiator, 72, pattern(8, 2));
    expect((await writeUsing(initiator, token, [[0, 8]])).status).toBe(0);
    await write(initiator, 71, pattern(1, 2));
    expect((await writeUsing(initiator, token, [[0, 8]])).sense).toBe("5/23/06");
  });
});

describe("a token ends", () => {
  it("when it was not used in time, and use is what counts", async () => {
    const initiator = await ready(await start({ defaultInactivityTimeout: 60, maxInactivityTimeout: 100 }));
    const token = await tokenOf(initiator, [[0, 8]]);
    now += 59_000;
    expect((await writeUsing(initiator, token, [[0, 8]])).status).toBe(0);
    now += 60_000;
    expect((await writeUsing(initiator, token, [[0, 8]])).status).toBe(0);
    now += 60_001;
    expect((await writeUsing(initiator, token, [[0, 8]])).sense).toBe("5/23/07");
    expect((await populate(initiator, [[0, 8]], { timeout: 101 })).sense).toBe("5/26/00");
    const longer = await tokenOf(initiator, [[0, 8]], { timeout: 100 });
    now += 99_000;
    expect((await writeUsing(initiator, longer, [[0, 8]])).status).toBe(0);
  });

  it("at the end of its life, however busy", async () => {
    const initiator = await ready(await start({ maxTokenLifetime: 30 }));
    const token = await tokenOf(initiator, [[0, 8]]);
    now += 29_000;
    expect((await writeUsing(initiator, token, [[0, 8]])).status).toBe(0);
    now += 2000;
    expect((await writeUsing(initiator, token, [[0, 8]])).sense).toBe("5/23/07");
  });

  it("with DEL_TKN", async () => {
    const initiator = await ready(await start());
    const token = await tokenOf(initiator, [[0, 8]]);
    expect((await writeUsing(initiator, token, [[0, 8]], { deleteToken: true })).status).toBe(0);
    expect((await writeUsing(initiator, token, [[0, 8]])).sense).toBe("5/23/09");
  });
});

describe("refused with the sense that says why", () => {
  it("are tokens that nobody made, that were changed, or that another array made", async () => {
    const initiator = await ready(await start());
    const token = await tokenOf(initiator, [[0, 8]]);
    const changed = (edit: (bytes: Buffer) => void) => {
      const copy = Buffer.from(token);
      edit(copy);
      return writeUsing(initiator, copy, [[0, 8]]);
    };
    expect((await changed((bytes) => bytes.writeUInt8(bytes.readUInt8(511) ^ 1, 511))).sense).toBe("5/23/05");
    expect((await changed((bytes) => bytes.fill(0x5a))).sense).toBe("5/23/04");
    expect((await changed((bytes) => bytes.writeUInt32BE(1, 8))).sense).toBe("5/23/04");
    const foreign = await ready(await start({}, "b"), 3);
    const theirs = await tokenOf(foreign, [[0, 8]]);
    expect((await writeUsing(initiator, theirs, [[0, 8]])).sense).toBe("5/23/02");
    theirs.writeUInt16BE(8, 6);
    expect((await writeUsing(initiator, theirs, [[0, 8]])).sense).toBe("5/23/0a");
    const [a, b] = arrays;
    if (a === undefined || b === undefined) throw new Error("two arrays");
    a.copyManager.peers.push(b.copyManager);
    await write(foreign, 0, pattern(8, 4));
    expect((await writeUsing(initiator, await tokenOf(foreign, [[0, 8]]), [[0, 8]])).status).toBe(0);
    expect((await read(initiator, 0, 8, 1)).equals(pattern(8, 4))).toBe(true);
    a.copyManager.remoteTokens = false;
    expect((await writeUsing(initiator, await tokenOf(foreign, [[0, 8]]), [[0, 8]])).sense).toBe("5/23/02");
  });

  it("are ranges that overlap, lie outside, are too many or too long", async () => {
    const initiator = await ready(await start({ maxRangeDescriptors: 2, maxTransferBlocks: 100, maxTokens: 2 }));
    const sense = async (list: readonly Range[]) => (await populate(initiator, list)).sense;
    expect(
      await sense([
        [0, 8],
        [7, 1],
      ]),
    ).toBe("5/26/00");
    expect(await sense([[32_768, 1]])).toBe("5/21/00");
    expect(
      await sense([
        [0, 1],
        [2, 1],
        [4, 1],
      ]),
    ).toBe("5/26/08");
    expect(await sense([[0, 101]])).toBe("5/26/00");
    expect(
      await sense([
        [8, 0],
        [8, 1],
      ]),
    ).toBe("");
    expect(await sense([[0, 8]])).toBe("");
    expect(await sense([[0, 8]])).toBe("b/55/0d");
    const short = Buffer.alloc(31);
    short.writeUInt16BE(30, 0);
    short.writeUInt16BE(16, 14);
    expect((await initiator.command(`8310 00000000 00000009 ${hex(31, 4)} 0000`, { out: short })).sense).toBe(
      "5/1a/00",
    );
  });

  it("are offsets and lengths beyond the data", async () => {
    const initiator = await ready(await start());
    const token = await tokenOf(initiator, [[0, 16]]);
    expect((await writeUsing(initiator, token, [[0, 17]])).sense).toBe("5/0d/04");
    expect((await writeUsing(initiator, token, [[0, 8]], { offset: 9 })).sense).toBe("5/0d/04");
    expect((await writeUsing(initiator, token, [[0, 8]], { offset: 16 })).sense).toBe("5/26/00");
    expect((await writeUsing(initiator, token, [[0, 8]], { offset: 8 })).status).toBe(0);
  });

  it("is every token command where the array does not offload", async () => {
    const initiator = await ready(await start({ enabled: false }));
    expect((await populate(initiator, [[0, 8]])).sense).toBe("5/20/00");
    expect((await initiator.command("12018f040000", { in: 1024 })).sense).toBe("5/24/00");
  });
});

describe("a copy in the background", () => {
  it("is polled, stopped, and its list identifier busy meanwhile", async () => {
    const array = await start({ bytesPerSecond: 4 * mebibyte });
    const initiator = await ready(array);
    const token = await tokenOf(initiator, [[0, 20_480]]);
    expect((await writeUsing(initiator, token, [[0, 20_480]], { immediate: true })).status).toBe(0);
    const running = await information(initiator, 8, 1);
    expect(running.data.readUInt8(5)).toBe(0x12);
    expect(running.data.readUInt32BE(8)).toBe(100);
    expect((await writeUsing(initiator, token, [[0, 8]])).sense).toBe("5/00/16");
    expect((await initiator.command(`831c ${hex(8, 4)} 000000000000000000 00`, { lun: 1 })).status).toBe(0);
    await initiator.command("000000000000");
    const ended = await information(initiator, 8, 1);
    expect(ended.data.readUInt8(5)).toBe(0x60);
    expect(ended.data.readUInt8(12)).toBe(2);
    expect(Number(ended.data.readBigUInt64BE(16))).toBeLessThan(20_480);
  });
});

it("all tokens are listed by their first 96 bytes", async () => {
  const initiator = await ready(await start());
  const tokens = [await tokenOf(initiator, [[0, 8]]), await tokenOf(initiator, [[8, 8]])];
  const { data } = await initiator.command("8408 0000000000000000 00001000 0000", { in: 4096 });
  expect(data.toString("hex")).toBe(
    `000000c400000000${tokens.map((token) => token.subarray(0, 96).toString("hex")).join("")}`,
  );
});

it("page 8Fh begins with the token limits and names the commands", async () => {
  const initiator = await ready(
    await start({ maxRangeDescriptors: 4, maxTransferBlocks: 0x1000, optimalTransferBlocks: 0x800 }),
  );
  const { data } = await initiator.command("12018f040000", { in: 1024 });
  expect(data.subarray(0, 4).toString("hex")).toBe(`008f${hex(data.length - 4, 2)}`);
  expect(data.subarray(4, 40).toString("hex")).toBe(
    `0000 0020 000000000000 0004 00000258 0000003c ${hex(0x1000, 8)} ${hex(0x800, 8)}`.replaceAll(" ", ""),
  );
  expect(data.subarray(40, 56).toString("hex")).toBe("0001000c" + "0a8303" + "10111c" + "8403" + "050708" + "00");
  const last = await ready(await start({ tokenLimitsFirst: false }, "b"));
  const page = (await last.command("12018f040000", { in: 1024 })).data;
  expect(page.subarray(4, 8).toString("hex")).toBe("0001000c");
  expect(page.subarray(-36, -32).toString("hex")).toBe("00000020");
});
