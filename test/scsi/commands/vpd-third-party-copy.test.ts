// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeThirdPartyCopy, RodType } from "../../../src/scsi/commands/vpd-third-party-copy.ts";
import { ProtocolError } from "../../../src/scsi/errors.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

function page(...descriptors: readonly Buffer[]): Buffer {
  const body = Buffer.concat(descriptors);
  const header = hex("008f0000");
  header.writeUInt16BE(body.length, 2);
  return Buffer.concat([header, body]);
}

const limits = hex("0000 0020 000000000000 0040 00000258 0000003c 0000000000200000 0000000000080000");
const commands = hex("0001 000c 09 83 03 10 11 1c 84 02 07 08 0000");
const features = Buffer.concat([
  hex("0106 001c 04 000000 0000000000000000 0000000a 00000014 0000001e"),
  Buffer.alloc(4),
]);
const rodType = (type: string, flags: string, preference: string) =>
  Buffer.concat([hex(`${type} ${flags} 00 ${preference}`), Buffer.alloc(56)]);
const rodTypes = Buffer.concat([
  hex("0108 0084 0000 0080"),
  rodType("00800000", "03", "8000"),
  rodType("ffff0001", "02", "0000"),
]);

describe("VPD page 8Fh", () => {
  it("is read whatever the order of its descriptors", () => {
    const expected = {
      limits: {
        maximumRanges: 64,
        maximumInactivityTimeout: 600,
        defaultInactivityTimeout: 60,
        maximumTokenTransfer: 0x200000,
        optimalTransfer: 0x80000,
      },
      features: {
        remoteTokens: 4,
        minimumTokenLifetime: 10,
        maximumTokenLifetime: 20,
        maximumTokenInactivityTimeout: 30,
      },
      rodTypes: [
        { type: RodType.POINT_IN_TIME, tokenIn: true, tokenOut: true, preference: 0x8000 },
        { type: RodType.BLOCK_DEVICE_ZERO, tokenIn: true, tokenOut: false, preference: 0 },
      ],
      commands: new Map([
        [0x83, [0x10, 0x11, 0x1c]],
        [0x84, [0x07, 0x08]],
      ]),
    };
    expect(decodeThirdPartyCopy(page(limits, commands, features, rodTypes))).toEqual(expected);
    expect(decodeThirdPartyCopy(page(hex("8001 0002 ffff"), rodTypes, features, commands, limits))).toEqual(expected);
  });

  it("does with limits alone, and takes zeros for no limit", () => {
    const none = Buffer.concat([hex("0000 0020"), Buffer.alloc(32)]);
    expect(decodeThirdPartyCopy(page(none))).toEqual({
      limits: {
        maximumRanges: Number.POSITIVE_INFINITY,
        maximumInactivityTimeout: Number.POSITIVE_INFINITY,
        defaultInactivityTimeout: 0,
        maximumTokenTransfer: Number.POSITIVE_INFINITY,
        optimalTransfer: 0,
      },
      features: undefined,
      rodTypes: [],
      commands: undefined,
    });
  });

  it("says no where limits, or one of the commands, are missing", () => {
    expect(decodeThirdPartyCopy(page(commands))).toBeUndefined();
    expect(decodeThirdPartyCopy(page(limits, hex("0001 0008 06 83 01 10 84 01 07 00")))).toBeUndefined();
    expect(decodeThirdPartyCopy(page(hex("0000 0004 00000000")))).toBeUndefined();
  });

  it("refuses another page, and descriptors behind its end", () => {
    expect(() => decodeThirdPartyCopy(hex("00b00000"))).toThrow(ProtocolError);
    expect(() => decodeThirdPartyCopy(page(limits).subarray(0, 20))).toThrow(ProtocolError);
    expect(() => decodeThirdPartyCopy(page(hex("0000 0021 00")))).toThrow(ProtocolError);
  });

  it("takes any bytes, or says that they are wrong", () => {
    const whole = page(limits, commands, features, rodTypes);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 10 }),
        fc.nat(whole.length),
        (changes, length) => {
          const data = Buffer.from(whole);
          for (const [at, value] of changes) data[at] = value;
          try {
            decodeThirdPartyCopy(data.subarray(0, length));
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        },
      ),
    );
  });
});
