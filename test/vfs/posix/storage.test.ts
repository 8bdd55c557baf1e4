// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Storage } from "../../../src/vfs/posix/storage.ts";

const traits = { inMemory: false, clones: true, reserves: false };

describe("writes", () => {
  let now = 0;
  const write = (storage: Storage, milliseconds: number): number =>
    storage.timed(() => {
      now += milliseconds;
      return 7;
    });

  it("are made at once, large ones where the kernel lets writers run freely", () => {
    let free = 0;
    const takes = (bytes: number) => {
      free -= bytes;
      return free >= 0;
    };
    const storage = new Storage(4096, traits, () => now, takes);
    expect(storage.mayWriteNow(65_536)).toBe(true);
    expect(storage.mayWriteNow(65_537)).toBe(false);
    free = 1 << 20;
    expect(storage.mayWriteNow(1 << 20)).toBe(true);
    expect(storage.mayWriteNow(1 << 20)).toBe(false);
    free = 8 << 20;
    expect(storage.mayWriteNow((1 << 20) + 1)).toBe(false);
    write(storage, 10);
    expect(storage.mayWriteNow(65_537)).toBe(false);
    const memory = new Storage(
      4096,
      { ...traits, inMemory: true },
      () => now,
      () => false,
    );
    expect(memory.mayWriteNow(1 << 20)).toBe(true);
  });

  it("go on at once after a quick one", () => {
    const storage = new Storage(
      4096,
      traits,
      () => now,
      () => false,
    );
    expect(storage.mayWriteNow(65_536)).toBe(true);
    expect(write(storage, 1)).toBe(7);
    expect(storage.mayWriteNow(4096)).toBe(true);
  });

  it("rest after a slow one, longer each time, until it goes well", () => {
    now = 100_000;
    const storage = new Storage(
      4096,
      traits,
      () => now,
      () => false,
    );
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
