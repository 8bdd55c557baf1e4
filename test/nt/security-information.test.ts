// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Access } from "../../src/nt/access-mask.ts";
import { AceFlag } from "../../src/nt/acl.ts";
import {
  readSecurityDescriptor,
  SecurityControl,
  serialiseSecurityDescriptor,
} from "../../src/nt/security-descriptor.ts";
import {
  mergeSecurityInformation,
  SecurityInformation,
  selectSecurityInformation,
} from "../../src/nt/security-information.ts";
import { NtStatus } from "../../src/nt/status.ts";
import {
  ALICE,
  acl,
  allow,
  audit,
  BOB,
  controlOf,
  deny,
  descriptor,
  entries,
  label,
  STAFF,
} from "./security-builders.ts";

const { OWNER, GROUP, DACL, SACL, LABEL, BACKUP } = SecurityInformation;
const C = SecurityControl;

describe("selectSecurityInformation", () => {
  const whole = descriptor({
    control: C.OWNER_DEFAULTED | C.GROUP_DEFAULTED | C.DACL_PROTECTED | C.SACL_AUTO_INHERITED,
    dacl: acl(allow(ALICE, 1), deny(BOB, 2)),
    sacl: acl(audit(BOB, 2), label(8192)),
  });

  it("gives a bare header for no flags, and for unknown ones", () => {
    const bare = `01000080${"00".repeat(16)}`;
    expect(selectSecurityInformation(whole, 0).toString("hex")).toBe(bare);
    expect(selectSecurityInformation(whole, 0x0080_0000).toString("hex")).toBe(bare);
  });

  it("gives the parts that are asked for, with their control bits", () => {
    const owner = selectSecurityInformation(whole, OWNER);
    expect(readSecurityDescriptor(owner)).toMatchObject({ owner: ALICE, group: undefined, dacl: undefined });
    expect(controlOf(owner)).toBe(C.OWNER_DEFAULTED);
    const group = selectSecurityInformation(whole, GROUP);
    expect(readSecurityDescriptor(group)).toMatchObject({ owner: undefined, group: STAFF });
    expect(controlOf(group)).toBe(C.GROUP_DEFAULTED);
    const dacl = selectSecurityInformation(whole, DACL);
    expect(entries(dacl)).toEqual([allow(ALICE, 1), deny(BOB, 2)]);
    expect(controlOf(dacl)).toBe(C.DACL_PRESENT | C.DACL_PROTECTED);
    expect(selectSecurityInformation(whole, BACKUP)).toEqual(whole);
  });

  it("splits the SACL into audit and label", () => {
    const aces = (flags: number) => readSecurityDescriptor(selectSecurityInformation(whole, flags)).sacl?.aces;
    expect(aces(SACL)).toEqual([audit(BOB, 2)]);
    expect(aces(LABEL)).toEqual([label(8192)]);
    expect(aces(SACL | LABEL)).toEqual([audit(BOB, 2), label(8192)]);
    expect(aces(DACL)).toBeUndefined();
    expect(controlOf(selectSecurityInformation(whole, LABEL))).toBe(C.SACL_PRESENT | C.SACL_AUTO_INHERITED);
  });

  it("keeps a NULL DACL apart from an empty one", () => {
    const none = serialiseSecurityDescriptor({ control: C.DACL_PRESENT, resourceManagerControl: 0, owner: ALICE });
    const answer = selectSecurityInformation(none, DACL);
    expect(controlOf(answer)).toBe(C.DACL_PRESENT);
    expect(answer.length).toBe(20);
    expect(selectSecurityInformation(descriptor({ dacl: acl() }), DACL).length).toBe(28);
  });
});

