// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { BoundedMap } from "../../../src/vfs/posix/bounded-map.ts";

it("a bounded map keeps what is used and no more than it may", () => {
  const map = new BoundedMap<number, string>(10);
  map.set(0, "kept");
  for (let key = 1; key < 1000; key++) {
    map.set(key, `${key}`);
    expect(map.get(key)).toBe(`${key}`);
    expect(map.get(0)).toBe("kept");
    expect(map.size).toBeLessThanOrEqual(10);
  }
  expect(map.get(1)).toBeUndefined();
  map.set(0, "new");
  expect(map.get(0)).toBe("new");
  map.delete(0);
  expect(map.get(0)).toBeUndefined();
  map.clear();
  expect(map.size).toBe(0);
});
