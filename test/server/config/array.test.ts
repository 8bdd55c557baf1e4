// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConfigError, loadConfig, parseConfig } from "../../../src/server/config/load.ts";

/** YAML, as JSON is. */
const array = (change: object = {}) => ({
  name: "san1",
  target: "iqn.2026-01.com.example:array",
  portals: ["192.0.2.10"],
  luns: [0],
  catalogue: "/c",
  ...change,
});

const text = (...arrays: readonly object[]) => JSON.stringify({ arrays });

function problems(yaml: string): string[] {
  try {
    parseConfig(yaml, "t.yaml");
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ field, message }) => `${field} ${message}`);
    throw error;
  }
}

describe("arrays of a configuration", () => {
  it("have LUNs, portals and defaults", () => {
    const [config] = parseConfig(text(array()), "t.yaml").arrays;
    expect(config).toEqual({
      name: "san1",
      target: "iqn.2026-01.com.example:array",
      portals: [{ host: "192.0.2.10", port: 3260 }],
      luns: [0n],
      catalogue: "/c",
      digests: "none",
      readOnly: false,
      foreignTokens: "accept",
    });
  });

  it("may prove themselves, with secrets in files beside the configuration", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "tessera-config-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, "t.yaml");
    const chap = { user: "gw", secretFile: "s1", targetUser: "t", targetSecretFile: "s2" };
    const shares = [{ name: "data", array: "san1" }];
    await writeFile(file, JSON.stringify({ arrays: [array({ catalogue: "c", chap })], shares }));
    const config = await loadConfig(file);
    const { arrays } = config;
    expect(arrays[0]?.catalogue).toBe(path.join(folder, "c"));
    expect(arrays[0]?.chap).toMatchObject({
      secretFile: path.join(folder, "s1"),
      targetSecretFile: path.join(folder, "s2"),
    });
    expect(config.shares[0]).toMatchObject({ array: "san1", path: undefined });
  });

  it.each([
    [text(array({ target: "array" })), "arrays[0].target must be an iSCSI name: iqn.…, eui.… or naa.…"],
    [text(array({ portals: [] })), "arrays[0].portals"],
    [text(array({ luns: ["x"] })), "arrays[0].luns[0] must be the number of a LUN"],
    [
      text(array({ chap: { user: "a", secretFile: "b", targetUser: "c" } })),
      "arrays[0].chap.targetSecretFile is missing",
    ],
    [text(array({ foreignTokens: "maybe" })), "arrays[0].foreignTokens"],
    ["shares: [{ name: data }]", "shares[0] needs a path or an array"],
    ["shares: [{ name: data, array: san2 }]", "shares[0].array is none of the arrays"],
    ["shares: [{ name: data, array: san1, path: /srv }]", "shares[0] cannot have both a path and an array"],
  ])("are refused: %s", (yaml, expected) => {
    expect(problems(yaml).join("\n")).toContain(expected);
  });

  it("have a name and a catalogue of their own", () => {
    expect(problems(text(array(), array()))).toEqual([
      "arrays[1].name is taken already",
      "arrays[1].catalogue belongs to another array already",
    ]);
  });
});
