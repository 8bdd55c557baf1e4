// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ScatterWriter } from "../../../src/scsi/buffers.ts";
import { ProtocolError } from "../../../src/scsi/errors.ts";
import { dataSegmentLengthOf, newBhs } from "../../../src/scsi/iscsi/bhs.ts";
import { PduReader } from "../../../src/scsi/iscsi/pdu-reader.ts";
import { assemblePdu } from "../../../src/scsi/iscsi/pdu-writer.ts";

interface Read {
  readonly tag: number;
  readonly data: Buffer;
}

/** Collects PDUs; those with an odd tag are placed, in two buffers. */
function collector(maximum = 1 << 20) {
  const read: Read[] = [];
  let placed: Buffer[] = [];
  const reader = new PduReader(
    {
      header: (bhs) => {
        const length = dataSegmentLengthOf(bhs);
        placed = [Buffer.alloc(length >> 1), Buffer.alloc(length - (length >> 1))];
        return bhs.readUInt32BE(16) % 2 === 1 ? new ScatterWriter(placed) : undefined;
      },
      pdu: (bhs, data) => {
        const tag = bhs.readUInt32BE(16);
        read.push({ tag, data: tag % 2 === 1 ? Buffer.concat(placed) : Buffer.from(data) });
      },
    },
    maximum,
  );
  return { reader, read };
}

const pduBytes = (tag: number, data: Buffer, headerDigest: boolean, dataDigest: boolean) =>
  Buffer.concat(assemblePdu(newBhs(0x25, 0, data.length, tag), [data], data.length, headerDigest, dataDigest));

describe("digests", () => {
  it("are CRC32C as RFC 7143 has it, least significant byte first", () => {
    // RFC 7143 A.4: 32 bytes of zeros, and of ones.
    for (const [fill, expected] of [
      [0, "aa36918a"],
      [0xff, "43aba862"],
    ] as const) {
      const data = Buffer.alloc(32, fill);
      const buffers = assemblePdu(newBhs(0x25, 0, 32, 0), [data.subarray(0, 10), data.subarray(10)], 32, false, true);
      expect(buffers.at(-1)?.toString("hex")).toBe(expected);
    }
  });

  it("cover the padding", () => {
    const whole = Buffer.concat(assemblePdu(newBhs(0x25, 0, 5, 0), [Buffer.from("abcde")], 5, true, true));
    expect(whole.length).toBe(48 + 4 + 8 + 4);
    const { reader, read } = collector();
    reader.headerDigest = true;
    reader.dataDigest = true;
    reader.feed(whole);
    expect(read).toEqual([{ tag: 0, data: Buffer.from("abcde") }]);
    // A bit of the padding.
    whole[48 + 4 + 6] = 1;
    expect(() => reader.feed(whole)).toThrow(ProtocolError);
  });
});

