// SPDX-License-Identifier: Apache-2.0
/** Our initiator against the simulated array: token commands, and paths that fail with a command at work. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { RodType } from "../../src/scsi/commands/vpd-third-party-copy.ts";
import { FateUnknownError, ScsiError } from "../../src/scsi/errors.ts";
import type { LogicalUnit } from "../../src/scsi/logical-unit.ts";
import { type SimulatedArray, startArray } from "../array/array.ts";
import type { RuleInput } from "../array/faults.ts";
import { expect, type Report } from "../lib/report.ts";
import { failure, type UnitSettings, withUnit } from "./unit.ts";

const MiB = 1024 * 1024;
const targetName = "iqn.2026-01.test:array";
const BLOCK = 512;
/** Blocks of the copies. */
const COUNT = 4096;

/** Source and destination on two LUNs, with data in the source that the destination does not have. */
interface Pair {
  readonly source: LogicalUnit;
  readonly destination: LogicalUnit;
  readonly data: Buffer;
}

async function withPair(array: SimulatedArray, use: (pair: Pair) => Promise<void>): Promise<void> {
  array.faults.clear();
  const settings: Omit<UnitSettings, "lun"> = {
    ports: array.portals.map(({ address }) => Number(address.split(":").pop())),
    targetName,
    times: { answerTimeout: 1000, keepaliveInterval: 1000 },
    loginTimeout: 2000,
    unit: { commandTimeout: 10_000 },
  };
  await withUnit({ ...settings, lun: 0 }, (source) =>
    withUnit({ ...settings, lun: 1 }, async (destination) => {
      const data = randomBytes(COUNT * BLOCK);
      await source.write(0, [data]);
      await destination.writeZeros({ lba: 0, blocks: 2 * COUNT }, false);
      await use({ source, destination, data });
      array.faults.clear();
    }),
  );
}

const everything = [{ lba: 0, blocks: COUNT }];

async function tokenOf(unit: LogicalUnit, blocks = COUNT): Promise<Buffer> {
  const populated = await unit.populateToken({ ranges: [{ lba: 0, blocks }], inactivityTimeout: 30 });
  expect(populated.blocks === blocks, `the token stands for ${populated.blocks} blocks`);
  return populated.token;
}

async function holds(unit: LogicalUnit, lba: number, data: Buffer): Promise<void> {
  const found = Buffer.alloc(data.length);
  await unit.read(lba, [found]);
  expect(found.equals(data), "the destination holds other data");
}

/** Copies with a fault on one of the commands; the copy has to come out whole in the end. */
async function copyWith(array: SimulatedArray, ...faults: readonly RuleInput[]): Promise<void> {
  await withPair(array, async ({ source, destination, data }) => {
    for (const fault of faults) array.faults.add(fault);
    const token = await tokenOf(source);
    const written = await destination.writeUsingToken({ token, offsetInRod: 0, ranges: everything });
    expect(written === COUNT, `${written} blocks were written`);
    array.faults.clear();
    await holds(destination, 0, data);
  });
}

/** A WRITE USING TOKEN that the array cuts short: what is told to be written is, and the rest is written by a second one. */
async function truncated(array: SimulatedArray, report: "good" | "information" | "sense"): Promise<void> {
  await withPair(array, async ({ source, destination, data }) => {
    const token = await tokenOf(source);
    array.faults.add({ command: "WRITE USING TOKEN", fault: { truncate: { blocks: 1000, report } } });
    const first = await destination.writeUsingToken({ token, offsetInRod: 0, ranges: everything });
    expect(first === 1000, `${first} blocks instead of 1000`);
    const rest = [{ lba: first, blocks: COUNT - first }];
    expect(
      (await destination.writeUsingToken({ token, offsetInRod: first, ranges: rest })) === COUNT - first,
      "not all",
    );
    await holds(destination, 0, data);
  });
}

const wut = "WRITE USING TOKEN";
const pt = "POPULATE TOKEN";
const rrti = "RECEIVE ROD TOKEN INFORMATION";