describe("mergeSecurityInformation", () => {
  const current = descriptor({
    control: C.DACL_PROTECTED,
    dacl: acl(allow(ALICE, 1)),
    sacl: acl(audit(BOB, 2), label(8192)),
  });

  it("changes nothing that is not named", () => {
    const next = descriptor({ owner: BOB, group: BOB, dacl: acl(), sacl: acl() });
    expect(mergeSecurityInformation(current, next, 0, false)).toEqual(current);
  });

  it("replaces the owner and nothing else", () => {
    const next = descriptor({ owner: BOB, group: BOB, dacl: acl() });
    const merged = readSecurityDescriptor(mergeSecurityInformation(current, next, OWNER, false));
    expect(merged).toEqual({ ...readSecurityDescriptor(current), owner: BOB });
  });

  it("refuses to set an owner that is not given", () => {
    const next = descriptor({ owner: undefined, dacl: acl() });
    expect(() => mergeSecurityInformation(current, next, OWNER, false)).toThrow(
      expect.objectContaining({ status: NtStatus.INVALID_OWNER }),
    );
    expect(readSecurityDescriptor(mergeSecurityInformation(current, next, DACL, false)).owner).toBe(ALICE);
  });

  it("keeps the order of a DACL, canonical or not", () => {
    const aces = [allow(ALICE, 1), deny(BOB, 2), allow(BOB, 4, AceFlag.INHERITED), deny(ALICE, 8)];
    expect(entries(mergeSecurityInformation(current, descriptor({ dacl: acl(...aces) }), DACL, false))).toEqual(aces);
  });

  it.each([
    ["neither bit", 0, 0],
    ["AUTO_INHERITED alone", C.DACL_AUTO_INHERITED, 0],
    ["AUTO_INHERIT_REQ alone", C.DACL_AUTO_INHERIT_REQ, 0],
    ["both", C.DACL_AUTO_INHERITED | C.DACL_AUTO_INHERIT_REQ, C.DACL_AUTO_INHERITED],
    [
      "both and PROTECTED",
      C.DACL_AUTO_INHERITED | C.DACL_AUTO_INHERIT_REQ | C.DACL_PROTECTED,
      C.DACL_AUTO_INHERITED | C.DACL_PROTECTED,
    ],
  ])("stores the inheritance bits: %s", (_name, set, stored) => {
    const merged = mergeSecurityInformation(current, descriptor({ control: set, dacl: acl() }), DACL, true);
    expect(controlOf(merged)).toBe(C.DACL_PRESENT | C.SACL_PRESENT | stored);
  });

  it("follows the PROTECTED and UNPROTECTED flags", () => {
    const next = descriptor({ dacl: acl() });
    const isProtected = (flags: number, from: Buffer) =>
      (controlOf(mergeSecurityInformation(current, from, flags, false)) & C.DACL_PROTECTED) !== 0;
    expect(isProtected(DACL, next)).toBe(false);
    expect(isProtected((DACL | SecurityInformation.PROTECTED_DACL) >>> 0, next)).toBe(true);
    expect(isProtected(SecurityInformation.UNPROTECTED_DACL, next)).toBe(false);
    expect(isProtected(0, next)).toBe(true);
  });

  it("maps generic rights, and keeps them for the descendants of a directory", () => {
    const next = descriptor({
      dacl: acl(
        allow(ALICE, Access.GENERIC_READ),
        allow(BOB, Access.GENERIC_ALL, 3),
        allow(STAFF, Access.GENERIC_WRITE, AceFlag.INHERIT_ONLY | 3),
      ),
    });
    expect(entries(mergeSecurityInformation(current, next, DACL, true))).toEqual([
      allow(ALICE, Access.FILE_GENERIC_READ),
      allow(BOB, Access.FILE_ALL),
      allow(BOB, Access.GENERIC_ALL, AceFlag.INHERIT_ONLY | 3),
      allow(STAFF, Access.GENERIC_WRITE, AceFlag.INHERIT_ONLY | 3),
    ]);
  });

  it("maps generic rights of a file in place", () => {
    const next = descriptor({ dacl: acl(allow(BOB, Access.GENERIC_ALL, 3)) });
    expect(entries(mergeSecurityInformation(current, next, DACL, false))).toEqual([allow(BOB, Access.FILE_ALL, 3)]);
  });

  it("sets audit entries without the label, and the label without audit entries", () => {
    const next = descriptor({ sacl: acl(audit(ALICE, 1), label(4096)) });
    const sacl = (flags: number) =>
      readSecurityDescriptor(mergeSecurityInformation(current, next, flags, false)).sacl?.aces;
    expect(sacl(SACL)).toEqual([audit(ALICE, 1), label(8192)]);
    expect(sacl(LABEL)).toEqual([label(4096), audit(BOB, 2)]);
    expect(sacl(SACL | LABEL)).toEqual([audit(ALICE, 1), label(4096)]);
  });

  it("removes a SACL with a NULL one", () => {
    const next = descriptor({ control: C.SACL_PRESENT });
    const merged = mergeSecurityInformation(current, next, SACL | LABEL, false);
    expect(readSecurityDescriptor(merged).sacl).toBeUndefined();
    expect(controlOf(merged) & C.SACL_PRESENT).toBe(0);
  });

  it("sets a NULL DACL", () => {
    const merged = mergeSecurityInformation(current, descriptor({ control: C.DACL_PRESENT }), DACL, false);
    expect(readSecurityDescriptor(merged).dacl).toBeUndefined();
    expect(controlOf(merged) & C.DACL_PRESENT).toBe(C.DACL_PRESENT);
  });
});
