// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as network from "../../../../src/smb2/wire/fscc/network-interface.ts";
import { expectHostile, hex, written } from "./codec.ts";

describe("NETWORK_INTERFACE_INFO", () => {
  const interfaces = [
    { ifIndex: 2, capability: 1, linkSpeed: 10_000_000_000, address: Buffer.from([192, 0, 2, 1]) },
    { ifIndex: 2, capability: 1, linkSpeed: 10_000_000_000, address: hex(`20010db8 ${"00".repeat(11)} 05`) },
  ];
  const head = "02000000 01000000 00000000 00e40b5402000000";
  const bytes = hex(`98000000 ${head} 0200 0000 c0000201 ${"00".repeat(120)}
    00000000 ${head} 1700 0000 00000000 20010db8 ${"00".repeat(11)} 05 ${"00".repeat(104)}`);

  it("chains entries of 152 bytes", () => {
    expect(bytes).toHaveLength(2 * network.NETWORK_INTERFACE_INFO_LENGTH);
    expect(written((writer) => network.encodeNetworkInterfaces(writer, interfaces)).toString("hex")).toBe(
      bytes.toString("hex"),
    );
    expect(network.decodeNetworkInterfaces(bytes)).toEqual(interfaces);
    expect(network.decodeNetworkInterfaces(Buffer.alloc(0))).toEqual([]);
    expectHostile(bytes, network.decodeNetworkInterfaces);
  });

  it("refuses an address that is none", () => {
    const wrong = [{ ifIndex: 1, capability: 0, linkSpeed: 0, address: Buffer.alloc(5) }];
    expect(() => network.encodeNetworkInterfaces(new Writer(), wrong)).toThrow(RangeError);
    const family = Buffer.from(bytes);
    family[24] = 3;
    expect(() => network.decodeNetworkInterfaces(family)).toThrow(MalformedPacketError);
  });
});
