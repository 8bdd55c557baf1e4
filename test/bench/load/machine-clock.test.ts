// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { machineClock } from "../../../bench/load/machine-clock.ts";

it("sums up what the processors of the machine did", () => {
  const stat = "cpu  100 20 300 4000 500 60 7 13 11 12\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
  // Guests are in user and nice already.
  expect(machineClock(stat)).toEqual({ busy: 5, idle: 45 });
});
