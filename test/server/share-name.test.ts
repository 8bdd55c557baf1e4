// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { shareNameProblem } from "../../src/server/share-name.ts";

describe("shareNameProblem", () => {
  it.each(["data", "Data 2", "C$", "a".repeat(80), "Müller & Söhne", "日本"])("accepts %j", (name) => {
    expect(shareNameProblem(name)).toBeUndefined();
  });

  it.each([...'"\\/[]:|<>+=;,*?'])("refuses a name with %j", (character) => {
    expect(shareNameProblem(`a${character}b`)).toMatch(/must not contain any of/);
  });

  it.each([
    ["", /empty/],
    ["a".repeat(81), /longer than 80/],
    ["a\u0007", /control/],
    [" a", /space/],
    ["a ", /space/],
    ["IPC$", /keeps for itself/],
    ["Pipe", /keeps for itself/],
    ["MAILSLOT", /keeps for itself/],
  ])("refuses %j", (name, reason) => {
    expect(shareNameProblem(name)).toMatch(reason);
  });
});
