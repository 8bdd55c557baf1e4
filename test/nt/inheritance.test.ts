// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Access } from "../../src/nt/access-mask.ts";
import { AceFlag, AceType } from "../../src/nt/acl.ts";
import { createSecurityDescriptor } from "../../src/nt/inheritance.ts";
import { readSecurityDescriptor, SecurityControl } from "../../src/nt/security-descriptor.ts";
import { WellKnownSid } from "../../src/nt/sid.ts";
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
  FULL,
  STAFF,
} from "./security-builders.ts";

const C = SecurityControl;
const OI = AceFlag.OBJECT_INHERIT;
const CI = AceFlag.CONTAINER_INHERIT;
const NP = AceFlag.NO_PROPAGATE_INHERIT;
const IO = AceFlag.INHERIT_ONLY;
const ID = AceFlag.INHERITED;
const { CREATOR_OWNER, CREATOR_GROUP, LOCAL_SYSTEM } = WellKnownSid;
const WRITE = Access.WRITE_DATA;

function child(parent: Buffer | undefined, container: boolean, creator?: Buffer): Buffer {
  return createSecurityDescriptor({ parent, creator, container, owner: BOB, group: STAFF });
}

const byDefault = [allow(BOB, FULL), allow(LOCAL_SYSTEM, FULL)];

describe("inheritance of one entry", () => {
  // Parent flags, flags in a file, flags in a directory; undefined: nothing is inherited (MS-DTYP 2.5.3.4.4).
  it.each<[number, number | undefined, number | undefined]>([
    [0, undefined, undefined],
    [IO, undefined, undefined],
    [NP, undefined, undefined],
    [OI, 0, OI | IO],
    [CI, undefined, CI],
    [OI | CI, 0, OI | CI],
    [NP | OI, 0, undefined],
    [NP | CI, undefined, 0],
    [NP | OI | CI, 0, 0],
    [IO | OI, 0, OI | IO],
    [IO | CI, undefined, CI],
    [IO | OI | CI, 0, OI | CI],
    [IO | NP | OI, 0, undefined],
    [IO | NP | CI, undefined, 0],
    [IO | NP | OI | CI, 0, 0],
  ])("flags %i", (flags, inFile, inDirectory) => {
    const parent = descriptor({ dacl: acl(allow(ALICE, WRITE, flags), allow(WellKnownSid.EVERYONE, FULL)) });
    const expected = (inherited: number | undefined) =>
      inherited === undefined ? byDefault : [allow(ALICE, WRITE, inherited)];
    expect(entries(child(parent, false))).toEqual(expected(inFile));
    expect(entries(child(parent, true))).toEqual(expected(inDirectory));
  });

  it("splits what is generic or a placeholder for a directory", () => {
    const parent = descriptor({
      dacl: acl(
        allow(CREATOR_OWNER, WRITE, OI | CI | IO),
        deny(CREATOR_GROUP, Access.GENERIC_READ, CI),
        allow(ALICE, Access.GENERIC_ALL, OI | CI | NP),
      ),
    });
    expect(entries(child(parent, true))).toEqual([
      allow(BOB, WRITE),
      allow(CREATOR_OWNER, WRITE, OI | CI | IO),
      deny(STAFF, Access.FILE_GENERIC_READ),
      deny(CREATOR_GROUP, Access.GENERIC_READ, CI | IO),
      allow(ALICE, FULL),
    ]);
    expect(entries(child(parent, false))).toEqual([allow(BOB, WRITE), allow(ALICE, FULL)]);
  });

  it("keeps a placeholder that only files inherit", () => {
    const parent = descriptor({ dacl: acl(allow(CREATOR_OWNER, WRITE, OI)) });
    expect(entries(child(parent, true))).toEqual([allow(CREATOR_OWNER, WRITE, OI | IO)]);
    expect(entries(child(parent, false))).toEqual([allow(BOB, WRITE)]);
  });

  it("passes an object ACE on without effect", () => {
    const objectPart = Buffer.concat([Buffer.from("01000000", "hex"), Buffer.alloc(16, 7)]);
    const ace = { ...allow(ALICE, WRITE, OI | CI), type: AceType.ACCESS_ALLOWED_OBJECT, objectPart };
    const parent = descriptor({ dacl: acl(ace, allow(ALICE, 1, OI)) });
    expect(entries(child(parent, false))).toEqual([allow(ALICE, 1)]);
    expect(entries(child(parent, true))).toEqual([
      { type: AceType.ACCESS_ALLOWED_OBJECT, flags: OI | CI | IO, mask: WRITE, sid: ALICE },
      allow(ALICE, 1, OI | IO),
    ]);
  });
});

