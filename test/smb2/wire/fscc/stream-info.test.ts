// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as stream from "../../../../src/smb2/wire/fscc/stream-info.ts";
import { expectGolden, expectHostile, hex, wide, written } from "./codec.ts";

describe("FileStreamInformation", () => {
  const streams = [
    { name: "", size: 5, allocationSize: 4096 },
    { name: "Zone.Identifier", size: 26, allocationSize: 0 },
  ];
  const first = `28000000 0e000000 0500000000000000 0010000000000000 ${wide("::$DATA")} 0000`;
  const second = `00000000 2c000000 1a00000000000000 0000000000000000 ${wide(":Zone.Identifier:$DATA")}`;

  it("chains streams on 8-byte boundaries", () => {
    expectGolden(`${first} ${second}`, streams, stream.encodeFileStreamInformation, stream.decodeFileStreamInformation);
  });

  it("writes nothing for a directory without streams", () => {
    expectGolden("", [], stream.encodeFileStreamInformation, stream.decodeFileStreamInformation);
  });

  it("leaves out what does not fit, whole", () => {
    const writer = new Writer();
    expect(stream.encodeFileStreamInformation(writer, streams, 40 + 24 + 43)).toBe(false);
    expect(stream.decodeFileStreamInformation(new Reader(Buffer.from(writer.view())))).toEqual(streams.slice(0, 1));
    expect(writer.position).toBe(38);
    expect(stream.encodeFileStreamInformation(new Writer(), streams, 40 + 24 + 44)).toBe(true);
    expect(stream.encodeFileStreamInformation(new Writer(), streams, 37)).toBe(false);
  });

  it("refuses a name without its type", () => {
    const bytes = hex(`00000000 0c000000 0000000000000000 0000000000000000 ${wide("$DATA:")}`);
    expect(() => stream.decodeFileStreamInformation(new Reader(bytes))).toThrow(MalformedPacketError);
  });

  it("reads back whatever it wrote", () => {
    const anyStream = fc.record({
      name: fc.string({ maxLength: 20 }),
      size: fc.maxSafeNat(),
      allocationSize: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(fc.array(anyStream, { maxLength: 5 }), (list) => {
        const bytes = written((writer) => stream.encodeFileStreamInformation(writer, list));
        expect(stream.decodeFileStreamInformation(new Reader(bytes))).toEqual(list);
      }),
    );
    expectHostile(hex(`${first} ${second}`), (buffer) => stream.decodeFileStreamInformation(new Reader(buffer)));
  });
});
