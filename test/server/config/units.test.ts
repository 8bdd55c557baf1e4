// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { formatHostPort, parseDuration, parseHostPort } from "../../../src/server/config/units.ts";

describe("parseHostPort", () => {
  it.each([
    ["127.0.0.1:4445", { host: "127.0.0.1", port: 4445 }],
    ["[::1]:4445", { host: "::1", port: 4445 }],
    ["[fe80::1%eth0]", { host: "fe80::1%eth0", port: 445 }],
    ["nas.example:0", { host: "nas.example", port: 0 }],
    ["nas", { host: "nas", port: 445 }],
  ])("reads %s", (text, expected) => {
    expect(parseHostPort(text, 445)).toEqual(expected);
  });

  it.each(["", ":445", "::1:445", "host:65536", "host:", "host:x", "a b:1", "[::1"])("refuses %j", (text) => {
    expect(parseHostPort(text, 445)).toBeUndefined();
  });

  it("is undone by formatHostPort", () => {
    expect(formatHostPort({ host: "::1", port: 445 })).toBe("[::1]:445");
    expect(formatHostPort({ host: "10.0.0.1", port: 445 })).toBe("10.0.0.1:445");
  });
});

describe("parseDuration", () => {
  it.each([
    ["250ms", 250],
    ["1.5s", 1500],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    [30, 30_000],
    [0, 0],
  ])("reads %j", (value, expected) => {
    expect(parseDuration(value)).toBe(expected);
  });

  it.each(["", "5", "s", "-1s", "1 week", -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses %j", (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });
});
