// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { DirtyPages, type DirtyPagesSeen, lookAtDirtyPages } from "../../../src/vfs/posix/dirty-pages.ts";

const PAGE = 4096;

/** Room for 400 pages between what is dirty and the middle of the thresholds. */
const roomy: DirtyPagesSeen = { dirty: 1000, background: 1000, threshold: 1800 };

function setUp(first: DirtyPagesSeen | undefined) {
  const state = { now: 0, seen: first, looks: 0 };
  const pages = new DirtyPages(
    () => {
      state.looks++;
      return state.seen;
    },
    () => state.now,
  );
  return { state, pages };
}

describe("DirtyPages", () => {
  it("gives out a quarter of the room that it sees before it looks again", () => {
    const { state, pages } = setUp(roomy);
    for (let count = 0; count < 100; count++) expect(pages.take(PAGE)).toBe(true);
    expect(state.looks).toBe(1);
    state.seen = { ...roomy, dirty: 1100 };
    for (let count = 0; count < 75; count++) expect(pages.take(PAGE)).toBe(true);
    expect(state.looks).toBe(2);
  });

  it("has no room past the middle of the thresholds, and looks again after a tenth of a second", () => {
    const { state, pages } = setUp({ ...roomy, dirty: 1400 });
    expect(pages.take(1)).toBe(false);
    state.seen = roomy;
    state.now = 99;
    expect(pages.take(1)).toBe(false);
    expect(state.looks).toBe(1);
    state.now = 100;
    expect(pages.take(1)).toBe(true);
    expect(state.looks).toBe(2);
  });

  it("does not trust an old look", () => {
    const { state, pages } = setUp(roomy);
    expect(pages.take(PAGE)).toBe(true);
    state.seen = { ...roomy, dirty: 2000 };
    state.now = 100;
    expect(pages.take(PAGE)).toBe(false);
  });

  it("refuses more than there is room for", () => {
    const { pages } = setUp(roomy);
    expect(pages.take(101 * PAGE)).toBe(false);
  });

  it("has no room where nobody tells", () => {
    expect(setUp(undefined).pages.take(1)).toBe(false);
  });

  it("reads what Linux tells", () => {
    const seen = lookAtDirtyPages();
    expect(seen?.threshold).toBeGreaterThan(seen?.background ?? Number.POSITIVE_INFINITY);
    expect(seen?.dirty).toBeGreaterThanOrEqual(0);
  });
});
