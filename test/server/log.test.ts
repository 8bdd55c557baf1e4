// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../src/server/log.ts";
import { formatLogLine } from "../../src/server/log-text.ts";
import { StartupError } from "../../src/server/startup-error.ts";

describe("createLog", () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "tessera-log-"));
    file = path.join(folder, "deeper", "tessera.log");
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (overrides: Partial<Parameters<typeof createLog>[0]> = {}) =>
    createLog({ level: "info", format: "auto", destination: file, ...overrides });

  const lines = () =>
    readFileSync(file, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line));

  it("writes JSON into a file, from the level on", () => {
    const log = open();
    log.debug({}, "not this");
    log.warn({ client: "10.0.0.1" }, "this");
    log.level = "debug";
    log.debug({}, "and this");
    log.flush();
    expect(lines()).toMatchObject([
      { level: "warn", client: "10.0.0.1", msg: "this" },
      { level: "debug", msg: "and this" },
    ]);
  });

  it("never writes a secret, wherever it comes in", () => {
    const log = open();
    log.error(
      { password: "geheim", user: { ntHash: "geheim", name: "alice" }, session: { sessionKey: "geheim" } },
      "x",
    );
    log.flush();
    expect(readFileSync(file, "utf8")).not.toContain("geheim");
    expect(lines()).toMatchObject([{ user: { name: "alice" } }]);
  });

  it("goes on in a new file after log rotation", async () => {
    const log = open();
    log.info({}, "before");
    log.flush();
    renameSync(file, `${file}.1`);
    log.reopen();
    await new Promise((resolve) => setImmediate(resolve));
    log.info({}, "after");
    log.flush();
    expect(lines()).toMatchObject([{ msg: "after" }]);
  });

  it("says plainly that a file cannot be opened", () => {
    writeFileSync(path.join(folder, "file"), "");
    expect(() => open({ destination: path.join(folder, "file", "log") })).toThrow(StartupError);
    expect(() => open({ destination: folder })).toThrow(StartupError);
  });
});

describe("formatLogLine", () => {
  const line = (fields: object) => formatLogLine(JSON.stringify({ time: "2025-01-02T03:04:05.678Z", ...fields }));

  it("puts time, level and message first", () => {
    expect(line({ level: "info", msg: "listening", address: "127.0.0.1:445", shares: 2 })).toBe(
      "03:04:05.678 INFO  listening address=127.0.0.1:445 shares=2\n",
    );
  });

  it("quotes what has blanks, and shows objects as JSON", () => {
    expect(line({ level: "warn", msg: "m", name: "a b", empty: "", object: { a: 1 } })).toBe(
      '03:04:05.678 WARN  m name="a b" empty="" object={"a":1}\n',
    );
  });

  it("lets no client move the cursor or fake a line", () => {
    const text = line({ level: "info", msg: "m", name: "x\n03:04:05.678 ERROR fake\u001b[2J\u202e" });
    expect(text.split("\n")).toHaveLength(2);
    expect(text).toContain("\\u001b[2J\\u202e");
  });

  it("shows the stack of an error below its line", () => {
    const text = line({ level: "error", msg: "m", err: { message: "boom", stack: "Error: boom\n    at f" } });
    expect(text).toBe("03:04:05.678 ERROR m\n    Error: boom\n        at f\n");
  });
});