/** What may go wrong without harm. */
const harmless: readonly (readonly [name: string, ...faults: RuleInput[]])[] = [
  ["none"],
  ["busy", { times: 3, fault: { status: "BUSY" } }],
  ["task-set-full", { times: 3, fault: { status: "TASK_SET_FULL" } }],
  ["unit-attention", { times: 4, fault: { sense: { key: 6, code: 0x29, qualifier: 0 } } }],
  ["in-progress", { command: pt, fault: { inProgress: { polls: 3 } } }],
  [
    "write-in-progress",
    { command: wut, fault: { inProgress: { polls: 3 }, truncate: { blocks: COUNT, report: "sense" } } },
  ],
  ["populate-lost-before", { command: pt, fault: { drop: "before" } }],
  ["populate-lost-after", { command: pt, fault: { drop: "after" } }],
  ["result-lost", { command: rrti, fault: { drop: "after" } }],
  ["write-lost-before", { command: wut, fault: { drop: "before" } }],
  ["write-lost-after", { command: wut, fault: { drop: "after" } }],
  ["identifier-in-use", { command: wut, fault: { sense: { key: 5, code: 0x00, qualifier: 0x16 } } }],
];

async function tokenCases(report: Report, array: SimulatedArray): Promise<void> {
  for (const [name, ...faults] of harmless) {
    await report.check(`initiator.array.copy.${name}`, () => copyWith(array, ...faults));
  }
  for (const how of ["good", "information", "sense"] as const) {
    await report.check(`initiator.array.truncated-${how}`, () => truncated(array, how));
  }
  await report.check("initiator.array.ranges", () =>
    withPair(array, async ({ source, destination, data }) => {
      const ranges = [
        { lba: 100, blocks: 64 },
        { lba: 0, blocks: 32 },
        { lba: 3000, blocks: 96 },
      ];
      const { token, blocks, rodType } = await source.populateToken({ ranges, inactivityTimeout: 0 });
      expect(blocks === 192 && rodType === RodType.POINT_IN_TIME, `${blocks} blocks of type ${rodType}`);
      const into = [
        { lba: 5000, blocks: 100 },
        { lba: 6000, blocks: 60 },
      ];
      // The source changes, and the token does not.
      await source.write(100, [Buffer.alloc(64 * BLOCK)]);
      expect((await destination.writeUsingToken({ token, offsetInRod: 32, ranges: into })) === 160, "not all");
      const bytes = (lba: number, count: number) => data.subarray(lba * BLOCK, (lba + count) * BLOCK);
      const rod = Buffer.concat([bytes(100, 64), bytes(0, 32), bytes(3000, 96)]).subarray(32 * BLOCK);
      await holds(destination, 5000, rod.subarray(0, 100 * BLOCK));
      await holds(destination, 6000, rod.subarray(100 * BLOCK));
    }),
  );
  await report.check("initiator.array.zero-token", () =>
    withPair(array, async ({ destination }) => {
      await destination.write(0, [Buffer.alloc(MiB, 1)]);
      const token = Buffer.alloc(512);
      token.writeUInt32BE(RodType.BLOCK_DEVICE_ZERO, 0);
      token.writeUInt16BE(504, 6);
      const ranges = [{ lba: 1, blocks: 2000 }];
      expect((await destination.writeUsingToken({ token, offsetInRod: 0, ranges })) === 2000, "not all");
      await holds(destination, 0, Buffer.alloc(MiB, 1).fill(0, BLOCK, 2001 * BLOCK));
    }),
  );
  await report.check("initiator.array.expired", () =>
    withPair(array, async ({ source, destination }) => {
      const token = await tokenOf(source);
      array.copyManager.tokens.expireAll();
      const error = await failure(destination.writeUsingToken({ token, offsetInRod: 0, ranges: everything }));
      expect(error instanceof ScsiError && error.is(5, 0x23), error.message);
    }),
  );
  await report.check("initiator.array.all-tokens", () =>
    withPair(array, async ({ source }) => {
      const token = await tokenOf(source);
      const all = await source.reportAllRodTokens();
      expect(
        all.some((known) => known.equals(token.subarray(0, 96))),
        `not among ${all.length} tokens`,
      );
    }),
  );
}

