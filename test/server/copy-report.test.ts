// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { CopyReport } from "../../src/server/copy-report.ts";
import { CountTable } from "../../src/server/count-table.ts";
import { silentLog } from "../../src/server/log.ts";
import { FakeClock } from "../support/fake-clock.ts";

describe("the report of copies", () => {
  let clock: FakeClock;
  let copied: CountTable;
  let refused: CountTable;
  let lines: object[];

  beforeEach(() => {
    clock = new FakeClock();
    copied = new CountTable();
    refused = new CountTable();
    lines = [];
  });

  function start(interval = 60_000): CopyReport {
    const log = { ...silentLog, info: (fields: object, message: string) => void lines.push({ ...fields, message }) };
    return new CopyReport({ log, clock, interval, copied, refused, tokens: () => ({ tokens: 2, pinnedBytes: 7 }) });
  }

  it("says what has come since the last one, and nothing where nothing has", () => {
    const report = start();
    clock.advance(60_000);
    expect(lines).toEqual([]);
    copied.add("odx", "reflink", 10);
    copied.add("odx", "zero", 5);
    refused.add("clone", "switched off", 1);
    clock.advance(60_000);
    copied.add("odx", "zero", 1);
    clock.advance(120_000);
    const line = { within: "1 min", tokens: 2, pinnedBytes: 7, message: "copies on the server" };
    expect(lines).toEqual([
      { ...line, bytes: { odx: { reflink: 10, zero: 5 } }, refused: { clone: { "switched off": 1 } } },
      { ...line, bytes: { odx: { zero: 1 } } },
    ]);
    report.close();
  });

  it("says the rest at the end, and then no more", () => {
    const report = start();
    refused.add("odx", "expired", 3);
    report.close();
    report.close();
    expect(lines).toMatchObject([{ refused: { odx: { expired: 3 } } }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("stays quiet when it is told to", () => {
    const report = start(0);
    copied.add("odx", "reflink", 10);
    clock.advance(1e9);
    report.close();
    expect(lines).toEqual([]);
  });
});
