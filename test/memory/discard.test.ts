// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { discard } from "../../src/memory/discard.ts";

describe("discard", () => {
  it("takes the memory of a large buffer", () => {
    for (let round = 0; round < 3; round++) {
      const buffer = Buffer.alloc(64 * 1024, 1);
      discard(buffer);
      expect(buffer.length).toBe(0);
      expect(buffer.buffer.byteLength).toBe(0);
    }
  });

  it("leaves small buffers alone", () => {
    const buffer = Buffer.from("small");
    discard(buffer);
    expect(buffer.toString()).toBe("small");
  });

  it("leaves memory alone that the buffer is only a part of", () => {
    const whole = Buffer.alloc(128 * 1024, 1);
    discard(whole.subarray(0, 64 * 1024));
    discard(whole.subarray(64 * 1024));
    expect(whole.length).toBe(128 * 1024);
  });

  it("leaves memory alone that cannot change its owner", () => {
    const shared = Buffer.from(new SharedArrayBuffer(64 * 1024));
    discard(shared);
    expect(shared.length).toBe(64 * 1024);
  });
});
