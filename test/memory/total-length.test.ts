// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { totalLength } from "../../src/memory/total-length.ts";

it("totalLength counts the bytes of all buffers", () => {
  expect(totalLength([])).toBe(0);
  expect(totalLength([Buffer.alloc(3), Buffer.alloc(0), Buffer.alloc(70_000)])).toBe(70_003);
});
