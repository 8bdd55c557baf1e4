// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Identity } from "../../../src/auth/auth.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import { type NdrReader, NdrWriter } from "../../../src/rpc/ndr.ts";
import type { NamedPipe } from "../../../src/rpc/pipe.ts";
import { readSid, writeSid } from "../../../src/rpc/sid.ts";
import {
  administrator,
  alice,
  anonymous,
  bind,
  call,
  DOMAIN_SID,
  hex,
  LSARPC,
  openPipe,
  readMessage,
  replay,
  requestPdu,
} from "../rpc-client.ts";

// What `rpcclient` puts on the wire; those with a policy handle have it at octet 24, and it is replaced.
const OPEN_POLICY =
  "050000031000000044000000020000002c00000000000600000002005c0000001800000000000000000000000000000000000000" +
  "040002000c0000000200010000000002";
const OPEN_POLICY2 =
  "0500000310000000640000001c0000004c00000000002c00000002000c000000000000000c0000005c005c003100320037002e0030" +
  "002e0030002e00310000001800000000000000000000000000000000000000040002000c0000000200010000000002";
const QUERY_INFORMATION_POLICY =
  "05000003100000002e000000030000001600000000000700010000003dd56ed2793ffd4cae76c8f70644695e0300";
const LOOKUP_NAMES =
  "050000031000000060000000070000004800000000000e000100000073a89716ab77a343b069e6d4b0a9f8a10100000001000000" +
  "080008000000020004000000000000000400000072006f006f00740000000000000000000100000000000000";
const LOOKUP_SIDS =
  "0500000310000000740000000b0000005c00000000000f0001000000bd59c7f4db757e42a1d93400dab93a5e0200000000000200" +
  "02000000040002000800020002000000010200000000000520000000200200000100000001010000000000050b00000000000000" +
  "000000000100000000000000";
const LOOKUP_NAMES4 =
  "0500000310000000540000000e0000003c00000000004d0001000000010000000800080000000200040000000000000004000000" +
  "72006f006f007400000000000000000001000000000000000000000000000000";
const LOOKUP_SIDS3 =
  "050000031000000050000000100000003800000000004c0001000000000002000100000004000200010000000101000000000001" +
  "00000000000000000000000001000000000000000000000000000000";
const ENUMERATE_ACCOUNTS =
  "050000031000000034000000130000001c00000000000b0001000000c0e7f9217cbfc447919821e50ebbea4b0000000000100000";
const ENUMERATE_PRIVILEGES =
  "050000031000000034000000170000001c0000000000020001000000fbd7bffcc2c72f4db6bbd5cfdc12d8660000000000100000";
const GET_USER_NAME =
  "0500000310000000480000001a0000003000000000002d00000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e0031000000000000000400020000000000";
const CLOSE = "05000003100000002c000000040000001400000000000000010000003dd56ed2793ffd4cae76c8f70644695e";

function bound(caller: Identity = alice): NamedPipe {
  const pipe = openPipe("lsarpc", caller);
  bind(pipe, LSARPC);
  return pipe;
}

function opened(caller: Identity = alice, desired = 0x02000000) {
  const pipe = bound(caller);
  const request = hex(OPEN_POLICY2);
  request.writeUInt32LE(desired, request.length - 4);
  const reader = replay(pipe, request.toString("hex"));
  const handle = Buffer.from(reader.bytes(20));
  return { pipe, handle, status: reader.u32() };
}

function withHandle(request: string, handle: Buffer): string {
  const bytes = hex(request);
  bytes.set(handle, 24);
  return bytes.toString("hex");
}

function readDomains(reader: NdrReader) {
  return reader.pointer(() => {
    const entries = reader.u32();
    const pointer = reader.u32();
    const maximum = reader.u32();
    expect([maximum, pointer === 0]).toEqual([entries, false]);
    return reader.conformantArray(100, 12, () => {
      const name = reader.unicodeString();
      const sid = reader.embeddedPointer(() => readSid(reader));
      return () => [name(), sid()];
    });
  });
}

function readNames(reader: NdrReader, extended: boolean) {
  const entries = reader.u32();
  const names = reader.pointer(() =>
    reader.conformantArray(100, 16, () => {
      reader.align(4);
      const use = reader.u16();
      const name = reader.unicodeString();
      const index = reader.u32() | 0;
      if (extended) expect(reader.u32()).toBe(0);
      return () => [use, name(), index];
    }),
  );
  expect(names?.length ?? 0).toBe(entries);
  return { names, mapped: reader.u32(), status: reader.u32(), rest: reader.remaining };
}

