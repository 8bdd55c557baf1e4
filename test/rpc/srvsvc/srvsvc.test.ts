// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Identity } from "../../../src/auth/auth.ts";
import { type NdrReader, NdrWriter } from "../../../src/rpc/ndr.ts";
import type { RpcEnvironment, ShareListing } from "../../../src/rpc/pipe.ts";
import {
  administrator,
  alice,
  anonymous,
  bind,
  call,
  decodeBindAck,
  hex,
  openPipe,
  readMessage,
  replay,
  SRVSVC,
  service,
} from "../rpc-client.ts";

// What `smbclient -L` and `rpcclient` put on the wire.
const SMBCLIENT_BIND =
  "05000b03100000004800000001000000b810b810000000000100000000000100c84f324b7016d30112785a47bf6ee18803000000" +
  "045d888aeb1cc9119fe808002b10486002000000";
const SMBCLIENT_SHARE_ENUM =
  "05000003100000005c000000020000004400000000000f00000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e00310000000100000001000000040002000000000000000000ffffffff0800020000000000";
const SERVER_GET_INFO_101 =
  "050000031000000044000000020000002c00000000001500000002000c000000000000000c0000005c005c003100320037002e0030" +
  "002e0030002e003100000065000000";
const SHARE_ENUM_STICKY_502 =
  "050000031000000058000000050000004000000000002400000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e0031000000f6010000f6010000040002000000000000000000ffffffff00000000";
const SHARE_GET_INFO_502 =
  "050000031000000058000000090000004000000000001000000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e0031000000050000000000000005000000640061007400610000000000f6010000";
const SHARE_GET_INFO_1005 =
  "0500000310000000580000000a0000004000000000001000000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e0031000000050000000000000005000000640061007400610000000000ed030000";
const REMOTE_TOD =
  "0500000310000000400000000d0000002800000000001c00000002000c000000000000000c0000005c005c003100320037002e0030" +
  "002e0030002e0031000000";
const SESSION_ENUM =
  "0500000310000000600000000f0000004800000000000c00000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e003100000000000000000000000100000001000000040002000000000000000000ffffffff00000000";
const FILE_ENUM =
  "050000031000000064000000110000004c00000000000900000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e003100000000000000000000000300000003000000040002000000000000000000ffff00000800020000000000";
const CONNECTION_ENUM =
  "050000031000000074000000130000005c00000000000800000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e003100000004000200050000000000000005000000490050004300240000000000000000000000000008000200000000000000" +
  "0000ffffffff00000000";

function bound(caller: Identity = alice, overrides: Partial<RpcEnvironment> = {}) {
  const pipe = openPipe("srvsvc", caller, service(overrides));
  bind(pipe, SRVSVC);
  return pipe;
}

function level1(reader: NdrReader) {
  const level = reader.u32();
  const discriminant = reader.u32();
  const container = reader.pointer(() => {
    const count = reader.u32();
    const entries = reader.pointer(() =>
      reader.conformantArray(1000, 12, () => {
        const name = reader.embeddedPointer(() => reader.string());
        const type = reader.u32();
        const remark = reader.embeddedPointer(() => reader.string());
        return () => ({ name: name(), type, remark: remark() });
      }),
    );
    return { count, entries };
  });
  const total = reader.u32();
  const resume = reader.pointer(() => reader.u32());
  return { level, discriminant, container, total, resume, error: reader.u32(), rest: reader.remaining };
}

function enumRequest(level: number, preferred: number, resume: number | undefined): NdrWriter {
  const stub = new NdrWriter();
  stub.uniqueString("\\\\server");
  stub.u32(level);
  stub.u32(level);
  stub.pointer(() => {
    stub.u32(0);
    stub.u32(0);
  });
  stub.u32(preferred);
  stub.pointer(resume === undefined ? undefined : () => stub.u32(resume));
  return stub;
}

function getInfo(opnum: number, level: number, name?: string) {
  const stub = new NdrWriter();
  stub.uniqueString(undefined);
  if (name !== undefined) stub.string(name);
  stub.align(4);
  stub.u32(level);
  return { opnum, stub };
}

