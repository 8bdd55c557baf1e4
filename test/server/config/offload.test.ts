// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { defaultOffloadOptions } from "../../../src/offload/engine.ts";
import { ConfigError, parseConfig } from "../../../src/server/config/load.ts";

function problems(text: string): string[] {
  try {
    parseConfig(text, "t.yaml");
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("the configuration of copies on the server", () => {
  it("has the engine's defaults", () => {
    const { offload } = parseConfig("", "t.yaml");
    expect(offload).toMatchObject({ tokenScope: defaultOffloadOptions.tokenScope, keyFiles: [], logInterval: 300_000 });
    expect(offload.limits.tokenBytes).toBe(defaultOffloadOptions.maxTokenBytes);
    expect(offload.timeToLive.default).toBe(defaultOffloadOptions.defaultTimeToLive);
  });

  it("reads sizes and times in units, and the switches of shares", () => {
    const { offload, shares } = parseConfig(
      [
        "offload:",
        "  tokenScope: cluster",
        "  keyFiles: [a.key, b.key]",
        "  clockSkew: 5s",
        "  timeToLive: { default: 1m, minimum: 10s, maximum: 2h }",
        "  limits: { tokens: 10, tokensPerSession: 5, tokenBytes: 1TiB, preservedBytes: 0, bytesPerCall: 64MiB, timePerCall: 500ms }",
        "  logInterval: 0",
        "shares:",
        "  - { name: a, path: /a }",
        "  - { name: b, path: /b, offload: { odx: false } }",
      ].join("\n"),
      "t.yaml",
    );
    expect(offload).toEqual({
      tokenScope: "cluster",
      keyFiles: ["a.key", "b.key"],
      clockSkew: 5000,
      timeToLive: { default: 60_000, minimum: 10_000, maximum: 7_200_000 },
      limits: {
        tokens: 10,
        tokensPerSession: 5,
        tokenBytes: 1024 ** 4,
        preservedBytes: 0,
        bytesPerCall: 64 * 1024 ** 2,
        timePerCall: 500,
      },
      logInterval: 0,
    });
    expect(shares.map((share) => share.offload)).toEqual([
      { odx: true, copychunk: true, clone: true },
      { odx: false, copychunk: true, clone: true },
    ]);
  });

  it("names line, field and what is wrong", () => {
    const text = [
      "offload:",
      "  tokenScope: cluster",
      "  timeToLive: { default: 1h, minimum: 10m, maximum: 30m }",
      "  limits:",
      "    tokens: 0",
      "    bytesPerCall: 1KiB",
      "    preservedBytes: much",
      "    timePerCall: 5m",
      "  logIntervall: 5m",
      "shares:",
      "  - { name: a, path: /a, offload: { odx: maybe, copychunks: true } }",
    ].join("\n");
    expect(problems(text)).toEqual([
      "t.yaml:2:15: offload.tokenScope cannot be cluster without a key in keyFiles that the other servers have too",
      "t.yaml:3:26: offload.timeToLive.default must lie between minimum and maximum",
      "t.yaml:5:13: offload.limits.tokens must be at least 1, but is the value 0",
      "t.yaml:6:19: offload.limits.bytesPerCall must be at least 64 KiB",
      "t.yaml:7:21: offload.limits.preservedBytes must be a size such as 64KiB, 256MiB or 1GiB",
      "t.yaml:8:18: offload.limits.timePerCall must be at most 30 s",
      "t.yaml:9:3: offload.logIntervall is not a known key; did you mean logInterval?",
      't.yaml:11:42: shares[0].offload.odx must be true or false, but is the text "maybe"',
      "t.yaml:11:49: shares[0].offload.copychunks is not a known key; did you mean copychunk?",
    ]);
    expect(problems("offload: { timeToLive: { minimum: 2h, maximum: 1h } }")).toEqual([
      "t.yaml:1:35: offload.timeToLive.minimum must not be above maximum",
    ]);
  });
});
