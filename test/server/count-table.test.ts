// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { CountTable } from "../../src/server/count-table.ts";

it("sums by both names", () => {
  const table = new CountTable();
  table.add("a", "x", 1);
  table.add("b", "x", 2);
  table.add("a", "x", 3);
  table.add("a", "y", 0);
  expect([...table.entries()]).toEqual([
    { row: "a", column: "x", count: 4 },
    { row: "a", column: "y", count: 0 },
    { row: "b", column: "x", count: 2 },
  ]);
});