function lookupSids(handle: Buffer, sids: readonly string[], extended: boolean, level = 1): NdrWriter {
  const stub = new NdrWriter();
  stub.bytes(handle);
  stub.construct(() => {
    stub.u32(sids.length);
    stub.pointer(() => stub.conformantArray(sids, (sid) => stub.pointer(() => writeSid(stub, sid))));
  });
  stub.u32(0);
  stub.u32(0);
  stub.u16(level);
  stub.u32(0);
  if (extended) {
    stub.u32(0);
    stub.u32(2);
  }
  return stub;
}

function lookupNames(handle: Buffer, names: readonly string[], extended: boolean): NdrWriter {
  const stub = new NdrWriter();
  stub.bytes(handle);
  stub.u32(names.length);
  stub.conformantArray(names, (name) => stub.unicodeString(name));
  stub.u32(0);
  stub.u32(0);
  stub.u16(1);
  stub.u32(0);
  if (extended) {
    stub.u32(0);
    stub.u32(2);
  }
  return stub;
}

describe("LsarOpenPolicy", () => {
  it("gives a handle that LsarClose takes back, once", () => {
    const pipe = bound();
    const reader = replay(pipe, OPEN_POLICY);
    const handle = Buffer.from(reader.bytes(20));
    expect(handle.equals(Buffer.alloc(20))).toBe(false);
    expect([reader.u32(), reader.remaining]).toEqual([0, 0]);
    const closed = replay(pipe, withHandle(CLOSE, handle));
    expect(closed.bytes(20)).toEqual(Buffer.alloc(20));
    expect(closed.u32()).toBe(0);
    expect(() => replay(pipe, withHandle(CLOSE, handle))).toThrow("fault 0x1c00001a");
  });

  it.each([
    { caller: alice, desired: 0x800, status: 0 },
    { caller: alice, desired: 0x20000000, status: 0 },
    { caller: alice, desired: 0x80000000, status: NtStatus.ACCESS_DENIED },
    { caller: alice, desired: 0x10, status: NtStatus.ACCESS_DENIED },
    { caller: administrator, desired: 0x10000000, status: 0 },
    { caller: anonymous, desired: 0x800, status: NtStatus.ACCESS_DENIED },
  ])("for $caller.sid and access $desired returns $status", ({ caller, desired, status }) => {
    const result = opened(caller, desired);
    expect(result.status).toBe(status);
    expect(result.handle.equals(Buffer.alloc(20))).toBe(status !== 0);
  });

  it("refuses a root directory", () => {
    const request = hex(OPEN_POLICY);
    request.writeUInt32LE(0x20000, 36);
    const reader = replay(bound(), request.toString("hex"));
    expect(reader.bytes(20)).toEqual(Buffer.alloc(20));
    expect(reader.u32()).toBe(NtStatus.INVALID_PARAMETER);
  });

  it("bounds the handles of an association", () => {
    const pipe = bound();
    const statuses = Array.from({ length: 300 }, () => {
      const reader = replay(pipe, OPEN_POLICY);
      reader.bytes(20);
      return reader.u32();
    });
    expect(statuses.filter((status) => status === 0)).toHaveLength(256);
    expect(statuses.at(-1)).toBe(NtStatus.INSUFFICIENT_RESOURCES);
  });
});

