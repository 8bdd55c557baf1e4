// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { NdrWriter } from "../../../src/rpc/ndr.ts";
import { administrator, alice, anonymous, bind, call, openPipe, replay, WKSSVC } from "../rpc-client.ts";

// What `rpcclient` puts on the wire.
const WKSTA_GET_INFO_100 =
  "050000031000000040000000150000002800000000000000000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e003100000064000000";
const WKSTA_USER_ENUM =
  "050000031000000054000000170000003c00000000000200000002000a000000000000000a0000003100320037002e0030002e0030" +
  "002e0031000000000000000000000000000000e803000004000200b7550000";

function bound(caller = alice) {
  const pipe = openPipe("wkssvc", caller);
  bind(pipe, WKSSVC);
  return pipe;
}

describe("NetrWkstaGetInfo", () => {
  it("answers level 100", () => {
    const reader = replay(bound(), WKSTA_GET_INFO_100);
    expect(reader.u32()).toBe(100);
    const info = reader.pointer(() => {
      const platform = reader.u32();
      const name = reader.embeddedPointer(() => reader.string());
      const group = reader.embeddedPointer(() => reader.string());
      const version = [reader.u32(), reader.u32()];
      return { platform, version, name: name(), group: group() };
    });
    expect(info).toEqual({ platform: 500, version: [10, 0], name: "TESSERA", group: "WORKGROUP" });
    expect([reader.u32(), reader.remaining]).toEqual([0, 0]);
  });

  it.each([
    { caller: alice, level: 101, error: 0 },
    { caller: alice, level: 102, error: 5 },
    { caller: administrator, level: 102, error: 0 },
    { caller: alice, level: 502, error: 124 },
    { caller: anonymous, level: 100, error: 5 },
  ])("for $caller.sid at level $level returns $error", ({ caller, level, error }) => {
    const stub = new NdrWriter();
    stub.u32(0);
    stub.u32(level);
    const reader = call(bound(caller), 0, stub);
    const bytes = reader.bytes(reader.remaining);
    expect(bytes.readUInt32LE(0)).toBe(level);
    expect(bytes.readUInt32LE(4) === 0).toBe(error !== 0);
    expect(bytes.readUInt32LE(bytes.length - 4)).toBe(error);
  });
});

describe("NetrWkstaUserEnum", () => {
  it.each([
    { caller: alice, error: 5 },
    { caller: administrator, error: 0 },
  ])("for $caller.sid returns no users and $error", ({ caller, error }) => {
    const reader = replay(bound(caller), WKSTA_USER_ENUM);
    expect([reader.u32(), reader.u32()]).toEqual([0, 0]);
    expect(reader.pointer(() => [reader.u32(), reader.u32()])).toEqual([0, 0]);
    expect(reader.u32()).toBe(0);
    expect(reader.pointer(() => reader.u32())).toBe(0);
    expect([reader.u32(), reader.remaining]).toEqual([error, 0]);
  });
});
