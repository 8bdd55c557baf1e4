// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AccessToken, accessCheck, grantedMaximum, mayAssignOwner, Privilege } from "../../src/nt/access-check.ts";
import { Access } from "../../src/nt/access-mask.ts";
import { type Ace, AceFlag, AceType } from "../../src/nt/acl.ts";
import { WellKnownSid } from "../../src/nt/sid.ts";
import { ALICE, acl, allow, BOB, deny, descriptor, FULL, STAFF } from "./security-builders.ts";

const alice: AccessToken = { sid: ALICE, groups: [STAFF, WellKnownSid.EVERYONE], privileges: [] };
const bob: AccessToken = { sid: BOB, groups: [WellKnownSid.EVERYONE], privileges: [] };
const bobWith = (...privileges: string[]): AccessToken => ({ ...bob, privileges });

const { READ_DATA, WRITE_DATA, READ_CONTROL, WRITE_DAC, WRITE_OWNER, DELETE, MAXIMUM_ALLOWED } = Access;
const SACL_RIGHT = Access.ACCESS_SYSTEM_SECURITY;
const IMPLICIT = READ_CONTROL | WRITE_DAC;

describe("accessCheck", () => {
  it("grants what is allowed and refuses the rest", () => {
    const sd = descriptor({ dacl: acl(allow(STAFF, READ_DATA), allow(BOB, WRITE_DATA)) });
    expect(accessCheck(sd, alice, READ_DATA)).toEqual({ ok: true, granted: READ_DATA });
    expect(accessCheck(sd, alice, READ_DATA | WRITE_DATA)).toEqual({ ok: false, granted: READ_DATA });
    expect(accessCheck(sd, bob, WRITE_DATA)).toEqual({ ok: true, granted: WRITE_DATA });
    expect(accessCheck(sd, bob, READ_DATA)).toEqual({ ok: false, granted: 0 });
  });

  it("lets the first entry that mentions a right decide", () => {
    const denyFirst = descriptor({ dacl: acl(deny(BOB, READ_DATA), allow(BOB, READ_DATA | WRITE_DATA)) });
    expect(accessCheck(denyFirst, bob, READ_DATA).ok).toBe(false);
    expect(accessCheck(denyFirst, bob, WRITE_DATA).ok).toBe(true);
    expect(grantedMaximum(denyFirst, bob)).toBe(WRITE_DATA);
    const allowFirst = descriptor({ dacl: acl(allow(BOB, READ_DATA), deny(BOB, READ_DATA | WRITE_DATA)) });
    expect(accessCheck(allowFirst, bob, READ_DATA).ok).toBe(true);
    expect(grantedMaximum(allowFirst, bob)).toBe(READ_DATA);
  });

  it("grants everything with a NULL DACL, the owner's implicit rights only with an empty one", () => {
    const none = descriptor({});
    expect(accessCheck(none, bob, MAXIMUM_ALLOWED)).toEqual({ ok: true, granted: FULL });
    expect(accessCheck(none, bob, SACL_RIGHT).ok).toBe(false);
    const empty = descriptor({ dacl: acl() });
    expect(accessCheck(empty, bob, MAXIMUM_ALLOWED)).toEqual({ ok: false, granted: 0 });
    expect(accessCheck(empty, alice, MAXIMUM_ALLOWED)).toEqual({ ok: true, granted: IMPLICIT });
    expect(accessCheck(empty, alice, READ_DATA).ok).toBe(false);
  });

  it("maps generic rights, in requests and in entries", () => {
    const sd = descriptor({ dacl: acl(allow(BOB, Access.GENERIC_READ)) });
    expect(accessCheck(sd, bob, Access.GENERIC_READ)).toEqual({ ok: true, granted: Access.FILE_GENERIC_READ });
    expect(accessCheck(sd, bob, Access.GENERIC_WRITE).ok).toBe(false);
    const full = descriptor({ dacl: acl(allow(BOB, Access.GENERIC_ALL)) });
    expect(accessCheck(full, bob, (Access.GENERIC_ALL | MAXIMUM_ALLOWED) >>> 0)).toEqual({ ok: true, granted: FULL });
  });

  it("asks for every other bit beside MAXIMUM_ALLOWED", () => {
    const sd = descriptor({ dacl: acl(allow(BOB, READ_DATA)) });
    expect(accessCheck(sd, bob, MAXIMUM_ALLOWED | READ_DATA)).toEqual({ ok: true, granted: READ_DATA });
    expect(accessCheck(sd, bob, MAXIMUM_ALLOWED | WRITE_DATA).ok).toBe(false);
  });

  it("refuses bits that mean nothing", () => {
    expect(accessCheck(descriptor({}), bob, 0x200).ok).toBe(false);
  });

  it("gives the owner READ_CONTROL and WRITE_DAC although they are denied", () => {
    const sd = descriptor({ dacl: acl(deny(ALICE, FULL)) });
    expect(grantedMaximum(sd, alice)).toBe(IMPLICIT);
    expect(accessCheck(descriptor({ owner: STAFF, dacl: acl() }), alice, WRITE_DAC).ok).toBe(true);
  });

  it("replaces the owner's implicit rights by OWNER RIGHTS entries", () => {
    const sd = descriptor({ dacl: acl(allow(WellKnownSid.OWNER_RIGHTS, READ_DATA)) });
    expect(grantedMaximum(sd, alice)).toBe(READ_DATA);
    expect(grantedMaximum(sd, bob)).toBe(0);
    const denied = descriptor({
      dacl: acl(deny(WellKnownSid.OWNER_RIGHTS, WRITE_DATA), allow(STAFF, READ_DATA | WRITE_DATA)),
    });
    expect(grantedMaximum(denied, alice)).toBe(READ_DATA);
    const late = descriptor({ dacl: acl(allow(ALICE, FULL), deny(WellKnownSid.OWNER_RIGHTS, WRITE_DATA)) });
    expect(grantedMaximum(late, alice)).toBe(FULL);
    const inheritOnly = descriptor({
      dacl: acl(allow(WellKnownSid.OWNER_RIGHTS, READ_DATA, AceFlag.INHERIT_ONLY | AceFlag.OBJECT_INHERIT)),
    });
    expect(grantedMaximum(inheritOnly, alice)).toBe(IMPLICIT);
  });

  it("skips inherit-only entries and placeholders", () => {
    const sd = descriptor({
      dacl: acl(
        deny(BOB, READ_DATA, AceFlag.INHERIT_ONLY | 3),
        allow(BOB, READ_DATA),
        allow(WellKnownSid.CREATOR_OWNER, FULL),
        allow(WellKnownSid.PRINCIPAL_SELF, FULL),
      ),
    });
    expect(grantedMaximum(sd, bob)).toBe(READ_DATA);
    expect(grantedMaximum(sd, alice)).toBe(IMPLICIT);
  });

  it("gives the SACL to SeSecurityPrivilege alone", () => {
    const sd = descriptor({ dacl: acl(allow(BOB, FULL | SACL_RIGHT)) });
    expect(accessCheck(sd, bob, SACL_RIGHT).ok).toBe(false);
    const auditor = bobWith(Privilege.SECURITY);
    expect(accessCheck(sd, auditor, SACL_RIGHT)).toEqual({ ok: true, granted: SACL_RIGHT });
    expect(accessCheck(sd, auditor, MAXIMUM_ALLOWED).granted).toBe(FULL);
    expect(accessCheck(sd, auditor, MAXIMUM_ALLOWED | SACL_RIGHT).granted).toBe(FULL | SACL_RIGHT);
  });

  it("gives WRITE_OWNER to SeTakeOwnershipPrivilege", () => {
    const sd = descriptor({ dacl: acl(deny(BOB, FULL)) });
    expect(grantedMaximum(sd, bobWith(Privilege.TAKE_OWNERSHIP))).toBe(WRITE_OWNER);
  });

  it("lets backup and restore count with backup intent only", () => {
    const sd = descriptor({ dacl: acl() });
    const both = bobWith(Privilege.BACKUP, Privilege.RESTORE);
    expect(grantedMaximum(sd, both)).toBe(0);
    expect(accessCheck(sd, bobWith(Privilege.BACKUP), Access.GENERIC_READ, true).ok).toBe(true);
    expect(accessCheck(sd, bobWith(Privilege.BACKUP), WRITE_DATA, true).ok).toBe(false);
    expect(accessCheck(sd, bobWith(Privilege.RESTORE), DELETE | WRITE_OWNER | WRITE_DATA, true).ok).toBe(true);
    expect(accessCheck(sd, bobWith(Privilege.RESTORE), READ_DATA, true).ok).toBe(false);
  });

  it("allows nothing by conditional or object entries, and denies by them", () => {
    const objectPart = Buffer.concat([Buffer.from("01000000", "hex"), Buffer.alloc(16, 7)]);
    const conditional = (type: number, mask: number): Ace => ({
      ...allow(BOB, mask),
      type,
      applicationData: Buffer.from("artx"),
    });
    expect(grantedMaximum(descriptor({ dacl: acl(conditional(AceType.ACCESS_ALLOWED_CALLBACK, FULL)) }), bob)).toBe(0);
    expect(
      grantedMaximum(
        descriptor({
          dacl: acl(conditional(AceType.ACCESS_DENIED_CALLBACK, WRITE_DATA), allow(BOB, READ_DATA | WRITE_DATA)),
        }),
        bob,
      ),
    ).toBe(READ_DATA);
    const forObject: Ace = { ...allow(BOB, FULL), type: AceType.ACCESS_ALLOWED_OBJECT, objectPart };
    expect(grantedMaximum(descriptor({ dacl: acl(forObject) }), bob)).toBe(0);
    const forAll: Ace = { ...forObject, objectPart: Buffer.alloc(4) };
    expect(grantedMaximum(descriptor({ dacl: acl(forAll) }), bob)).toBe(FULL);
  });

  it("gives as maximum exactly what could be asked for one by one", () => {
    const ace = fc
      .tuple(
        fc.boolean(),
        fc.constantFrom(ALICE, BOB, STAFF, WellKnownSid.OWNER_RIGHTS, WellKnownSid.EVERYONE),
        fc.nat(FULL),
        fc.constantFrom(0, 8),
      )
      .map(([allowed, sid, mask, flags]) => (allowed ? allow : deny)(sid, mask & FULL, flags));
    fc.assert(
      fc.property(fc.array(ace, { maxLength: 6 }), fc.constantFrom(alice, bob), (aces, token) => {
        const sd = descriptor({ dacl: acl(...aces) });
        let single = 0;
        for (let bit = 1; bit <= FULL; bit <<= 1) {
          if ((bit & FULL) !== 0 && accessCheck(sd, token, bit).ok) single |= bit;
        }
        expect(grantedMaximum(sd, token)).toBe(single);
        if (single !== 0) expect(accessCheck(sd, token, single)).toEqual({ ok: true, granted: single });
      }),
    );
  });
});

describe("mayAssignOwner", () => {
  it("is for oneself, one's administrators group, and restorers", () => {
    expect(mayAssignOwner(bob, BOB)).toBe(true);
    expect(mayAssignOwner(bob, ALICE)).toBe(false);
    expect(mayAssignOwner(bob, WellKnownSid.EVERYONE)).toBe(false);
    expect(mayAssignOwner(bob, WellKnownSid.BUILTIN_ADMINISTRATORS)).toBe(false);
    const administrator = { ...bob, groups: [WellKnownSid.BUILTIN_ADMINISTRATORS] };
    expect(mayAssignOwner(administrator, WellKnownSid.BUILTIN_ADMINISTRATORS)).toBe(true);
    expect(mayAssignOwner(bobWith(Privilege.RESTORE), ALICE)).toBe(true);
  });
});
