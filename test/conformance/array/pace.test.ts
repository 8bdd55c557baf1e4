// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readCommandLine } from "../../../conformance/array/command-line.ts";
import { Pace } from "../../../conformance/array/storage/pace.ts";
import { startArray, TestInitiator } from "./initiator.ts";

it("transfers of a medium with a rate follow each other", () => {
  const pace = new Pace(1_000_000);
  expect([pace.take(1000, 0), pace.take(2000, 0), pace.take(1000, 1)]).toEqual([1, 3, 3]);
  // After a rest it is free.
  expect(pace.take(500, 100)).toBe(0.5);
  expect(pace.take(0, 100)).toBe(0);
  expect(new Pace(0).take(1000, 0)).toBe(0);
});

it("data take the time that the rate of their LUN gives them, what has none takes none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tessera-array-"));
  const line = readCommandLine(["--lun", `${join(folder, "unit")}:1M,rate=1K`], "test");
  if (line === "help") throw new Error("no help was asked for");
  const waits: number[] = [];
  const clock = { now: () => 0, delay: async (ms: number) => void waits.push(ms) };
  const array = await startArray({ ...line.array, portals: [{ port: 0 }], clock });
  const initiator = await TestInitiator.ready(array);
  try {
    waits.length = 0;
    expect((await initiator.command("000000000000")).status).toBe(0);
    expect(waits).toEqual([]);
    expect((await initiator.command("8800 0000000000000000 00000002 0000", { in: 1024 })).status).toBe(0);
    expect((await initiator.command("8a00 0000000000000000 00000001 0000", { out: Buffer.alloc(512) })).status).toBe(0);
    expect(waits[1]).toBe((waits[0] ?? 0) + 500);
  } finally {
    initiator.end();
    await array.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
