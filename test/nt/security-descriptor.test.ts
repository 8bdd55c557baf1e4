// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ace, AceType, hasObjectType, parseAcl, serialiseAcl } from "../../src/nt/acl.ts";
import {
  parseSecurityDescriptor,
  readSecurityDescriptor,
  SecurityControl,
  serialiseSecurityDescriptor,
} from "../../src/nt/security-descriptor.ts";
import { sidToBuffer } from "../../src/nt/sid.ts";
import { NtStatus, SmbError } from "../../src/nt/status.ts";
import { ALICE, acl, allow, audit, BOB, deny, descriptor, label } from "./security-builders.ts";

const status = (value: number) => expect.objectContaining({ status: value });

/** O:BAG:SYD:P(A;OICI;FA;;;SY)(D;;FR;;;WD), laid out by hand from MS-DTYP 2.4.6, 2.4.5 and 2.4.4.2. */
const GOLDEN =
  "01000494" + // revision, Sbz1, control: self-relative, DACL protected, DACL present, auto-inherited
  "14000000" + // owner at 20
  "24000000" + // group at 36
  "00000000" + // no SACL
  "30000000" + // DACL at 48
  "01020000000000052000000020020000" +
  "010100000000000512000000" +
  "0200300002000000" + // revision 2, size 48, two entries
  "00031400ff011f00010100000000000512000000" +
  "0100140089001200010100000000000100000000";

