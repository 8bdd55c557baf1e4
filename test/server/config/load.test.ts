// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError, defaultConfig, loadConfig, parseConfig } from "../../../src/server/config/load.ts";
import { StartupError } from "../../../src/server/startup-error.ts";

function messages(text: string): string[] {
  try {
    parseConfig(text, "t.yaml");
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.message.split("\n");
    }
    throw error;
  }
  return [];
}

describe("parseConfig", () => {
  it("fills in every default", () => {
    const config = parseConfig("shares: [{ name: data, path: /srv/data }]", "t.yaml");
    expect(config.server).toEqual(defaultConfig().server);
    expect(config.server.listen).toEqual([{ host: "0.0.0.0", port: 445 }]);
    expect(config.server.guest).toBe(false);
    expect(config.server.allowAnonymous).toBe(false);
    expect(config.shares[0]).toMatchObject({ name: "data", path: "/srv/data", readOnly: false, browseable: true });
  });

  it("accepts an empty file", () => {
    expect(parseConfig("", "t.yaml")).toEqual(defaultConfig());
    expect(parseConfig("# nothing yet\n", "t.yaml")).toEqual(defaultConfig());
  });

  it("reads dialects whether quoted or not", () => {
    const { server } = parseConfig("server: { minDialect: 3.0, maxDialect: 3.1.1 }", "t.yaml");
    expect(server.minDialect).toBe(0x0300);
    expect(server.maxDialect).toBe(0x0311);
    expect(parseConfig('server: { minDialect: 2.1, maxDialect: "2.1" }', "t.yaml").server.maxDialect).toBe(0x0210);
  });

  it("reads times in every unit", () => {
    const { timeouts } = parseConfig(
      "server: { timeouts: { negotiate: 500ms, authenticate: 2m, shutdown: 7 } }",
      "t.yaml",
    ).server;
    expect(timeouts).toMatchObject({ negotiate: 500, authenticate: 120_000, shutdown: 7000 });
  });

  it("names file, line, column and field of everything that is wrong, in the order of the file", () => {
    const text = [
      "server:",
      "  nmae: foo",
      "  listen: [ '1.2.3.4:99999', 5 ]",
      "  signing: requird",
      "  guest: true",
      "  timeouts: { negotiate: soon }",
      "shares:",
      "  - name: data",
      "    comment: 5",
      "  - name: a/b",
      "    path: x",
      "    users: { readWrite: alice }",
      "  - name: DATA",
      "    path: y",
      "    readOnly: yes",
    ].join("\n");
    expect(messages(text)).toEqual([
      "t.yaml:2:3: server.nmae is not a known key; did you mean name?",
      "t.yaml:3:13: server.listen[0] must be HOST:PORT, such as 0.0.0.0:445 or [::1]:4445",
      "t.yaml:3:30: server.listen[1] must be text, but is the value 5",
      't.yaml:4:12: server.signing must be one of required, enabled, but is the text "requird"; did you mean required?',
      "t.yaml:5:10: server.guest must be false or the name of a user",
      "t.yaml:6:26: server.timeouts.negotiate must be a time such as 30s, 500ms or 5m",
      "t.yaml:8:5: shares[0] needs a path or an array",
      "t.yaml:9:14: shares[0].comment must be text, but is the value 5",
      't.yaml:10:11: shares[1].name must not contain any of " \\ / [ ] : | < > + = ; , * ?',
      't.yaml:12:25: shares[1].users.readWrite must be a list, but is the text "alice"',
      't.yaml:13:11: shares[2].name is taken by an earlier share, "data" (upper and lower case are the same)',
      't.yaml:15:15: shares[2].readOnly must be true or false, but is the text "yes"',
    ]);
  });

  it("lists the known keys where no name is close", () => {
    expect(messages("zebra: 1")).toEqual([
      "t.yaml:1:1: zebra is not a known key; known here: server, offload, arrays, shares",
    ]);
  });

  it("explains fields that contradict each other", () => {
    expect(messages("server: { minDialect: 3.0, maxDialect: 2.1, encrypt: required }")).toEqual([
      "t.yaml:1:23: server.minDialect must not be above maxDialect",
      "t.yaml:1:54: server.encrypt cannot be required, because maxDialect is below 3.0 and only SMB 3 encrypts",
    ]);
  });

  it("points at keys without a value, at numbers out of range and at empty lists", () => {
    expect(
      messages(
        "server:\n  listen: []\n  limits: { credits: 70000, connections: 0, messageBytes: 15MiB }\nshares:\n  - name:\n    path: x",
      ),
    ).toEqual([
      "t.yaml:2:11: server.listen must not be empty",
      "t.yaml:3:22: server.limits.credits must be at most 65535, but is the value 70000",
      "t.yaml:3:42: server.limits.connections must be at least 1, but is the value 0",
      "t.yaml:3:59: server.limits.messageBytes must be at least 16 MiB",
      "t.yaml:5:10: shares[0].name must be text, but is empty",
    ]);
  });

  it("reports broken YAML, and keys given twice, with their place", () => {
    expect(messages("server: {\n")[0]).toMatch(/^t\.yaml:\d+:\d+: is not valid YAML: /);
    expect(messages("server: {}\nserver: {}\n")[0]).toMatch(/^t\.yaml:2:1: is not valid YAML: .*unique/);
  });

  it("answers any text with a configuration or a ConfigError", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab:-[]{},\n \"'&*!|>%@`#?serv0."), maxLength: 60 }), (text) => {
        for (const message of messages(text)) {
          expect(message).not.toBe("");
        }
      }),
    );
  });
});

describe("loadConfig", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-config-"));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it("resolves relative paths against the folder of the file", async () => {
    const file = path.join(folder, "tessera.yaml");
    await writeFile(
      file,
      "server: { usersFile: users, stateDirectory: /var/lib/x, logging: { destination: log/t.log } }\nshares: [{ name: a, path: ./a }]",
    );
    const config = await loadConfig(file);
    expect(config.server.usersFile).toBe(path.join(folder, "users"));
    expect(config.server.stateDirectory).toBe("/var/lib/x");
    expect(config.server.logging.destination).toBe(path.join(folder, "log/t.log"));
    expect(config.shares[0]?.path).toBe(path.join(folder, "a"));
  });

  it("says plainly that a file is missing or a folder", async () => {
    await expect(loadConfig(path.join(folder, "none.yaml"))).rejects.toThrow(
      new StartupError(`The configuration file ${path.join(folder, "none.yaml")} does not exist.`),
    );
    await expect(loadConfig(folder)).rejects.toThrow(`${folder} is a folder`);
  });
});