describe("LsarQueryInformationPolicy", () => {
  function query(information: number, caller = alice, opnum = 7) {
    const { pipe, handle } = opened(caller);
    const stub = new NdrWriter();
    stub.bytes(handle);
    stub.u16(information);
    return call(pipe, opnum, stub);
  }

  it("gives the primary domain, which has no SID in a workgroup", () => {
    const { pipe, handle } = opened();
    const reader = replay(pipe, withHandle(QUERY_INFORMATION_POLICY, handle));
    const info = reader.pointer(() => {
      expect(reader.u16()).toBe(3);
      const name = reader.unicodeString();
      const sid = reader.embeddedPointer(() => readSid(reader));
      return [name(), sid()];
    });
    expect(info).toEqual(["WORKGROUP", undefined]);
    expect([reader.u32(), reader.remaining]).toEqual([0, 0]);
  });

  it.each([
    [5, 7],
    [14, 46],
  ])("class %i gives the account domain through opnum %i", (information, opnum) => {
    const reader = query(information, alice, opnum);
    const info = reader.pointer(() => {
      expect(reader.u16()).toBe(information);
      const name = reader.unicodeString();
      const sid = reader.embeddedPointer(() => readSid(reader));
      return [name(), sid()];
    });
    expect(info).toEqual(["TESSERA", DOMAIN_SID]);
    expect(reader.u32()).toBe(0);
  });

  it("gives the DNS domain", () => {
    const reader = query(12, alice, 46);
    const info = reader.pointer(() => {
      expect(reader.u16()).toBe(12);
      const names = [reader.unicodeString(), reader.unicodeString(), reader.unicodeString()];
      const guid = reader.bytes(16).toString("hex");
      const sid = reader.u32();
      return [...names.map((name) => name()), guid, sid];
    });
    expect(info).toEqual(["WORKGROUP", "", "", "0".repeat(32), 0]);
    expect([reader.u32(), reader.remaining]).toEqual([0, 0]);
  });

  it("gives the role", () => {
    const reader = query(6);
    expect(reader.pointer(() => [reader.u16(), reader.u16()])).toEqual([6, 3]);
    expect(reader.u32()).toBe(0);
  });

  it.each([
    { information: 2, caller: alice, status: NtStatus.ACCESS_DENIED },
    { information: 2, caller: administrator, status: 0 },
    { information: 4, caller: administrator, status: 0 },
    { information: 9, caller: administrator, status: NtStatus.INVALID_PARAMETER },
    { information: 99, caller: administrator, status: NtStatus.INVALID_PARAMETER },
  ])("class $information for $caller.sid returns $status", ({ information, caller, status }) => {
    const reader = query(information, caller);
    const bytes = reader.bytes(reader.remaining);
    expect(bytes.readUInt32LE(0) === 0).toBe(status !== 0);
    expect(bytes.readUInt32LE(bytes.length - 4)).toBe(status);
  });
});

describe("LsarLookupSids", () => {
  it("translates what rpcclient lookupsids asks for", () => {
    const { pipe, handle } = opened();
    const reader = replay(pipe, withHandle(LOOKUP_SIDS, handle));
    expect(readDomains(reader)).toEqual([["BUILTIN", "S-1-5-32"]]);
    expect(readNames(reader, false)).toEqual({
      names: [
        [4, "Administrators", 0],
        [8, "S-1-5-11", -1],
      ],
      mapped: 1,
      status: NtStatus.SOME_NOT_MAPPED,
      rest: 0,
    });
  });

  it.each([
    [15, false],
    [57, true],
  ])("opnum %i gives each domain once", (opnum, extended) => {
    const { pipe, handle } = opened();
    const sids = [`${DOMAIN_SID}-1001`, DOMAIN_SID, `${DOMAIN_SID}-513`, `${DOMAIN_SID}-4711`, "S-1-1-0"];
    const reader = call(pipe, opnum, lookupSids(handle, sids, extended));
    expect(readDomains(reader)).toEqual([
      ["TESSERA", DOMAIN_SID],
      ["", "S-1-1"],
    ]);
    expect(readNames(reader, extended)).toEqual({
      names: [
        [1, "alice", 0],
        [3, "", 0],
        [2, "users", 0],
        [8, "00001267", 0],
        [5, "Everyone", 1],
      ],
      mapped: 4,
      status: NtStatus.SOME_NOT_MAPPED,
      rest: 0,
    });
  });

  it("tells when all or none are known", () => {
    const { pipe, handle } = opened();
    for (const [sid, mapped, status] of [
      ["S-1-1-0", 1, 0],
      ["S-1-5-99", 0, NtStatus.NONE_MAPPED],
    ] as const) {
      const reader = call(pipe, 57, lookupSids(handle, [sid], true));
      readDomains(reader);
      expect(readNames(reader, true)).toMatchObject({ mapped, status });
    }
  });

  it("takes thousands of SIDs in fragments", () => {
    const { pipe, handle } = opened();
    const sids = Array.from({ length: 5000 }, (_, index) => `S-1-5-21-9-9-9-${index}`);
    const stub = Buffer.from(lookupSids(handle, sids, false).view());
    for (let at = 0; at < stub.length; at += 4096) {
      const flags = (at === 0 ? 1 : 0) | (at + 4096 >= stub.length ? 2 : 0);
      pipe.write(requestPdu(15, stub.subarray(at, at + 4096), { flags }));
    }
    let size = 0;
    let last: Buffer;
    do {
      last = readMessage(pipe);
      size += last.length - 24;
    } while ((last.readUInt8(3) & 2) === 0);
    expect(size).toBeGreaterThan(5000 * 28);
    expect(last.readUInt32LE(last.length - 4)).toBe(NtStatus.NONE_MAPPED);
  });

  it("wants the right to look up names, and LsapLookupWksta", () => {
    const noRight = opened(alice, 1);
    const refused = call(noRight.pipe, 15, lookupSids(noRight.handle, ["S-1-1-0"], false));
    expect(Array.from({ length: 5 }, () => refused.u32())).toEqual([0, 0, 0, 0, NtStatus.ACCESS_DENIED]);
    const { pipe, handle } = opened();
    const wrongLevel = call(pipe, 57, lookupSids(handle, ["S-1-1-0"], true, 2));
    expect(Array.from({ length: 5 }, () => wrongLevel.u32())).toEqual([0, 0, 0, 0, NtStatus.INVALID_PARAMETER]);
  });

  it("refuses a count that is not the array's", () => {
    const { pipe, handle } = opened();
    const stub = Buffer.from(lookupSids(handle, ["S-1-1-0"], false).view());
    stub.writeUInt32LE(2, 20);
    expect(() => call(pipe, 15, stub)).toThrow("fault 0x6f7");
  });
});

