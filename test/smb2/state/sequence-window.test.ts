// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SequenceWindow } from "../../../src/smb2/state/sequence-window.ts";

/** The window as the specification describes it: a set of numbers (MS-SMB2 3.3.1.7). */
class Model {
  readonly available = new Set([0]);
  readonly #maximum: number;
  #high = 1;

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  consume(first: number, count: number): boolean {
    const ids = Array.from({ length: count }, (_, index) => first + index);
    if (!ids.every((id) => this.available.has(id))) return false;
    for (const id of ids) this.available.delete(id);
    return true;
  }

  grant(wanted: number): number {
    const low = this.available.size === 0 ? this.#high : Math.min(...this.available);
    const granted = Math.min(wanted, this.#maximum - (this.#high - low));
    for (let count = 0; count < granted; count += 1) this.available.add(this.#high++);
    return granted;
  }
}

describe("SequenceWindow", () => {
  it("does what a set of numbers does", () => {
    const consume = fc.record({
      kind: fc.constant("consume" as const),
      id: fc.nat(40),
      count: fc.integer({ min: 1, max: 5 }),
    });
    const grant = fc.record({ kind: fc.constant("grant" as const), id: fc.constant(0), count: fc.nat(12) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 13 }),
        fc.array(fc.oneof(consume, grant), { maxLength: 60 }),
        (maximum, steps) => {
          const window = new SequenceWindow(maximum);
          const model = new Model(maximum);
          for (const { kind, id, count } of steps) {
            if (kind === "grant") expect(window.grant(count)).toBe(model.grant(count));
            else expect(window.consume(id, count)).toBe(model.consume(id, count));
            expect(window.outstanding).toBe(model.available.size);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("starts with message id 0 alone", () => {
    const window = new SequenceWindow(8);
    expect(window.consume(1, 1)).toBe(false);
    expect(window.consume(0, 1)).toBe(true);
    expect(window.consume(0, 1)).toBe(false);
  });

  it("takes nothing of a range that it cannot take whole", () => {
    const window = new SequenceWindow(8);
    window.grant(3);
    expect(window.consume(2, 3)).toBe(false);
    expect(window.consume(2, 2)).toBe(true);
    expect(window.outstanding).toBe(2);
  });

  it("grants nothing more while an old id is held back, and goes on when it comes", () => {
    const window = new SequenceWindow(4);
    expect(window.grant(100)).toBe(3);
    for (const id of [1, 2, 3]) expect(window.consume(id, 1)).toBe(true);
    expect(window.grant(1)).toBe(0);
    expect(window.consume(0, 1)).toBe(true);
    expect(window.grant(100)).toBe(4);
  });

  it("refuses ids that no number can hold exactly", () => {
    const window = new SequenceWindow(4);
    expect(window.consume(Number(0xffff_ffff_ffff_ffffn), 1)).toBe(false);
    expect(window.consume(Number.MAX_SAFE_INTEGER, 1)).toBe(false);
  });
});
