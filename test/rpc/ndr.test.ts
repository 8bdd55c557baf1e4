// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SmbError } from "../../src/nt/status.ts";
import { NdrError, NdrReader, NdrWriter } from "../../src/rpc/ndr.ts";
import { parentSid, readSid, relativeId, writeSid } from "../../src/rpc/sid.ts";
import { hex } from "./rpc-client.ts";

function written(write: (output: NdrWriter) => void): string {
  const output = new NdrWriter();
  write(output);
  return output.view().toString("hex");
}

describe("NDR alignment", () => {
  it("aligns each type to its size, with zeros between", () => {
    const text = written((output) => {
      output.u8(1);
      output.u16(2);
      output.u8(3);
      output.u32(4);
      output.u8(5);
      output.u64(6n);
    });
    expect(text).toBe("0100020003000000" + "0400000005000000" + "0600000000000000");
    const input = new NdrReader(hex(text));
    expect([input.u8(), input.u16(), input.u8(), input.u32(), input.u8(), input.u64()]).toEqual([1, 2, 3, 4, 5, 6n]);
    expect(input.remaining).toBe(0);
  });

  it.each([
    ["u8", (output: NdrWriter, value: number) => output.u8(value), (input: NdrReader) => input.u8()],
    ["u16", (output: NdrWriter, value: number) => output.u16(value), (input: NdrReader) => input.u16()],
    ["u32", (output: NdrWriter, value: number) => output.u32(value), (input: NdrReader) => input.u32()],
    ["u64", (output: NdrWriter, value: number) => output.u64(BigInt(value)), (input: NdrReader) => Number(input.u64())],
    [
      "bytes",
      (output: NdrWriter, value: number) => output.bytes(Buffer.from([value])),
      (input: NdrReader) => input.bytes(1)[0],
    ],
  ] as const)("keeps every %s when the buffer grows", (_name, write, read) => {
    const output = new NdrWriter();
    for (let index = 0; index < 4000; index += 1) write(output, index % 251);
    const input = new NdrReader(output.view());
    for (let index = 0; index < 4000; index += 1) expect(read(input)).toBe(index % 251);
    expect(input.remaining).toBe(0);
  });
});

describe("NDR strings", () => {
  it("are conformant, varying and terminated", () => {
    expect(written((output) => output.string("Aß"))).toBe("0300000000000000030000004100df000000");
    expect(new NdrReader(hex("0300000000000000030000004100df000000")).string()).toBe("Aß");
  });

  it("may be allocated larger than they are", () => {
    expect(new NdrReader(hex("1000000000000000020000004100 0000")).string()).toBe("A");
  });

  it.each([
    ["without a terminator", "020000000000000002000000 41004200"],
    ["longer than its array", "010000000000000002000000 41000000"],
    ["with an offset", "030000000100000002000000 41000000"],
    ["longer than the stub", "ff00000000000000ff000000 41000000"],
    ["of no units", "000000000000000000000000"],
  ])("%s are refused", (_name, text) => {
    expect(() => new NdrReader(hex(text)).string()).toThrow(NdrError);
  });

  it("write RPC_UNICODE_STRING with its referent after the structure", () => {
    const text = written((output) =>
      output.construct(() => {
        output.unicodeString("ab");
        output.unicodeString(undefined);
        output.u32(7);
      }),
    );
    expect(text).toBe("0400040000000200" + "0000000000000000" + "07000000" + "020000000000000002000000" + "61006200");
    const input = new NdrReader(hex(text));
    const [first, second] = [input.unicodeString(), input.unicodeString()];
    expect(input.u32()).toBe(7);
    expect([first(), second()]).toEqual(["ab", ""]);
  });

  it.each([
    ["of an odd length", "0300040000000200"],
    ["longer than its maximum", "0400020000000200"],
    ["with a length and no buffer", "0400040000000000"],
    ["whose referent has another length", "0400040000000200030000000000000003000000610062006300"],
  ])("RPC_UNICODE_STRING %s is refused", (_name, text) => {
    expect(() => new NdrReader(hex(text)).unicodeString()()).toThrow(NdrError);
  });
});

