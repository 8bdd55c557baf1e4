// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { type Look, lookAround, SpareProcessor } from "../../src/native/spare-processor.ts";

/** A machine that is looked at in steps of 250 ms. */
class Machine {
  now = 0;
  looks = 0;
  #usedByAll = 5_000;
  #usedByUs = 1_000;

  readonly look = (): Look => {
    this.looks++;
    return { now: this.now, usedByAll: this.#usedByAll, usedByUs: this.#usedByUs };
  };

  /** @param ours processors that this process uses @param others those that everybody else does */
  step(ours: number, others: number): void {
    this.now += 250;
    this.#usedByUs += ours * 250;
    this.#usedByAll += (ours + others) * 250;
  }

  spare(processors: number): SpareProcessor {
    return new SpareProcessor(this.look, processors, () => this.now);
  }
}

describe("a spare processor", () => {
  it.each([
    { processors: 2, ours: 1, others: 0.5, there: true },
    { processors: 2, ours: 1, others: 0.9, there: false },
    { processors: 2, ours: 0.5, others: 0, there: false },
    // Those that we use by ourselves are no reason to stop using them.
    { processors: 2, ours: 2, others: 0, there: true },
    { processors: 64, ours: 20, others: 40, there: true },
    { processors: 64, ours: 1, others: 63, there: false },
  ])("is there: $there, of $processors where we use $ours, others $others", (given) => {
    const machine = new Machine();
    const spare = machine.spare(given.processors);
    expect(spare.isThere).toBe(false);
    machine.step(given.ours, given.others);
    expect(spare.isThere).toBe(given.there);
  });

  it("never is on a machine with one, which is not looked at", () => {
    const machine = new Machine();
    const spare = machine.spare(1);
    expect(spare.isThere).toBe(false);
    machine.step(1, 0);
    expect(spare.isThere).toBe(false);
    expect(machine.looks).toBe(0);
  });

  it("is looked for five times a second at most", () => {
    const machine = new Machine();
    const spare = machine.spare(4);
    void spare.isThere;
    machine.step(1, 0);
    for (let asked = 0; asked < 10; asked++) expect(spare.isThere).toBe(true);
    expect(machine.looks).toBe(2);
    machine.step(0, 0);
    expect(spare.isThere).toBe(false);
  });

  it("is not there where nobody knows", () => {
    let now = 0;
    const spare = new SpareProcessor(
      () => undefined,
      4,
      () => now,
    );
    void spare.isThere;
    now += 1_000;
    expect(spare.isThere).toBe(false);
  });
});

describe("lookAround", () => {
  it("sees what this process does, and that the processors are busy with it", async () => {
    const before = lookAround();
    const end = performance.now() + 400;
    while (performance.now() < end) await new Promise(setImmediate);
    const after = lookAround();
    if (before === undefined || after === undefined) throw new Error("this machine has no /proc/stat");
    const time = after.now - before.now;
    const ours = after.usedByUs - before.usedByUs;
    expect(time).toBeGreaterThanOrEqual(400);
    expect(ours).toBeGreaterThan(0);
    // Less a tick for each of some processors.
    expect(after.usedByAll - before.usedByAll).toBeGreaterThan(ours / 2 - 100);
  });
});
