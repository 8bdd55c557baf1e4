// SPDX-License-Identifier: Apache-2.0

import { totalmem } from "node:os";
import { describe, expect, it } from "vitest";
import { shareOfMemory } from "../../src/server/memory-share.ts";

const GIB = 1024 ** 3;

describe("shareOfMemory", () => {
  it.each([
    ["an eighth of the machine", 16 * GIB, undefined, 2 * GIB],
    ["an eighth of a container that is smaller", 16 * GIB, 4 * GIB, GIB / 2],
    ["no more for a container without a bound", 16 * GIB, 2 ** 64, 2 * GIB],
    ["an eighth of the machine where the system does not tell", 16 * GIB, 0, 2 * GIB],
    ["64 MiB at least", GIB / 4, undefined, GIB / 16],
  ])("is %s", (_, machine, container, expected) => {
    expect(shareOfMemory(machine, container)).toBe(expected);
  });

  it("is of this machine by default", () => {
    expect(shareOfMemory()).toBeLessThanOrEqual(Math.max(GIB / 16, totalmem() / 8));
  });
});
