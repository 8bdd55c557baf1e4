// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CreateContextName,
  decodeCreateContexts,
  encodeCreateContexts,
  findCreateContext,
} from "../../../src/smb2/wire/create-contexts.ts";
import { MalformedPacketError, Writer } from "../../../src/smb2/wire/cursor.ts";
import { hex, withU16, withU32 } from "./golden.ts";

/** AlSi with data, then QFid with none, by hand (MS-SMB2 2.2.13.2). */
const chain = hex(`
  20000000 1000 0400 0000 1800 08000000 416c5369 00000000 0807060504030201
  00000000 1000 0400 0000 0000 00000000 51466964`);
const contexts = [
  { name: "AlSi", data: hex("0807060504030201") },
  { name: "QFid", data: hex("") },
];

function encoded(list: Parameters<typeof encodeCreateContexts>[1]): Buffer {
  const writer = new Writer(8);
  encodeCreateContexts(writer, list);
  return Buffer.from(writer.view());
}

describe("create contexts", () => {
  it("are read and written as a chain", () => {
    expect(decodeCreateContexts(chain)).toEqual(contexts);
    expect(encoded(contexts).toString("hex")).toBe(chain.toString("hex"));
  });

  it("have names of 4 or 16 bytes, in network byte order", () => {
    expect(Buffer.from(CreateContextName.APP_INSTANCE_ID, "latin1").toString("hex")).toBe(
      "45bca66aefa7f74a9008fa462e144d74",
    );
    const list = [
      { name: CreateContextName.APP_INSTANCE_VERSION, data: hex("01") },
      { name: CreateContextName.AAPL, data: hex("02") },
    ];
    expect(encoded(list).toString("hex", 16, 33)).toBe("b982d0b73b56074fa07b524a8116a01001");
    expect(decodeCreateContexts(encoded(list))).toEqual(list);
  });

  it("are found by name, the first of a name", () => {
    expect(findCreateContext(contexts, CreateContextName.ALLOCATION_SIZE)).toEqual(hex("0807060504030201"));
    expect(findCreateContext(contexts, CreateContextName.QUERY_ON_DISK_ID)).toHaveLength(0);
    expect(findCreateContext(contexts, CreateContextName.AAPL)).toBeUndefined();
    const twice = [
      { name: "AAPL", data: hex("01") },
      { name: "AAPL", data: hex("02") },
    ];
    expect(findCreateContext(twice, "AAPL")).toEqual(hex("01"));
  });

  it("may have any DataOffset where there are no data", () => {
    expect(decodeCreateContexts(withU16(chain, 32 + 10, 0xffff))).toEqual(contexts);
  });

  it("may have their data in front of the name", () => {
    const swapped = hex("00000000 2000 0400 0000 1000 02000000 a1a2000000000000 0000000000000000 4d784163");
    expect(decodeCreateContexts(swapped)).toEqual([{ name: "MxAc", data: hex("a1a2") }]);
  });

  it.each([
    ["an empty chain", hex("")],
    ["a header that is cut short", chain.subarray(0, 15)],
    ["a Next inside the header", withU32(chain, 0, 8)],
    ["a Next that is not aligned", withU32(chain, 0, 0x1c)],
    ["a Next behind the end", withU32(chain, 0, 0x40)],
    ["a Next that leaves no room for a header", withU32(chain, 0, 0x30)],
    ["a Next far behind the end", withU32(chain, 0, 0xffff_fff8)],
    ["a name inside the header", withU16(chain, 4, 8)],
    ["a name that is not aligned", withU16(chain, 4, 0x11)],
    ["a name of 3 bytes", withU16(chain, 6, 3)],
    ["a name that reaches into the next context", withU16(chain, 6, 0x14)],
    ["data inside the header", withU16(chain, 10, 8)],
    ["data that are not aligned", withU16(chain, 10, 0x14)],
    ["data that reach into the next context", withU32(chain, 12, 9)],
    ["data of 4 GiB", withU32(chain, 12, 0xffff_ffff)],
  ])("are rejected with %s", (_name, bytes) => {
    expect(() => decodeCreateContexts(bytes)).toThrow(MalformedPacketError);
  });

  it("are read back whatever they hold", () => {
    const context = fc.record({
      name: fc.uint8Array({ minLength: 4, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
      data: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(context, { minLength: 1, maxLength: 6 }), (list) => {
        expect(decodeCreateContexts(encoded(list))).toEqual(list);
      }),
    );
  });
});
