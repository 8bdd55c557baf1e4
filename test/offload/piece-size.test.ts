// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { PieceSize } from "../../src/offload/piece-size.ts";

const MIB = 1024 * 1024;
const anything = Number.POSITIVE_INFINITY;

describe("the size of a piece", () => {
  it("grows while pieces are over in a moment, up to a bound", () => {
    const size = new PieceSize();
    const sizes = Array.from({ length: 5 }, () => {
      const bytes = size.next(anything);
      size.took(bytes, 24);
      return bytes / MIB;
    });
    expect(sizes).toEqual([8, 16, 32, 32, 32]);
  });

  it("stays where pieces take longer, and begins anew where one takes long", () => {
    const size = new PieceSize();
    for (const milliseconds of [1, 1, 25, 100]) size.took(size.next(anything), milliseconds);
    expect(size.next(anything)).toBe(32 * MIB);
    size.took(size.next(anything), 101);
    expect(size.next(anything)).toBe(8 * MIB);
  });

  it("learns nothing from the quick end of a copy", () => {
    const size = new PieceSize();
    size.took(MIB, 0);
    expect(size.next(anything)).toBe(8 * MIB);
  });

  it("is no more than is wanted, but for the smallest", () => {
    const size = new PieceSize();
    for (let piece = 0; piece < 3; piece++) size.took(size.next(anything), 1);
    expect(size.next(20 * MIB)).toBe(20 * MIB);
    expect(size.next(1)).toBe(8 * MIB);
  });

  it("begins anew after a piece in vain", () => {
    const size = new PieceSize();
    size.took(size.next(anything), 1);
    size.failed();
    expect(size.next(anything)).toBe(8 * MIB);
  });
});