describe("LsarLookupNames", () => {
  it("answers rpcclient lookupnames", () => {
    const { pipe, handle } = opened();
    const reader = replay(pipe, withHandle(LOOKUP_NAMES, handle));
    expect(reader.pointer(() => [reader.u32(), reader.u32() !== 0, reader.u32(), reader.u32()])).toEqual([
      0,
      true,
      0,
      0,
    ]);
    expect(reader.u32()).toBe(1);
    const sids = reader.pointer(() => {
      expect(reader.u32()).toBe(1);
      return [reader.u16(), reader.u32(), reader.u32() | 0];
    });
    expect(sids).toEqual([8, 0, -1]);
    expect([reader.u32(), reader.u32(), reader.remaining]).toEqual([0, NtStatus.NONE_MAPPED, 0]);
  });

  const names = ["TESSERA\\alice", "everyone", "tessera", "TESSERA\\nobody", "nobody"];

  it.each([
    [14, false],
    [58, true],
  ])("opnum %i gives relative identifiers", (opnum, extended) => {
    const { pipe, handle } = opened();
    const reader = call(pipe, opnum, lookupNames(handle, names, extended));
    expect(readDomains(reader)).toEqual([
      ["TESSERA", DOMAIN_SID],
      ["", "S-1-1"],
    ]);
    reader.u32();
    const sids = reader.pointer(() => {
      const count = reader.u32();
      return Array.from({ length: count }, () => {
        reader.align(4);
        const entry = [reader.u16(), reader.u32(), reader.u32() | 0];
        if (extended) expect(reader.u32()).toBe(0);
        return entry;
      });
    });
    expect(sids).toEqual([
      [1, 1001, 0],
      [5, 0, 1],
      [3, 0xffffffff, 0],
      [8, 0, 0],
      [8, 0, -1],
    ]);
    expect([reader.u32(), reader.u32(), reader.remaining]).toEqual([3, NtStatus.SOME_NOT_MAPPED, 0]);
  });

  it("gives whole SIDs through opnum 68", () => {
    const { pipe, handle } = opened();
    const reader = call(pipe, 68, lookupNames(handle, names, true));
    readDomains(reader);
    reader.u32();
    const sids = reader.pointer(() =>
      reader.conformantArray(10, 16, () => {
        reader.align(4);
        const use = reader.u16();
        const sid = reader.embeddedPointer(() => readSid(reader));
        const index = reader.u32() | 0;
        expect(reader.u32()).toBe(0);
        return () => [use, sid(), index];
      }),
    );
    expect(sids).toEqual([
      [1, `${DOMAIN_SID}-1001`, 0],
      [5, "S-1-1-0", 1],
      [3, DOMAIN_SID, 0],
      [8, undefined, 0],
      [8, undefined, -1],
    ]);
    expect([reader.u32(), reader.u32(), reader.remaining]).toEqual([3, NtStatus.SOME_NOT_MAPPED, 0]);
  });

  it("refuses more names than the interface allows", () => {
    const { pipe, handle } = opened();
    const many = Array.from({ length: 1001 }, () => "a");
    const stub = Buffer.from(lookupNames(handle, many, false).view());
    pipe.write(requestPdu(14, stub.subarray(0, 4096), { flags: 1 }));
    for (let at = 4096; at < stub.length; at += 4096) {
      pipe.write(requestPdu(14, stub.subarray(at, at + 4096), { flags: at + 4096 >= stub.length ? 2 : 0 }));
    }
    expect(readMessage(pipe).readUInt32LE(24)).toBe(0x6f7);
  });
});

