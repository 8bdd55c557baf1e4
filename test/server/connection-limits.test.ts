// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConnectionLimits } from "../../src/server/connection-limits.ts";

describe("ConnectionLimits", () => {
  it("refuses past either bound and gives places back", () => {
    const limits = new ConnectionLimits(3, 2);
    expect(limits.take("a")).toBeUndefined();
    expect(limits.take("a")).toBeUndefined();
    expect(limits.take("a")).toBe("connectionsPerAddress");
    expect(limits.take("b")).toBeUndefined();
    expect(limits.take("c")).toBe("connections");
    limits.release("a");
    expect(limits.take("c")).toBeUndefined();
    expect(limits.count).toBe(3);
  });

  it("never counts more than its bounds nor less than nothing", () => {
    const step = fc.record({ take: fc.boolean(), address: fc.constantFrom("a", "b", "c") });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const limits = new ConnectionLimits(4, 2);
        const held = new Map<string, number>();
        for (const { take, address } of steps) {
          const before = held.get(address) ?? 0;
          if (!take) {
            limits.release(address);
            held.set(address, Math.max(before - 1, 0));
          } else if (limits.take(address) === undefined) {
            held.set(address, before + 1);
          }
          const total = [...held.values()].reduce((sum, count) => sum + count, 0);
          expect(limits.count).toBe(total);
          expect(total).toBeLessThanOrEqual(4);
          expect(Math.max(0, ...held.values())).toBeLessThanOrEqual(2);
        }
      }),
    );
  });
});