describe("PduReader", () => {
  it("finds the PDUs however the bytes are cut", () => {
    const pdu = fc.tuple(fc.nat(5), fc.uint8Array({ maxLength: 50 }));
    fc.assert(
      fc.property(
        fc.array(pdu, { maxLength: 5 }),
        fc.boolean(),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
        (pdus, headerDigest, dataDigest, cuts) => {
          const { reader, read } = collector();
          reader.headerDigest = headerDigest;
          reader.dataDigest = dataDigest;
          const bytes = Buffer.concat(
            pdus.map(([tag, data]) => pduBytes(tag, Buffer.from(data), headerDigest, dataDigest)),
          );
          for (let at = 0, index = 0; at < bytes.length; index++) {
            const size = cuts[index % cuts.length] ?? 1;
            reader.feed(bytes.subarray(at, at + size));
            at += size;
          }
          expect(read).toEqual(pdus.map(([tag, data]) => ({ tag, data: Buffer.from(data) })));
          expect(reader.idle).toBe(true);
        },
      ),
    );
  });

  it("takes data right where they belong, in whatever pieces they come", () => {
    const pdu = fc.tuple(fc.nat(5), fc.nat(12_000));
    fc.assert(
      fc.property(
        fc.array(pdu, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        fc.array(fc.integer({ min: 50, max: 10_000 }), { minLength: 1, maxLength: 20 }),
        (pdus, digests, cuts) => {
          const { reader, read } = collector();
          reader.headerDigest = digests;
          reader.dataDigest = digests;
          const expected = pdus.map(([tag, length]) => ({ tag, data: Buffer.alloc(length, `${tag}-${length}`) }));
          const bytes = Buffer.concat(expected.map(({ tag, data }) => pduBytes(tag, data, digests, digests)));
          let direct = 0;
          for (let at = 0, index = 0; at < bytes.length; index++) {
            const room = reader.room();
            const size = Math.min(cuts[index % cuts.length] ?? 1, bytes.length - at, room?.length ?? 100);
            if (room === undefined) reader.feed(bytes.subarray(at, at + size));
            else {
              bytes.copy(room, 0, at, at + size);
              reader.filled(size);
              direct += size;
            }
            at += size;
          }
          expect(read.map(({ tag }) => tag)).toEqual(expected.map(({ tag }) => tag));
          expect(read.every(({ data }, index) => expected[index]?.data.equals(data))).toBe(true);
          expect(reader.idle).toBe(true);
          const large = pdus.some(([tag, length]) => tag % 2 === 1 && length > 10_000);
          if (large) expect(direct).toBeGreaterThan(0);
        },
      ),
    );
  });

  it("notices wrong data that came right to their place", () => {
    const { reader } = collector();
    reader.dataDigest = true;
    const bytes = pduBytes(1, Buffer.alloc(20_000, 1), false, true);
    reader.feed(bytes.subarray(0, 48));
    const room = reader.room();
    room?.fill(2);
    reader.filled(room?.length ?? 0);
    expect(() => reader.feed(bytes.subarray(48 + 10_000))).toThrow(ProtocolError);
  });

  it("has no room for what is no data, or has no place, or is little", () => {
    const { reader } = collector();
    expect(reader.room()).toBeUndefined();
    expect(() => reader.filled(1)).toThrow(RangeError);
    reader.feed(newBhs(0x25, 0, 20_000, 2));
    expect(reader.room()).toBeUndefined();
    reader.feed(Buffer.alloc(20_000));
    reader.feed(newBhs(0x25, 0, 100, 1));
    expect(reader.room()).toBeUndefined();
  });

  it("notices each bit that changed on the way", () => {
    const bytes = pduBytes(2, Buffer.from("0123456789"), true, true);
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        // A changed length makes the PDU another one, whose header digest is wrong.
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const { reader, read } = collector();
        reader.headerDigest = true;
        reader.dataDigest = true;
        let failed = false;
        try {
          reader.feed(changed);
        } catch (error) {
          failed = error instanceof ProtocolError;
        }
        // More additional header segments are announced than have come: it waits for them.
        expect(failed || read.length === 0).toBe(true);
      }),
    );
  });

  it("passes over additional header segments", () => {
    const bhs = newBhs(0x20, 0x80, 0, 2);
    bhs[4] = 2;
    const { reader, read } = collector();
    reader.feed(Buffer.concat([bhs, Buffer.alloc(8, 0xee), pduBytes(4, Buffer.from("x"), false, false)]));
    expect(read.map(({ tag }) => tag)).toEqual([2, 4]);
  });

  it("makes room for no more data than agreed", () => {
    const { reader } = collector(1000);
    expect(() => reader.feed(newBhs(0x25, 0, 1001, 2))).toThrow(ProtocolError);
  });

  it("goes on after any noise, or says that it is wrong", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (noise, digests) => {
        const { reader } = collector(100);
        reader.headerDigest = digests;
        reader.dataDigest = digests;
        try {
          reader.feed(Buffer.from(noise));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});
