// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { RefusalLog } from "../../src/smb2/refusal-log.ts";
import type { Logger } from "../../src/smb2/server-context.ts";
import { FakeClock } from "../support/fake-clock.ts";

describe("the log of refusals", () => {
  const start = () => {
    const lines: { level: string; fields: object; message: string }[] = [];
    const line = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
    const logger: Logger = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
    const clock = new FakeClock();
    return { lines, clock, log: new RefusalLog(logger, clock, "refused") };
  };

  it("writes each line while there are few", () => {
    const { lines, clock, log } = start();
    for (let i = 0; i < 100; i++) {
      log.write("info", { i });
      clock.advance(3000);
    }
    expect(lines.map(({ fields }) => fields)).toEqual(Array.from({ length: 100 }, (_, i) => ({ i })));
  });

  it("leaves lines out when there are many, and says how many", () => {
    const { lines, clock, log } = start();
    for (let i = 0; i < 10_000; i++) log.write("warn", { i });
    expect(lines).toHaveLength(20);
    clock.advance(60_000);
    expect(lines.slice(20)).toEqual([
      { level: "warn", fields: { count: 9980 }, message: "refused: lines were left out" },
    ]);
    log.write("info", { again: true });
    expect(lines.at(-1)).toEqual({ level: "info", fields: { again: true }, message: "refused" });
  });

  it("recovers one line at a time", () => {
    const { lines, clock, log } = start();
    for (let i = 0; i < 30; i++) log.write("warn", { i });
    clock.advance(3000);
    log.write("warn", { late: true });
    log.write("warn", { late: false });
    expect(lines).toHaveLength(21);
  });
});