describe("createSecurityDescriptor", () => {
  const plain = descriptor({ dacl: acl(allow(ALICE, WRITE, OI | CI)) });
  const automatic = descriptor({ control: C.DACL_AUTO_INHERITED, dacl: acl(allow(ALICE, WRITE, OI | CI)) });

  it("is made once for each directory, kind and user", () => {
    const parent = Buffer.from(automatic);
    const made = (container: boolean, owner: string, group: string) =>
      createSecurityDescriptor({ parent, container, owner, group });
    const first = made(false, BOB, STAFF);
    expect(made(false, BOB, STAFF)).toBe(first);
    for (const other of [made(true, BOB, STAFF), made(false, ALICE, STAFF), made(false, BOB, BOB)]) {
      expect(other).not.toEqual(first);
    }
    const creator = descriptor({ dacl: acl(allow(BOB, WRITE)) });
    expect(entries(child(parent, false, creator))).toEqual([allow(BOB, WRITE)]);
    for (let user = 0; user < 100; user++) made(false, `S-1-5-21-1-2-3-${user}`, STAFF);
    expect(made(false, BOB, STAFF)).toEqual(first);
  });

  it("falls back to the owner and the system", () => {
    for (const container of [false, true]) {
      const made = child(undefined, container);
      expect(entries(made)).toEqual(byDefault);
      expect(readSecurityDescriptor(made)).toMatchObject({ owner: BOB, group: STAFF, sacl: undefined });
      expect(controlOf(made)).toBe(C.DACL_PRESENT);
    }
  });

  it("marks entries as inherited where the parent's list is automatic", () => {
    expect(entries(child(plain, true))).toEqual([allow(ALICE, WRITE, OI | CI)]);
    expect(controlOf(child(plain, true))).toBe(C.DACL_PRESENT);
    expect(entries(child(automatic, true))).toEqual([allow(ALICE, WRITE, OI | CI | ID)]);
    expect(entries(child(automatic, false))).toEqual([allow(ALICE, WRITE, ID)]);
    expect(controlOf(child(automatic, true))).toBe(C.DACL_PRESENT | C.DACL_AUTO_INHERITED);
  });

  it("takes the creator's owner and group, for placeholders too", () => {
    const parent = descriptor({ dacl: acl(allow(CREATOR_OWNER, WRITE, OI), allow(CREATOR_GROUP, 1, OI)) });
    const made = child(parent, false, descriptor({ owner: ALICE, group: ALICE }));
    expect(readSecurityDescriptor(made)).toMatchObject({ owner: ALICE, group: ALICE });
    expect(entries(made)).toEqual([allow(ALICE, WRITE), allow(ALICE, 1)]);
  });

  it("prefers the creator's list to an inheritable one", () => {
    const given = descriptor({ dacl: acl(allow(BOB, Access.GENERIC_READ), allow(BOB, 2, ID)) });
    expect(entries(child(plain, false, given))).toEqual([allow(BOB, Access.FILE_GENERIC_READ), allow(BOB, 2, ID)]);
    expect(controlOf(child(plain, false, given))).toBe(C.DACL_PRESENT);
  });

  it("leaves the creator's list alone unless he asks for inheritance", () => {
    const made = child(automatic, false, descriptor({ dacl: acl(allow(BOB, 1)) }));
    expect(entries(made)).toEqual([allow(BOB, 1)]);
    expect(controlOf(made)).toBe(C.DACL_PRESENT);
  });

  it("appends inherited entries to the creator's where he asks for them and the parent's list is automatic", () => {
    const given = descriptor({ control: C.DACL_AUTO_INHERIT_REQ, dacl: acl(allow(BOB, 1), allow(BOB, 2, ID)) });
    const made = child(automatic, false, given);
    expect(entries(made)).toEqual([allow(BOB, 1), allow(ALICE, WRITE, ID)]);
    expect(controlOf(made)).toBe(C.DACL_PRESENT | C.DACL_AUTO_INHERITED);
  });

  it("inherits nothing into a protected list, and makes its entries explicit", () => {
    const given = descriptor({ control: C.DACL_PROTECTED, dacl: acl(allow(BOB, 1), allow(BOB, 2, ID)) });
    const made = child(automatic, false, given);
    expect(entries(made)).toEqual([allow(BOB, 1), allow(BOB, 2)]);
    expect(controlOf(made)).toBe(C.DACL_PRESENT | C.DACL_PROTECTED);
  });

  it("uses a defaulted list only where nothing is inheritable", () => {
    const given = descriptor({ control: C.DACL_DEFAULTED, dacl: acl(allow(BOB, 1)) });
    expect(entries(child(plain, false, given))).toEqual([allow(ALICE, WRITE)]);
    expect(entries(child(undefined, false, given))).toEqual([allow(BOB, 1)]);
  });

  it("keeps the creator's NULL and empty lists", () => {
    const none = child(automatic, false, descriptor({ control: C.DACL_PRESENT }));
    expect(readSecurityDescriptor(none).dacl).toBeUndefined();
    expect(controlOf(none)).toBe(C.DACL_PRESENT);
    const empty = child(plain, false, descriptor({ dacl: acl() }));
    expect(readSecurityDescriptor(empty).dacl?.aces).toEqual([]);
  });

  it("treats the SACL in the same way, without a fallback", () => {
    const parent = descriptor({
      control: C.SACL_AUTO_INHERITED,
      dacl: acl(),
      sacl: acl(
        audit(ALICE, Access.GENERIC_WRITE, AceFlag.FAILED_ACCESS | OI),
        audit(BOB, 1, AceFlag.SUCCESSFUL_ACCESS),
      ),
    });
    const made = readSecurityDescriptor(child(parent, false));
    expect(made.sacl?.aces).toEqual([audit(ALICE, Access.FILE_GENERIC_WRITE, AceFlag.FAILED_ACCESS | ID)]);
    expect(made.control & (C.SACL_PRESENT | C.SACL_AUTO_INHERITED)).toBe(C.SACL_PRESENT | C.SACL_AUTO_INHERITED);
    expect(made.dacl?.aces).toEqual(byDefault);
    const given = descriptor({ sacl: acl(audit(BOB, 4)) });
    expect(readSecurityDescriptor(child(plain, false, given)).sacl?.aces).toEqual([audit(BOB, 4)]);
  });
});
