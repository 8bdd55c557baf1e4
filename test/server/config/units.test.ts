// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  formatDuration,
  formatHostPort,
  formatSize,
  isLoopback,
  parseDuration,
  parseHostPort,
  parseSize,
} from "../../../src/server/config/units.ts";

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

describe("parseSize", () => {
  it.each([
    ["512B", 512],
    ["64 KiB", 65_536],
    ["1.5GiB", 1_610_612_736],
    ["64TiB", 64 * 1024 ** 4],
    ["1PiB", 1024 ** 5],
    [4096, 4096],
    [0, 0],
  ])("reads %j", (value, expected) => {
    expect(parseSize(value)).toBe(expected);
  });

  it.each(["", "64", "64KB", "64k", "-1B", "1e3B", "9PiBs", "99999999PiB", -1, 1.5, Number.NaN])(
    "refuses %j",
    (value) => {
      expect(parseSize(value)).toBeUndefined();
    },
  );
});

describe("sizes and times for people", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [200_000_000, "191 MiB"],
    [64 * 1024 ** 4, "64 TiB"],
    [5000 * 1024 ** 5, "5000 PiB"],
  ])("%d bytes are %s", (bytes, expected) => {
    expect(formatSize(bytes)).toBe(expected);
  });

  it.each([
    [0, "0 ms"],
    [0.1359, "0.136 ms"],
    [999, "999 ms"],
    [4500, "4.5 s"],
    [59_900, "59.9 s"],
    [60_000, "1 min"],
    [750_000, "12 min 30 s"],
    [7_500_000, "2 h 5 min"],
    [3_600_000, "1 h"],
    [3 * 86_400_000 + 1000, "3 d"],
    [273_600_000, "3 d 4 h"],
  ])("%d milliseconds are %s", (milliseconds, expected) => {
    expect(formatDuration(milliseconds)).toBe(expected);
  });
});

describe("isLoopback", () => {
  it.each(["127.0.0.1", "127.8.9.10", "::1", "localhost", "::ffff:127.0.0.1"])("knows %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(["0.0.0.0", "::", "192.0.2.1", "127.0.0.1.example.org", "localhost.example.org"])("not %s", (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});