describe("NetrShareEnum", () => {
  it("answers smbclient -L", () => {
    const pipe = openPipe("srvsvc");
    pipe.write(hex(SMBCLIENT_BIND));
    expect(decodeBindAck(readMessage(pipe))).toMatchObject({
      type: 12,
      transmit: 4280,
      receive: 4280,
      address: "\\PIPE\\srvsvc\0",
      results: [{ result: 0, reason: 0 }],
    });
    expect(level1(replay(pipe, SMBCLIENT_SHARE_ENUM))).toEqual({
      level: 1,
      discriminant: 1,
      container: {
        count: 3,
        entries: [
          { name: "data", type: 0, remark: "Data share" },
          { name: "Übung", type: 0, remark: "" },
          { name: "IPC$", type: 0x80000003, remark: "IPC Service" },
        ],
      },
      total: 3,
      resume: 0,
      error: 0,
      rest: 0,
    });
  });

  it("puts a level 1 answer on the wire octet by octet", () => {
    const share: ShareListing = { name: "a", comment: "b", type: 0, path: "", currentUsers: 0 };
    const pipe = bound(alice, { shares: () => [share] });
    pipe.write(hex(SMBCLIENT_SHARE_ENUM));
    expect(readMessage(pipe).toString("hex")).toBe(
      [
        "05000203100000006c00000002000000", // header
        "5400000000000000", // alloc_hint, context, cancel count
        "0100000001000000", // level, discriminant
        "00000200", // container
        "0100000004000200", // EntriesRead, Buffer
        "01000000", // maximum count
        "080002000000000", // shi1_netname, shi1_type ...
        "00c000200", // ... shi1_remark
        "0200000000000000020000006100" + "0000", // "a"
        "0200000000000000020000006200" + "0000", // "b"
        "01000000", // TotalEntries
        "1000020000000000", // ResumeHandle
        "00000000", // NERR_Success
      ].join(""),
    );
  });

  it.each([
    [0, 0, 3],
    [1, 0, 3],
    [2, 5, 0],
    [501, 0, 3],
    [502, 5, 0],
    [503, 5, 0],
  ])("level %i for a user without administrative rights", (level, error, count) => {
    const reader = call(bound(alice), 15, enumRequest(level, 0xffffffff, undefined));
    expect([reader.u32(), reader.u32()]).toEqual([level, level]);
    expect(reader.u32()).not.toBe(0);
    expect(reader.u32()).toBe(count);
    const bytes = reader.bytes(reader.remaining);
    expect(bytes.readUInt32LE(bytes.length - 4)).toBe(error);
  });

  it("refuses anonymous callers", () => {
    expect(level1(call(bound(anonymous), 15, enumRequest(1, 0xffffffff, 0)))).toMatchObject({
      container: { count: 0, entries: undefined },
      error: 5,
    });
  });

  it("refuses a level that does not exist, with no arm of the union", () => {
    const reader = call(bound(), 15, enumRequest(7, 0xffffffff, undefined));
    expect(Array.from({ length: 5 }, () => reader.u32())).toEqual([7, 7, 0, 0, 124]);
    expect(reader.remaining).toBe(0);
  });

  it("pages through the list with the resume handle", () => {
    const pipe = bound();
    // "data" with its comment takes 12 + 10 + 22 octets, the second share 12 + 12 + 2.
    const first = level1(call(pipe, 15, enumRequest(1, 44, 0)));
    expect(first).toMatchObject({ container: { count: 1 }, total: 3, resume: 1, error: 234 });
    const second = level1(call(pipe, 15, enumRequest(1, 25, first.resume)));
    expect(second).toMatchObject({ container: { count: 0 }, total: 2, resume: 1, error: 234 });
    const third = level1(call(pipe, 15, enumRequest(1, 1000, second.resume)));
    expect(third).toMatchObject({ container: { count: 2 }, total: 2, resume: 0, error: 0 });
    expect(level1(call(pipe, 15, enumRequest(1, 1000, 3)))).toMatchObject({ container: { count: 0 }, error: 0 });
  });

  it("tells the caller's identity to the environment", () => {
    const seen: string[] = [];
    const shares = (caller: Identity) => {
      seen.push(caller.userName);
      return [];
    };
    call(bound(alice, { shares }), 15, enumRequest(1, 0xffffffff, undefined));
    expect(seen).toEqual(["alice"]);
  });

  it("cuts a long list into fragments", () => {
    const shares = Array.from({ length: 500 }, (_, index) => ({
      name: `share-${index}`,
      comment: "c".repeat(index % 50),
      type: 0,
      path: "",
      currentUsers: 0,
    }));
    const answer = level1(call(bound(alice, { shares: () => shares }), 15, enumRequest(1, 0xffffffff, undefined)));
    expect(answer.container?.entries?.map(({ name, remark }) => ({ name, remark }))).toEqual(
      shares.map(({ name, comment }) => ({ name, remark: comment })),
    );
  });
});