describe("NDR pointers", () => {
  it("defer referents to the end of the outermost array, depth first", () => {
    const text = written((output) => {
      output.conformantArray([1, 2], (value) => {
        output.u32(value);
        output.pointer(() =>
          output.construct(() => {
            output.u32(value * 16);
            output.pointer(() => output.u32(value * 256));
          }),
        );
      });
      output.pointer(() => output.u32(9));
      output.pointer(undefined);
    });
    expect(text).toBe(
      [
        "02000000",
        "0100000000000200",
        "0200000004000200",
        "1000000008000200",
        "00010000",
        "200000000c000200",
        "00020000",
        "1000020009000000",
        "00000000",
      ].join(""),
    );
    const input = new NdrReader(hex(text));
    const values = input.conformantArray(2, 8, () => {
      const value = input.u32();
      const inner = input.embeddedPointer(() => {
        const first = input.u32();
        return [first, input.pointer(() => input.u32())];
      });
      return () => [value, inner()];
    });
    expect(values).toEqual([
      [1, [16, 256]],
      [2, [32, 512]],
    ]);
    expect(input.pointer(() => input.u32())).toBe(9);
    expect(input.pointer(() => input.u32())).toBeUndefined();
  });
});

describe("NDR counts", () => {
  it("are bounded by their limit and by the stub", () => {
    const input = () => new NdrReader(hex("04000000 00000000 00000000"));
    expect(input().count(4, 2)).toBe(4);
    expect(() => input().count(3, 1)).toThrow(NdrError);
    expect(() => input().count(4, 3)).toThrow(NdrError);
  });
});

describe("RPC_SID", () => {
  it.each([
    ["S-1-5-32-544", "02000000010200000000000520000000 20020000"],
    ["S-1-1-0", "010000000101000000000001 00000000"],
    ["S-1-5", "000000000100000000000005"],
    ["S-1-0x123456789abc-1", "010000000101123456789abc01000000"],
    ["S-1-5-21-4294967295-1", "030000000103000000000005 15000000ffffffff01000000"],
  ])("%s", (sid, text) => {
    expect(written((output) => writeSid(output, sid))).toBe(hex(text).toString("hex"));
    expect(readSid(new NdrReader(hex(text)))).toBe(sid);
  });

  it.each([
    ["of another revision", "010000000201000000000001 00000000"],
    ["with too many sub-authorities", `10000000${"01100000000000 05"}${"00000000".repeat(16)}`],
    ["with counts that differ", "020000000101000000000001 0000000000000000"],
  ])("%s is refused", (_name, text) => {
    expect(() => readSid(new NdrReader(hex(text)))).toThrow(NdrError);
  });

  it("does not write what is no SID", () => {
    expect(() => writeSid(new NdrWriter(), "alice")).toThrow(SmbError);
  });

  it("splits into domain and RID", () => {
    expect([parentSid("S-1-5-21-1-2-3-500"), relativeId("S-1-5-21-1-2-3-500")]).toEqual(["S-1-5-21-1-2-3", 500]);
    expect([parentSid("S-1-1-0"), relativeId("S-1-1-0")]).toEqual(["S-1-1", 0]);
    expect([parentSid("S-1-5"), relativeId("S-1-5")]).toEqual(["S-1-5", 0]);
  });
});

describe("properties", () => {
  it("any string comes back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(7), (text, offset) => {
        fc.pre(!text.includes("\0"));
        const output = new NdrWriter();
        for (let index = 0; index < offset; index += 1) output.u8(index);
        output.uniqueString(text);
        output.construct(() => output.unicodeString(text));
        const input = new NdrReader(output.view());
        input.bytes(offset);
        expect(input.uniqueString()).toBe(text);
        expect(input.unicodeString()()).toBe(text);
        expect(input.remaining).toBe(0);
      }),
    );
  });

  it("any octets read as a string, array or SID, or give an NdrError", () => {
    const reads: ((input: NdrReader) => unknown)[] = [
      (input) => input.uniqueString(),
      (input) => input.unicodeString()(),
      (input) => input.conformantArray(10, 4, () => input.embeddedPointer(() => input.string())),
      readSid,
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(...reads), (data, read) => {
        try {
          read(new NdrReader(Buffer.from(data)));
        } catch (error) {
          expect(error).toBeInstanceOf(NdrError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
