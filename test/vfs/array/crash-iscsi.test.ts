// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SimulatedArray, startArray } from "../../../conformance/array/array.ts";
import type { RuleInput } from "../../../conformance/array/faults.ts";
import { fileTimeFromMilliseconds } from "../../../src/nt/filetime.ts";
import type { Clock } from "../../../src/scsi/clock.ts";
import { encodeLun } from "../../../src/scsi/iscsi/lun.ts";
import type { LogicalUnit } from "../../../src/scsi/logical-unit.ts";
import { openIscsiUnit } from "../../../src/scsi/open.ts";
import { formatArrayVolume } from "../../../src/vfs/array/format.ts";
import { counts, live } from "./life.ts";
import { MEBIBYTE } from "./support.ts";
import { step, UNIT } from "./workload.ts";

/**
 * As `crash.test.ts`, with the initiator and the simulated array in between: a session ends before or after the array has carried out a
 * command, the initiator makes it anew and tries once more, and where that one is lost as well the step fails. The LUNs
 * keep what the volumes before have left on them.
 */

const LUNS = [0, 1];
const BLOCK = 512;
const target = "iqn.2026-01.test:array";
const lives = process.env.TESSERA_CRASH_RUNS;

const clock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, action) => {
    const timer = setTimeout(action, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

const drop: fc.Arbitrary<RuleInput> = fc.record({
  command: fc.constantFrom(
    ...["WRITE(16)", "WRITE(16)", "WRITE(16)", "READ(16)", "UNMAP"],
    ...["POPULATE TOKEN", "WRITE USING TOKEN", "RECEIVE ROD TOKEN INFORMATION"],
  ),
  after: fc.nat(5),
  times: fc.integer({ min: 1, max: 3 }),
  fault: fc.constantFrom({ drop: "before" as const }, { drop: "after" as const }),
});

describe("ArrayVolume over iSCSI: the process ends at any step, and sessions before it", () => {
  let folder: string;
  let array: SimulatedArray;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tessera-crash-"));
    array = await startArray({
      portals: [
        { port: 0, portalGroup: 1 },
        { port: 0, portalGroup: 1 },
      ],
      targets: [
        {
          name: target,
          luns: LUNS.map((lun) => ({ id: `lun${lun}`, file: join(folder, `lun${lun}`), size: 8 * MEBIBYTE })),
        },
      ],
    });
  });

  afterAll(async () => {
    await array.close();
    await rm(folder, { recursive: true, force: true });
    if (lives !== undefined) console.log(counts);
  });

  async function openUnits(): Promise<LogicalUnit[]> {
    const portals = array.portals.map(({ address }) => ({
      host: "127.0.0.1",
      port: Number(address.split(":").pop()),
      portalGroupTag: 1,
    }));
    const units = LUNS.map((lun) =>
      openIscsiUnit(
        { clock, randomBytes },
        { portals, targetName: target, lun: encodeLun(lun), initiatorName: "iqn.2026-01.test:initiator" },
      ),
    );
    await Promise.all(units.map((unit) => unit.ready()));
    return units;
  }

  const closeAll = (units: readonly LogicalUnit[]) => Promise.all(units.map((unit) => unit.close()));

  const numRuns = Number(lives ?? 20);

  it(`keeps what was acknowledged, loses no room and shows nothing of others (${numRuns} runs)`, {
    timeout: 600_000,
  }, async () => {
    let dropped = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 25, size: "max" }),
        fc.nat(120),
        fc.nat(UNIT * 3),
        fc.array(drop, { maxLength: 8, size: "max" }),
        async (steps, end, torn, drops) => {
          const catalogue = await mkdtemp(join(folder, "catalogue-"));
          const before = await openUnits();
          await formatArrayVolume({
            catalogue,
            luns: before,
            label: "Array",
            now: fileTimeFromMilliseconds(Date.now()),
            volumeId: randomBytes(16),
            allocationUnit: UNIT,
            force: true,
          });
          for (const rule of drops) array.faults.add(rule);
          let after: LogicalUnit[] = [];
          try {
            await live(
              {
                folder: catalogue,
                units: before,
                tear: async (lun, lba, data) => {
                  const whole = data.subarray(0, torn - (torn % BLOCK));
                  // Where the session ends as well, the array has more of it or less.
                  if (whole.length > 0) await before[lun]?.write(lba, [whole]).catch(() => {});
                },
                quiet: async () => {
                  await Promise.all(before.map((unit) => unit.ready()));
                },
                after: async () => {
                  for (const { met } of array.faults.list()) dropped += met;
                  array.faults.clear();
                  await closeAll(before);
                  after = await openUnits();
                  return after;
                },
              },
              steps,
              end,
            );
          } finally {
            array.faults.clear();
            await closeAll([...before, ...after]);
          }
        },
      ),
      { numRuns },
    );
    // Otherwise no session has ended in the middle of anything.
    expect(dropped).toBeGreaterThan(0);
    if (lives !== undefined) console.log({ dropped });
  });
});