describe("NetrShareEnumSticky", () => {
  it("gives administrators paths and descriptors at level 502", () => {
    const reader = replay(bound(administrator), SHARE_ENUM_STICKY_502);
    expect([reader.u32(), reader.u32()]).toEqual([502, 502]);
    const shares = reader.pointer(() => {
      reader.u32();
      return reader.pointer(() =>
        reader.conformantArray(10, 40, () => {
          const name = reader.embeddedPointer(() => reader.string());
          const type = reader.u32();
          const remark = reader.embeddedPointer(() => reader.string());
          const [permissions, maximum, current] = [reader.u32(), reader.u32(), reader.u32()];
          const path = reader.embeddedPointer(() => reader.string());
          const password = reader.embeddedPointer(() => reader.string());
          const size = reader.u32();
          const descriptor = reader.embeddedPointer(() => reader.bytes(reader.count(100, 1)).toString("hex"));
          return () => ({
            name: name(),
            type,
            remark: remark(),
            permissions,
            maximum,
            current,
            path: path(),
            password: password(),
            size,
            descriptor: descriptor(),
          });
        }),
      );
    });
    const common = { type: 0, permissions: 0, maximum: 0xffffffff, password: undefined };
    expect(shares).toEqual([
      { ...common, name: "data", remark: "Data share", current: 2, path: "C:\\data", size: 0, descriptor: undefined },
      {
        ...common,
        name: "Übung",
        remark: "",
        current: 0,
        path: "C:\\uebung",
        size: 28,
        descriptor: "01000480000000000000000000000000140000000200080000000000",
      },
      {
        ...common,
        name: "IPC$",
        type: 0x80000003,
        remark: "IPC Service",
        current: 1,
        path: "",
        size: 0,
        descriptor: undefined,
      },
    ]);
    expect([reader.u32(), reader.u32(), reader.u32()]).toEqual([3, 0, 0]);
  });

  it("has no level 501, but the union has", () => {
    const reader = call(bound(), 36, enumRequest(501, 0xffffffff, undefined));
    expect(Array.from({ length: 6 }, () => reader.u32())).toEqual([501, 501, 0, 0, 0, 124]);
    expect(reader.remaining).toBe(0);
  });
});