describe("security descriptor", () => {
  it("parses and writes the golden one", () => {
    const bytes = Buffer.from(GOLDEN, "hex");
    const parsed = readSecurityDescriptor(bytes);
    expect(parsed).toEqual({
      control:
        SecurityControl.SELF_RELATIVE |
        SecurityControl.DACL_PROTECTED |
        SecurityControl.DACL_PRESENT |
        SecurityControl.DACL_AUTO_INHERITED,
      resourceManagerControl: 0,
      owner: "S-1-5-32-544",
      group: "S-1-5-18",
      dacl: acl(allow("S-1-5-18", 0x1f01ff, 3), deny("S-1-1-0", 0x120089)),
      sacl: undefined,
    });
    expect(serialiseSecurityDescriptor(parsed).toString("hex")).toBe(GOLDEN);
  });

  it("remembers what a buffer says", () => {
    const bytes = descriptor({ dacl: acl(allow(ALICE, 1)) });
    expect(parseSecurityDescriptor(bytes)).toBe(parseSecurityDescriptor(bytes));
    expect(readSecurityDescriptor(bytes)).not.toBe(readSecurityDescriptor(bytes));
  });

  it("does not refer to the bytes it was read from", () => {
    const conditional: Ace = {
      ...allow(ALICE, 1),
      type: AceType.ACCESS_ALLOWED_CALLBACK,
      applicationData: Buffer.from("artx"),
    };
    const bytes = descriptor({ dacl: acl(conditional) });
    const parsed = readSecurityDescriptor(bytes);
    bytes.fill(0);
    expect(parsed.dacl?.aces).toEqual([conditional]);
  });

  it("tells a NULL DACL from an empty one", () => {
    const none = serialiseSecurityDescriptor({ control: SecurityControl.DACL_PRESENT, resourceManagerControl: 0 });
    expect(none.readUInt32LE(16)).toBe(0);
    expect(readSecurityDescriptor(none).dacl).toBeUndefined();
    expect(readSecurityDescriptor(descriptor({ dacl: acl() })).dacl).toEqual(acl());
  });

  it("ignores an ACL whose present bit is clear", () => {
    const bytes = Buffer.from(GOLDEN, "hex");
    bytes.writeUInt16LE(SecurityControl.SELF_RELATIVE, 2);
    bytes.writeUInt32LE(0xffff_fff0, 16);
    expect(readSecurityDescriptor(bytes).dacl).toBeUndefined();
  });

  it.each<[string, (bytes: Buffer) => Buffer, number]>([
    ["a short header", (b) => b.subarray(0, 19), NtStatus.INVALID_SECURITY_DESCR],
    ["revision 2", (b) => b.fill(2, 0, 1), NtStatus.INVALID_SECURITY_DESCR],
    ["the absolute form", (b) => b.fill(0x14, 3, 4), NtStatus.INVALID_SECURITY_DESCR],
    ["an owner inside the header", (b) => b.fill(19, 4, 5), NtStatus.INVALID_SECURITY_DESCR],
    ["an owner beyond the end", (b) => b.fill(0xff, 4, 8), NtStatus.INVALID_SECURITY_DESCR],
    ["a group cut off", (b) => b.fill(b.length - 4, 8, 9), NtStatus.INVALID_SECURITY_DESCR],
    ["a DACL inside the header", (b) => b.fill(8, 16, 17), NtStatus.INVALID_SECURITY_DESCR],
    ["a DACL beyond the end", (b) => b.fill(0xff, 16, 20), NtStatus.INVALID_ACL],
    ["ACL revision 1", (b) => b.fill(1, 48, 49), NtStatus.INVALID_ACL],
    ["an ACL size past the end", (b) => b.fill(0xff, 50, 52), NtStatus.INVALID_ACL],
    ["an ACL size that cuts the last ACE", (b) => b.fill(47, 50, 51), NtStatus.INVALID_ACL],
    ["an ACL size below its header", (b) => b.fill(7, 50, 51), NtStatus.INVALID_ACL],
    ["more ACEs than there are", (b) => b.fill(3, 52, 53), NtStatus.INVALID_ACL],
    ["an ACE of size 0", (b) => b.fill(0, 58, 60), NtStatus.INVALID_ACL],
    ["an ACE of odd size", (b) => b.fill(18, 58, 59), NtStatus.INVALID_ACL],
    ["an ACE too small for its SID", (b) => b.fill(16, 58, 59), NtStatus.INVALID_ACL],
    ["an ACE larger than the list", (b) => b.fill(0xfc, 58, 59), NtStatus.INVALID_ACL],
    ["an ACE whose SID has revision 0", (b) => b.fill(0, 64, 65), NtStatus.INVALID_ACL],
    ["an ACE whose SID runs over", (b) => b.fill(2, 65, 66), NtStatus.INVALID_ACL],
  ])("refuses %s", (_name, damage, expected) => {
    expect(() => readSecurityDescriptor(damage(Buffer.from(GOLDEN, "hex")))).toThrow(status(expected));
  });

  it("fails cleanly on any damage", () => {
    const good = descriptor({ dacl: acl(allow(ALICE, 7, 3), deny(BOB, 1)), sacl: acl(audit(BOB, 2), label(8192)) });
    fc.assert(
      fc.property(
        fc.nat({ max: good.length }),
        fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 6 }),
        (length, edits) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of edits) bytes[at] = value;
          try {
            const parsed = readSecurityDescriptor(bytes.subarray(0, length));
            expect(readSecurityDescriptor(serialiseSecurityDescriptor(parsed)).dacl?.aces).toEqual(parsed.dacl?.aces);
          } catch (error) {
            if (!(error instanceof SmbError)) throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("ACL", () => {
  const guid = Buffer.from("00112233445566778899aabbccddeeff", "hex");

  it("keeps object, callback and unknown ACEs as they are", () => {
    const object = Buffer.concat([Buffer.from("03000000", "hex"), guid, guid]);
    const aces: Ace[] = [
      { ...allow(ALICE, 1), type: AceType.ACCESS_ALLOWED_OBJECT, objectPart: object, applicationData: undefined },
      { ...deny(ALICE, 2), type: AceType.ACCESS_DENIED_CALLBACK, applicationData: Buffer.from("artx1234") },
      {
        ...audit(BOB, 4),
        type: AceType.SYSTEM_AUDIT_CALLBACK_OBJECT,
        objectPart: Buffer.from("00000000", "hex"),
        applicationData: Buffer.from("artx"),
      },
      { type: 0x42, flags: 0x13, mask: 0, sid: "", applicationData: Buffer.from("01020304", "hex") },
      { type: AceType.ACCESS_ALLOWED_COMPOUND, flags: 0, mask: 0, sid: "", applicationData: Buffer.alloc(12, 9) },
    ];
    const bytes = serialiseAcl({ revision: 2, aces });
    expect(bytes.readUInt8(0)).toBe(4);
    expect(parseAcl(bytes)).toEqual({ revision: 4, aces });
    expect(serialiseAcl(parseAcl(bytes))).toEqual(bytes);
    expect(aces.map(hasObjectType)).toEqual([true, false, false, false, false]);
  });

  it("refuses an object ACE without its GUID", () => {
    const bytes = Buffer.alloc(8 + 12 + 8);
    bytes.writeUInt8(4, 0);
    bytes.writeUInt16LE(bytes.length, 2);
    bytes.writeUInt16LE(1, 4);
    bytes.writeUInt8(AceType.ACCESS_ALLOWED_OBJECT, 8);
    bytes.writeUInt16LE(20, 10);
    bytes.writeUInt32LE(1, 16);
    expect(() => parseAcl(bytes)).toThrow(status(NtStatus.INVALID_ACL));
  });

  it("refuses an ACE whose size is no multiple of four", () => {
    const list = serialiseAcl(acl(allow(ALICE, 1)));
    const bytes = Buffer.concat([list, Buffer.alloc(4)]);
    bytes.writeUInt16LE(bytes.length, 2);
    bytes.writeUInt16LE(list.length - 8 + 4, 10);
    expect(parseAcl(bytes).aces).toHaveLength(1);
    bytes.writeUInt16LE(list.length - 8 + 2, 10);
    expect(() => parseAcl(bytes)).toThrow(status(NtStatus.INVALID_ACL));
  });

  it("reads no further than its size, and allows slack within it", () => {
    const list = serialiseAcl(acl(allow(ALICE, 1)));
    const bytes = Buffer.concat([list, Buffer.alloc(8, 0xff)]);
    bytes.writeUInt16LE(list.length + 8, 2);
    expect(parseAcl(bytes)).toEqual(acl(allow(ALICE, 1)));
  });

  it("refuses to write more than 65,535 bytes", () => {
    const ace = allow(ALICE, 1);
    const size = 8 + sidToBuffer(ALICE).length;
    const most = Math.floor((0xffff - 8) / size);
    expect(serialiseAcl(acl(...Array<Ace>(most).fill(ace))).length).toBe(8 + most * size);
    expect(() => serialiseAcl(acl(...Array<Ace>(most + 1).fill(ace)))).toThrow(status(NtStatus.INVALID_ACL));
  });
});