describe("lookups without a handle", () => {
  it.each([
    ["LsarLookupNames4", LOOKUP_NAMES4],
    ["LsarLookupSids3", LOOKUP_SIDS3],
  ])("%s is for domain controllers", (_name, request) => {
    const reader = replay(bound(), request);
    expect(Array.from({ length: 5 }, () => reader.u32())).toEqual([0, 0, 0, 0, NtStatus.INVALID_SERVER_STATE]);
    expect(reader.remaining).toBe(0);
  });
});

describe("LsarGetUserName", () => {
  it.each([
    { caller: alice, user: "alice", domain: "TESSERA" },
    { caller: anonymous, user: "ANONYMOUS LOGON", domain: "NT AUTHORITY" },
  ])("tells $user", ({ caller, user, domain }) => {
    const reader = replay(bound(caller), GET_USER_NAME);
    expect(reader.pointer(() => reader.unicodeString()())).toBe(user);
    expect(reader.pointer(() => reader.pointer(() => reader.unicodeString()()))).toBe(domain);
    expect([reader.u32(), reader.remaining]).toEqual([0, 0]);
  });

  it("leaves the domain out where it was not asked for", () => {
    const stub = new NdrWriter();
    for (let index = 0; index < 3; index += 1) stub.u32(0);
    const reader = call(bound(), 45, stub);
    expect(reader.pointer(() => reader.unicodeString()())).toBe("alice");
    expect([reader.u32(), reader.u32(), reader.remaining]).toEqual([0, 0, 0]);
  });
});

describe("accounts and privileges", () => {
  it("enumerates accounts once", () => {
    const { pipe, handle } = opened();
    const reader = replay(pipe, withHandle(ENUMERATE_ACCOUNTS, handle));
    expect([reader.u32(), reader.u32()]).toEqual([1, 1]);
    const sids = reader.pointer(() =>
      reader.conformantArray(10, 4, () => reader.embeddedPointer(() => readSid(reader))),
    );
    expect(sids).toEqual(["S-1-5-32-544"]);
    expect([reader.u32(), reader.remaining]).toEqual([0, 0]);

    const again = hex(withHandle(ENUMERATE_ACCOUNTS, handle));
    again.writeUInt32LE(1, 44);
    const rest = replay(pipe, again.toString("hex"));
    expect([rest.u32(), rest.u32(), rest.u32(), rest.u32()]).toEqual([1, 0, 0, NtStatus.NO_MORE_ENTRIES]);
  });

  it("enumerates privileges, whose names and values translate into each other", () => {
    const { pipe, handle } = opened();
    const reader = replay(pipe, withHandle(ENUMERATE_PRIVILEGES, handle));
    const context = reader.u32();
    expect(reader.u32()).toBe(context);
    const privileges = reader.pointer(() =>
      reader.conformantArray(100, 16, () => {
        const name = reader.unicodeString();
        const luid = [reader.u32(), reader.u32()] as const;
        return () => ({ name: name(), luid });
      }),
    );
    expect(reader.u32()).toBe(0);
    expect(privileges).toContainEqual({ name: "SeSecurityPrivilege", luid: [8, 0] });
    for (const { name, luid } of privileges ?? []) {
      const byName = new NdrWriter();
      byName.bytes(handle);
      byName.construct(() => byName.unicodeString(name));
      const value = call(pipe, 31, byName);
      expect([value.u32(), value.u32(), value.u32()]).toEqual([...luid, 0]);
      const byValue = new NdrWriter();
      byValue.bytes(handle);
      byValue.u32(luid[0]);
      byValue.u32(luid[1]);
      const found = call(pipe, 32, byValue);
      expect(found.pointer(() => found.unicodeString()())).toBe(name);
      expect(found.u32()).toBe(0);
    }
  });

  it("knows no other privileges", () => {
    const { pipe, handle } = opened();
    const byName = new NdrWriter();
    byName.bytes(handle);
    byName.construct(() => byName.unicodeString("SeNoSuchPrivilege"));
    const value = call(pipe, 31, byName);
    expect([value.u32(), value.u32(), value.u32()]).toEqual([0, 0, NtStatus.NO_SUCH_PRIVILEGE]);
    const byValue = new NdrWriter();
    byValue.bytes(handle);
    byValue.u32(8);
    byValue.u32(1);
    const found = call(pipe, 32, byValue);
    expect([found.u32(), found.u32()]).toEqual([0, NtStatus.NO_SUCH_PRIVILEGE]);
  });
});