describe("NetrShareGetInfo", () => {
  it("gives the flags at level 1005", () => {
    const reader = replay(bound(), SHARE_GET_INFO_1005);
    expect(reader.u32()).toBe(1005);
    expect(reader.pointer(() => reader.u32())).toBe(0x800);
    expect(reader.u32()).toBe(0);
  });

  it("keeps level 502 for administrators", () => {
    const refused = replay(bound(alice), SHARE_GET_INFO_502);
    expect([refused.u32(), refused.u32(), refused.u32()]).toEqual([502, 0, 5]);
    const allowed = replay(bound(administrator), SHARE_GET_INFO_502);
    expect(allowed.u32()).toBe(502);
    expect(allowed.u32()).not.toBe(0);
  });

  it.each([
    ["DATA", 1, 0],
    ["übung", 501, 0],
    ["nosuch", 1, 2310],
    ["", 1, 87],
    ["data", 9, 124],
  ])("of %j at level %i returns %i", (name, level, error) => {
    const { opnum, stub } = getInfo(16, level, name);
    const reader = call(bound(), opnum, stub);
    const bytes = reader.bytes(reader.remaining);
    expect(bytes.readUInt32LE(0)).toBe(level);
    expect(bytes.readUInt32LE(bytes.length - 4)).toBe(error);
  });

  it("refuses anonymous callers", () => {
    const { opnum, stub } = getInfo(16, 1, "data");
    const reader = call(bound(anonymous), opnum, stub);
    expect([reader.u32(), reader.u32(), reader.u32()]).toEqual([1, 0, 5]);
  });
});

describe("NetrServerGetInfo", () => {
  it("answers level 101", () => {
    const reader = replay(bound(), SERVER_GET_INFO_101);
    expect(reader.u32()).toBe(101);
    const info = reader.pointer(() => {
      const platform = reader.u32();
      const name = reader.embeddedPointer(() => reader.string());
      const [major, minor, type] = [reader.u32(), reader.u32(), reader.u32()];
      const comment = reader.embeddedPointer(() => reader.string());
      return { platform, major, minor, type, name: name(), comment: comment() };
    });
    expect(info).toEqual({
      platform: 500,
      major: 10,
      minor: 0,
      type: 0x9003,
      name: "TESSERA",
      comment: "A file server",
    });
    expect(reader.u32()).toBe(0);
    expect(reader.remaining).toBe(0);
  });

  it.each([
    { caller: alice, level: 100, error: 0 },
    { caller: alice, level: 102, error: 5 },
    { caller: administrator, level: 102, error: 0 },
    { caller: alice, level: 503, error: 124 },
    { caller: anonymous, level: 101, error: 5 },
  ])("for $caller.sid at level $level returns $error", ({ caller, level, error }) => {
    const { opnum, stub } = getInfo(21, level);
    const reader = call(bound(caller), opnum, stub);
    const bytes = reader.bytes(reader.remaining);
    expect(bytes.readUInt32LE(0)).toBe(level);
    expect(bytes.readUInt32LE(bytes.length - 4)).toBe(error);
  });
});

describe("NetrRemoteTOD", () => {
  it("tells the time in UTC", () => {
    const reader = replay(bound(), REMOTE_TOD);
    const fields = reader.pointer(() => Array.from({ length: 12 }, () => reader.u32()));
    const now = Date.UTC(2024, 1, 29, 13, 14, 15, 167);
    expect(fields).toEqual([Math.floor(now / 1000), now % 2 ** 32, 13, 14, 15, 16, 0, 100, 29, 2, 2024, 4]);
    expect(reader.u32()).toBe(0);
  });
});

