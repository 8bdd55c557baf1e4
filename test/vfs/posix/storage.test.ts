// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Storage } from "../../../src/vfs/posix/storage.ts";

const traits = { inMemory: false, clones: true, reserves: false };

describe("small writes", () => {
  let now = 0;
  const write = (storage: Storage, milliseconds: number): number =>
    storage.timed(() => {
      now += milliseconds;
      return 7;
    });

  it("are made at once, large ones are not", () => {
    const storage = new Storage(4096, traits, () => now);
    expect(storage.mayWriteNow(65_536)).toBe(true);
    expect(storage.mayWriteNow(65_537)).toBe(false);
    expect(write(storage, 1)).toBe(7);
    expect(storage.mayWriteNow(4096)).toBe(true);
  });

  it("rest after a slow one, longer each time, until it goes well", () => {
    now = 100_000;
    const storage = new Storage(4096, traits, () => now);
    for (const rest of [250, 500, 1000, 2000, 4000, 8000, 8000]) {
      write(storage, 10);
      expect(storage.mayWriteNow(1)).toBe(false);
      now += rest - 1;
      expect(storage.mayWriteNow(1)).toBe(false);
      now += 1;
      expect(storage.mayWriteNow(1)).toBe(true);
    }
    now += 20_000;
    write(storage, 10);
    now += 250;
    expect(storage.mayWriteNow(1)).toBe(true);
  });
});
