// SPDX-License-Identifier: Apache-2.0

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { askServer } from "../../src/server/control-client.ts";
import { controlSocketOf, type ServerStats, statsSchema, tokensSchema } from "../../src/server/control-messages.ts";
import { type ControlSource, serveControl } from "../../src/server/control-socket.ts";
import { silentLog } from "../../src/server/log.ts";
import { StartupError } from "../../src/server/startup-error.ts";

const STATS: ServerStats = {
  version: "1.2.3",
  pid: 7,
  started: 1000,
  now: 2000,
  connections: 1,
  sessions: 2,
  opens: 3,
  requests: 4,
  readBytes: 5,
  writtenBytes: 6,
  copies: [{ operation: "odx", way: "reflink", bytes: 2 ** 50 }],
  refusals: [{ operation: "clone", reason: "switched off", count: 1 }],
  tokens: { tokens: 1, bytes: 2, pins: 3, pinnedBytes: 4, preservedBytes: 5 },
  eventLoopDelay: { median: 0.001, p99: 0.1, longest: 0.2 },
  residentBytes: 100,
};

const source: ControlSource = { stats: () => STATS, tokens: () => ({ now: 5, tokens: [] }) };

describe("the control socket", () => {
  let folder: string;
  let file: string;
  let warnings: object[];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-control-"));
    file = controlSocketOf(folder);
    warnings = [];
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function serve(name = file) {
    const log = { ...silentLog, warn: (fields: object) => void warnings.push(fields) };
    const control = await serveControl(name, source, log);
    onTestFinished(() => control?.close());
    return control;
  }

  const refusal = async (promise: Promise<unknown>): Promise<StartupError> => {
    const error: unknown = await promise.catch((reason: unknown) => reason);
    if (error instanceof StartupError) return error;
    throw new Error("no StartupError", { cause: error });
  };

  it("answers its owner, and nobody else can reach it from the moment it is there", async () => {
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    await serve();
    expect(process.umask()).toBe(0);
    expect((await stat(file)).mode & 0o7777).toBe(0o600);
    expect(await askServer(file, "/stats", statsSchema)).toEqual(STATS);
    expect(await askServer(file, "/tokens", tokensSchema)).toEqual({ now: 5, tokens: [] });
  });

  it("answers nothing else", async () => {
    await serve();
    const status = (name: string, method = "GET") =>
      new Promise<number | undefined>((resolve, reject) => {
        get({ socketPath: file, path: name, method, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on("error", reject);
      });
    expect(await status("/etc/passwd")).toBe(404);
    expect(await status("/toString")).toBe(404);
    expect(await status("/stats", "POST")).toBe(405);
    expect(await status("/stats")).toBe(200);
  });

  it("is gone after the end", async () => {
    const control = await serve();
    await control?.close();
    expect(existsSync(file)).toBe(false);
    const error = await refusal(askServer(file, "/stats", statsSchema));
    expect(error.message).toBe(`No server is running that keeps its state in ${folder}.`);
  });

  it("takes the place of one that a killed process has left behind", async () => {
    const script = `require("net").createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script], { timeout: 10_000 });
    expect((await stat(file)).isSocket()).toBe(true);
    expect((await refusal(askServer(file, "/stats", statsSchema))).message).toContain("No server is running");
    expect(await serve()).toBeDefined();
    expect(warnings).toEqual([]);
    expect(await askServer(file, "/stats", statsSchema)).toEqual(STATS);
  });

  it("leaves one alone behind which a server is alive", async () => {
    await serve();
    const { ino } = await stat(file);
    expect(await serve()).toBeUndefined();
    expect(warnings).toEqual([{ file, reason: "another server with the same state directory is running" }]);
    expect((await stat(file)).ino).toBe(ino);
    expect(await askServer(file, "/stats", statsSchema)).toEqual(STATS);
  });

  it("does not touch what is no socket", async () => {
    await writeFile(file, "mine");
    expect(await serve()).toBeUndefined();
    expect(warnings).toEqual([{ file, reason: "it is no socket" }]);
    expect(await readFile(file, "utf8")).toBe("mine");
  });

  it("says so where it cannot be", async () => {
    expect(await serve(path.join(folder, "missing/control.sock"))).toBeUndefined();
    expect(await serve(path.join(folder, "x".repeat(100), "control.sock"))).toBeUndefined();
    await symlink("nowhere/at/all", path.join(folder, "dangling"));
    expect(await serve(path.join(folder, "dangling"))).toBeUndefined();
    expect(warnings).toHaveLength(3);
    expect(warnings).toMatchObject([{}, { reason: "the path is too long for a socket" }, {}]);
  });
});