describe("enumerations of activity", () => {
  it("refuse a level that does not exist, with no arm of the union", () => {
    const request = hex(SESSION_ENUM);
    request.writeUInt32LE(3, request.length - 28);
    request.writeUInt32LE(3, request.length - 24);
    const reader = replay(bound(administrator), request.toString("hex"));
    expect(Array.from({ length: 5 }, () => reader.u32())).toEqual([3, 3, 0, 0, 124]);
    expect(reader.remaining).toBe(0);
  });

  it.each([
    ["NetrSessionEnum", SESSION_ENUM, 1, 0],
    ["NetrFileEnum", FILE_ENUM, 3, 1],
    ["NetrConnectionEnum", CONNECTION_ENUM, 0, 0],
  ])("%s may be empty for administrators, and is refused to others", (_name, request, level, resumes) => {
    const idle = { sessions: () => [], openFiles: () => [] };
    for (const [caller, error] of [
      [administrator, 0],
      [alice, 5],
    ] as const) {
      const reader = replay(bound(caller, caller === administrator ? idle : {}), request);
      expect([reader.u32(), reader.u32()]).toEqual([level, level]);
      expect(reader.pointer(() => [reader.u32(), reader.u32()])).toEqual([0, 0]);
      expect(reader.u32()).toBe(0);
      expect(reader.pointer(() => reader.u32())).toBe(resumes === 1 ? 0 : undefined);
      expect(reader.u32()).toBe(error);
      expect(reader.remaining).toBe(0);
    }
  });

  const ask = (opnum: number, level: number, filters: readonly (string | undefined)[], caller = administrator) => {
    const stub = new NdrWriter();
    for (const text of ["\\\\server", ...filters]) stub.uniqueString(text);
    stub.u32(level);
    stub.u32(level);
    stub.pointer(() => {
      stub.u32(0);
      stub.u32(0);
    });
    stub.u32(0xffff_ffff);
    stub.u32(0);
    return call(bound(caller), opnum, stub);
  };
  /** Entries of which `shape` says what they consist of: strings (s) and numbers (n). */
  const entries = (reader: NdrReader, shape: string) => {
    const level = [reader.u32(), reader.u32()][0];
    const found = reader.pointer(() => {
      reader.u32();
      return reader.pointer(() =>
        reader.conformantArray(100, 4, () => {
          const fields = [...shape].map((kind) => {
            if (kind === "s") return reader.embeddedPointer(() => reader.string());
            const number = reader.u32();
            return () => number;
          });
          return () => fields.map((read) => read());
        }),
      );
    });
    return { level, found, total: reader.u32(), resume: reader.u32(), error: reader.u32(), rest: reader.remaining };
  };

  const one = "\\\\192.0.2.7";
  const two = "\\\\2001:db8::1";

  it.each([
    [0, "s", [one], [two]],
    [1, "ssnnnn", [one, "alice", 2, 65, 1, 0], [two, "guest", 0, 3, 0, 1]],
    [2, "ssnnnns", [one, "alice", 2, 65, 1, 0, ""], [two, "guest", 0, 3, 0, 1, ""]],
    [10, "ssnn", [one, "alice", 65, 1], [two, "guest", 3, 0]],
    [502, "ssnnnnss", [one, "alice", 2, 65, 1, 0, "", ""], [two, "guest", 0, 3, 0, 1, "", ""]],
  ])("show sessions at level %i", (level, shape, ...found) => {
    const answer = entries(ask(12, level, [undefined, undefined]), shape);
    expect(answer).toEqual({ level, found, total: 2, resume: 0, error: 0, rest: 0 });
  });

  it.each([
    [one, undefined, [[one]], 0],
    [one, "ALICE", [[one]], 0],
    ["", "guest", [[two]], 0],
    [two, "alice", undefined, 2221],
    ["\\\\192.0.2.8", undefined, undefined, 2312],
    ["192.0.2.7", undefined, undefined, 2351],
    [undefined, "x".repeat(1024), undefined, 87],
  ])("show the sessions of client %j and user %j alone", (client, user, found, error) => {
    expect(entries(ask(12, 0, [client, user]), "s")).toMatchObject({ found, error, rest: 0 });
  });

  it.each([
    [
      3,
      undefined,
      undefined,
      "nnnss",
      [
        [7, 3, 2, "C:\\data\\dir\\file", "alice"],
        [0xffff_fff0, 1, 0, "C:\\data2", ""],
      ],
    ],
    [2, undefined, undefined, "n", [[7], [0xffff_fff0]]],
    [2, "c:\\DATA", undefined, "n", [[7]]],
    [2, "C:\\data\\", "Alice", "n", [[7]]],
    [2, undefined, "bob", "n", undefined],
  ])("show open files at level %i under %s of %s", (level, basePath, user, shape, found) => {
    const answer = entries(ask(9, level, [basePath, user]), shape);
    expect(answer).toEqual({ level, found, total: found?.length ?? 0, resume: 0, error: 0, rest: 0 });
  });
});
