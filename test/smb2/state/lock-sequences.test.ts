// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { LockSequences } from "../../../src/smb2/state/lock-sequences.ts";

describe("LockSequences", () => {
  it("knows a request again by index and number, until another number comes", () => {
    const sequences = new LockSequences();
    expect(sequences.isReplay(3, 0)).toBe(false);
    sequences.record(3, 0);
    expect(sequences.isReplay(3, 0)).toBe(true);
    expect(sequences.isReplay(4, 0)).toBe(false);
    expect(sequences.isReplay(3, 1)).toBe(false);
    expect(sequences.isReplay(3, 0)).toBe(false);
  });

  it.each([0, 65, 0x0fff_ffff])("remembers nothing at index %i", (index) => {
    const sequences = new LockSequences();
    sequences.record(1, 1);
    sequences.record(index, 5);
    expect(sequences.isReplay(index, 5)).toBe(false);
    expect(sequences.isReplay(1, 1)).toBe(true);
  });

  it("takes over what was kept", () => {
    const before = new LockSequences();
    expect(before.entries).toBeUndefined();
    before.record(64, 15);
    const after = new LockSequences();
    if (before.entries !== undefined) after.restore(before.entries);
    expect(after.isReplay(64, 15)).toBe(true);
    expect(after.isReplay(63, 15)).toBe(false);
  });
});
