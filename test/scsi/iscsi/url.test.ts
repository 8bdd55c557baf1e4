// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { formatPortal } from "../../../src/scsi/iscsi/transport.ts";
import { isIscsiName, parseIscsiUrl, parsePortal } from "../../../src/scsi/iscsi/url.ts";

describe("parsePortal", () => {
  it.each([
    ["array", { host: "array", port: 3260 }],
    ["192.0.2.1:13260,2", { host: "192.0.2.1", port: 13260, portalGroupTag: 2 }],
    ["[2001:db8::1]:3261", { host: "2001:db8::1", port: 3261 }],
    ["[fe80::1%eth0],1", { host: "fe80::1%eth0", port: 3260, portalGroupTag: 1 }],
  ])("reads %s", (text, portal) => {
    expect(parsePortal(text)).toEqual(portal);
  });

  it.each(["", ":3260", "a:0", "a:65536", "a b", "[]:1", "a:1:2", "2001:db8::1"])("refuses %j", (text) => {
    expect(parsePortal(text)).toBeUndefined();
  });

  it("is the inverse of formatPortal", () => {
    for (const text of ["array:3260", "[::1]:1"])
      expect(formatPortal(parsePortal(text) ?? { host: "", port: 0 })).toBe(text);
  });
});

describe("parseIscsiUrl", () => {
  const portal = { host: "h", port: 3260 };
  const targetName = "iqn.2026-01.test:t";

  it("reads portal, target and LUN, as much as there is", () => {
    expect(parseIscsiUrl("iscsi://h")).toEqual({ portal, targetName: undefined, lun: undefined });
    expect(parseIscsiUrl(`iscsi://h/${targetName}/`)).toEqual({ portal, targetName, lun: undefined });
    expect(parseIscsiUrl(`iscsi://h:3260/${targetName}/1`)).toEqual({ portal, targetName, lun: 1n << 48n });
  });

  it.each([
    "h",
    "http://h/",
    "iscsi:///t/0",
    "iscsi://h/target/0",
    `iscsi://h/${targetName}/x`,
    `iscsi://h/${targetName}/0/0`,
  ])("refuses %j", (text) => {
    expect(parseIscsiUrl(text)).toBeUndefined();
  });
});

describe("isIscsiName", () => {
  it("knows the three kinds", () => {
    expect(["iqn.2026-01.x:y", "eui.02004567A425678D", "naa.52004567BA64678D"].every(isIscsiName)).toBe(true);
    expect(["x", "iqn.", "iqn.a b", `iqn.${"a".repeat(300)}`].some(isIscsiName)).toBe(false);
  });
});
