// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { LossyUnit, type SessionDrop } from "../../support/lossy-unit.ts";
import { counts, live } from "./life.ts";
import { ArrayFixture, MEBIBYTE } from "./support.ts";
import { step, UNIT } from "./workload.ts";

/**
 * The process ends at every step of a random workload: before, in the middle of or after a write to a LUN or a copy on it, and
 * before or after a transaction of the catalogue. Before that the sessions with the LUNs end with commands at work: a step fails
 * then, and what it was to change is old or new, byte by byte. Then the volume is opened again, and holds what was acknowledged.
 */

const LUNS = 2;
const SIZE = 8 * MEBIBYTE;
const lives = process.env.TESSERA_CRASH_RUNS;

const workload = {
  steps: fc.array(step, { minLength: 3, maxLength: 25, size: "max" }),
  end: fc.nat(120),
  torn: fc.nat(UNIT * 3),
};

afterAll(() => {
  if (lives !== undefined) console.log(counts);
});

describe("ArrayVolume: the process ends at any step, and sessions before it", () => {
  let fixture: ArrayFixture | undefined;

  afterEach(async () => {
    await fixture?.dispose();
    fixture = undefined;
  });

  const drop: fc.Arbitrary<SessionDrop> = fc.record({
    after: fc.nat(24),
    fate: fc.constantFrom("nothing", "part", "all"),
    bytes: fc.nat(UNIT * 3),
    turns: fc.nat(6),
    patient: fc.boolean(),
  });
  const drops = fc.array(fc.array(drop, { maxLength: 3, size: "max" }), { minLength: LUNS, maxLength: LUNS });
  const numRuns = Number(lives ?? 60);

  it(`keeps what was acknowledged, loses no room and shows nothing of others (${numRuns} runs)`, {
    timeout: 600_000,
  }, async () => {
    let dropped = 0;
    await fc.assert(
      fc.asyncProperty(fc.record({ ...workload, drops }), async ({ steps, end, torn, drops }) => {
        fixture = await ArrayFixture.make({ luns: LUNS, size: SIZE, allocationUnit: UNIT });
        const { folder, units } = fixture;
        const lossy = units.map((unit, lun) => new LossyUnit(unit, drops[lun] ?? []));
        await live(
          {
            folder,
            units,
            tear: async (lun, lba, data) => units[lun]?.writeTorn(lba, [data], torn),
            quiet: async () => {
              for (const one of lossy) await one.quiet();
            },
            after: async () => {
              for (const one of lossy) {
                await one.release();
                dropped += one.dropped;
              }
              return units;
            },
          },
          steps,
          end,
        );
        await fixture.dispose();
      }),
      { numRuns },
    );
    if (lives !== undefined) console.log({ dropped });
    // Otherwise no session has ended in the middle of anything.
    expect(dropped).toBeGreaterThan(0);
  });
});