/** What an array says that is not so: never a success that is none, never a crash. */
async function hostileCases(report: Report, array: SimulatedArray): Promise<void> {
  const spoilt: readonly (readonly [string, RuleInput["fault"]])[] = [
    ["count-too-large", { patch: [{ offset: 16, bytes: "00000000ffffffff" }] }],
    ["count-zero", { patch: [{ offset: 16, bytes: "0000000000000000" }] }],
    ["sense-length", { patch: [{ offset: 13, bytes: "ff" }] }],
    ["descriptor-length", { patch: [{ offset: 32, bytes: "ffffffff" }] }],
    ["short", { dataLength: 20 }],
    ["empty", { dataLength: 0 }],
    ["terminated", { patch: [{ offset: 5, bytes: "60" }] }],
  ];
  for (const [name, fault] of spoilt) {
    await report.check(`initiator.array.hostile.${name}`, () =>
      withPair(array, async ({ source }) => {
        array.faults.add({ command: rrti, times: null, fault });
        await failure(source.populateToken({ ranges: everything, inactivityTimeout: 0 }));
      }),
    );
  }
}

async function pathCases(report: Report, array: SimulatedArray): Promise<void> {
  await report.check("initiator.array.write-lost", () =>
    withPair(array, async ({ destination, data }) => {
      array.faults.add({ command: "WRITE(16)", after: 1, fault: { drop: "before" } });
      await destination.write(0, [data]);
      await holds(destination, 0, data);
    }),
  );
  await report.check("initiator.array.logout-requested", () =>
    withPair(array, async ({ source, destination, data }) => {
      const work = destination.write(0, [data]);
      for (const { connection } of array.sessions.list()) connection.announce(1, [0, 0, 3]);
      await work;
      await holds(destination, 0, data);
      await holds(source, 0, data);
    }),
  );
  await report.check("initiator.array.resized", () =>
    withPair(array, async ({ source }) => {
      const changed = new Promise<number>((resolve) => {
        source.listen((event) => {
          if (event.kind === "changed") resolve(event.description.capacity.blocks);
        });
      });
      array.resize(array.unit("source"), 96 * MiB);
      await source.read(0, [Buffer.alloc(BLOCK)]);
      expect((await changed) === (96 * MiB) / BLOCK, "another size was told");
    }),
  );
  await report.check("initiator.array.silent-for-good", () =>
    withPair(array, async ({ source, destination }) => {
      const token = await tokenOf(source);
      array.faults.add({ command: wut, times: null, fault: { silence: "before" } });
      const request = { token, offsetInRod: 0, ranges: everything };
      const error = await failure(destination.writeUsingToken(request, { timeout: 1500 }));
      array.faults.clear();
      if (error instanceof FateUnknownError) await error.settled;
      await destination.write(0, [Buffer.alloc(BLOCK, 7)]);
      await holds(destination, 0, Buffer.alloc(BLOCK, 7));
    }),
  );
}

export async function arrayCases(report: Report, workDir: string): Promise<void> {
  const array = await startArray({
    portals: [
      { port: 0, portalGroup: 1 },
      { port: 0, portalGroup: 1 },
      { port: 0, portalGroup: 2 },
    ],
    targets: [
      {
        name: targetName,
        luns: [
          { id: "source", file: join(workDir, "source.img"), size: 64 * MiB },
          { id: "destination", file: join(workDir, "destination.img"), size: 64 * MiB },
        ],
      },
    ],
  });
  try {
    await tokenCases(report, array);
    await hostileCases(report, array);
    await pathCases(report, array);
  } finally {
    await array.close();
  }
}
