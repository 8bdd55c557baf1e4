// SPDX-License-Identifier: Apache-2.0

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runCommandLine } from "../../../src/server/cli/program.ts";
import { DEFAULT_CONFIG_FILE } from "../../../src/server/cli/serve-options.ts";

describe("tessera", () => {
  let folder: string;
  let users: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-cli-"));
    users = path.join(folder, "users.json");
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true });
  });

  async function run(...args: readonly string[]) {
    const output = { out: "", err: "" };
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      output.out += String(text);
      return true;
    });
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      output.err += String(text);
      return true;
    });
    const code = await runCommandLine(args);
    vi.restoreAllMocks();
    return { code, ...output };
  }

  it("tells its version", async () => {
    const { version } = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await run("--version")).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  it.each([
    [[]],
    [["serve"]],
    [["start"]],
    [["user"]],
    [["user", "add"]],
    [["user", "list"]],
    [["check-config"]],
    [["stats"]],
    [["tokens"]],
  ])("explains %j", async (command) => {
    const { code, out } = await run(...command, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`Usage: ${["tessera", ...command].join(" ")}`);
  });

  it.each([
    [["nonsense"], "unknown command"],
    [["serve", "--nonsense"], "unknown option"],
    [["user", "add"], "missing required argument"],
    [["serve", "--share", "x"], "must be NAME=DIR"],
    [["serve", "--share", "x=/", "--user", "secret1"], "must be NAME:PASSWORD"],
  ])("ends %j with 2", async (args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).not.toContain("secret1");
    expect(err).not.toMatch(/\n +at /);
  });

  it.skipIf(existsSync(DEFAULT_CONFIG_FILE))("says what to do when there is nothing to serve", async () => {
    const { code, err } = await run("serve");
    expect(code).toBe(2);
    expect(err).toContain("For example: tessera serve --listen");
  });

  it.each(["stats", "tokens"])("says when there is no server that %s could ask", async (command) => {
    const config = path.join(folder, "tessera.yaml");
    await writeFile(config, "server: { stateDirectory: state }\n");
    expect(await run(command, "--config", config)).toEqual({
      code: 1,
      out: "",
      err:
        `tessera: No server is running that keeps its state in ${folder}/state.\n` +
        "Name the configuration of the server that you mean: --config FILE\n",
    });
  });

  it("ends with 1 and a plain message when it cannot start", async () => {
    vi.stubEnv("XDG_STATE_HOME", folder);
    const { code, err } = await run("serve", "--share", `data=${folder}/missing`, "--user", "alice:secret1");
    vi.unstubAllEnvs();
    expect({ code, err }).toEqual({
      code: 1,
      err: `tessera: The share "data" cannot be served: the folder ${folder}/missing does not exist.\n`,
    });
  });

  it("keeps users in a file for its owner alone", async () => {
    const added = await run("user", "add", "Alice", "--password", "secret1", "--admin", "--users-file", users);
    expect(added.code).toBe(0);
    expect(added.err).toContain("Warning: a password on the command line");
    expect((await stat(users)).mode & 0o777).toBe(0o600);
    expect(await readFile(users, "utf8")).not.toContain("secret1");
    const listed = await run("user", "list", "--users-file", users);
    expect(listed.out).toMatch(/^Alice\tS-1-5-21-\d+-\d+-\d+-1000\tadministrator\n$/);
    await run("user", "add", "alice", "--password", "secret2", "--no-admin", "--users-file", users);
    expect((await run("user", "list", "--users-file", users)).out).toMatch(/^Alice\tS-1-5-21-\d+-\d+-\d+-1000\n$/);
    expect((await run("user", "remove", "ALICE", "--users-file", users)).code).toBe(0);
    expect((await run("user", "list", "--users-file", users)).out).toBe("");
    expect(await run("user", "remove", "alice", "--users-file", users)).toMatchObject({
      code: 1,
      err: "tessera: There is no user alice.\n",
    });
  });

  it("finds the users file by the configuration", async () => {
    const config = path.join(folder, "tessera.yaml");
    await writeFile(config, "server: { stateDirectory: state }\n");
    const missing = await run("user", "list", "--config", config);
    expect(missing).toMatchObject({ code: 1, out: "" });
    expect(missing.err).toContain("There are no users yet");
    await run("user", "add", "bob", "--password", "x", "--config", config);
    expect((await run("user", "list", "--config", config)).out).toMatch(/^bob\t/);
    expect(existsSync(path.join(folder, "state/users.json"))).toBe(true);
  });

  it("checks configurations", async () => {
    const config = path.join(folder, "tessera.yaml");
    await writeFile(config, "server: { listen: ['[::1]:4445'] }\nshares: [{ name: a, path: . }]\n");
    const { code, out, err } = await run("check-config", config);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out.startsWith(`${config} is valid.\nListens on [::1]:4445.\nShares: a.\n`)).toBe(true);
    await writeFile(config, "offload: { keyFiles: [group.key] }\n");
    const keyless = await run("check-config", config);
    expect(keyless).toMatchObject({ code: 1, out: "" });
    expect(keyless.err).toContain(`The key file ${folder}/group.key does not exist.`);
    await writeFile(config, "sevrer: {}\n");
    expect(await run("check-config", config)).toEqual({
      code: 1,
      out: "",
      err: `tessera: the configuration is not valid.\n${config}:1:1: sevrer is not a known key; did you mean server?\n`,
    });
  });
});
