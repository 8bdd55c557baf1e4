// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { RangeLock } from "../../../src/vfs/array/range-lock.ts";

/** Starts holders by name, which stay until they are let go. */
function scene() {
  const lock = new RangeLock();
  const inside: string[] = [];
  const leave = new Map<string, () => void>();
  const enter = (name: string, offset: number, length: number, exclusive: boolean) =>
    lock.run({ offset, length }, exclusive, () => {
      inside.push(name);
      return new Promise<void>((resolve) => leave.set(name, resolve));
    });
  const settle = () => new Promise(setImmediate);
  return { lock, inside, enter, leave: (name: string) => leave.get(name)?.(), settle };
}

describe("RangeLock", () => {
  it("lets readers in together, and a writer alone, in the order of their coming", async () => {
    const { inside, enter, leave, settle } = scene();
    enter("r1", 0, 10, false);
    enter("r2", 5, 10, false);
    enter("w", 0, 6, true);
    enter("r3", 0, 1, false);
    enter("far", 100, 1, true);
    await settle();
    expect(inside).toEqual(["r1", "r2", "far"]);
    leave("r1");
    await settle();
    expect(inside).toEqual(["r1", "r2", "far"]);
    leave("r2");
    await settle();
    expect(inside).toEqual(["r1", "r2", "far", "w"]);
    leave("w");
    await settle();
    expect(inside).toEqual(["r1", "r2", "far", "w", "r3"]);
  });

  it("goes on after a holder that failed", async () => {
    const { lock } = scene();
    const range = { offset: 0, length: 10 };
    const failing = lock.run(range, true, () => Promise.reject(new Error("no")));
    const next = lock.run(range, true, async () => "yes");
    await expect(failing).rejects.toThrow("no");
    await expect(next).resolves.toBe("yes");
  });
});
