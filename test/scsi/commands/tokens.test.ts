// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  copyOperationAbortCdb,
  decodeReportAllRodTokens,
  decodeRodTokenInformation,
  isInProgress,
  populateTokenCdb,
  populateTokenParameters,
  receiveRodTokenInformationCdb,
  reportAllRodTokensCdb,
  rodTypeOf,
  transferredBlocks,
  writeUsingTokenCdb,
  writeUsingTokenParameters,
} from "../../../src/scsi/commands/tokens.ts";
import { ProtocolError } from "../../../src/scsi/errors.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

/** RECEIVE ROD TOKEN INFORMATION of a POPULATE TOKEN of 2048 blocks, with or without sense data. */
function information(token: Buffer, sense = Buffer.alloc(0)): Buffer {
  const data = Buffer.alloc(550 + sense.length);
  data.writeUInt32BE(data.length - 4, 0);
  data[4] = 0x10;
  data[5] = 0x01;
  data.writeUInt32BE(0xfffffffe, 8);
  data[13] = sense.length;
  data[14] = sense.length;
  data[15] = 0xf1;
  data.writeBigUInt64BE(2048n, 16);
  sense.copy(data, 32);
  data.writeUInt32BE(514, 32 + sense.length);
  token.copy(data, 38 + sense.length);
  return data;
}

const token = Buffer.alloc(512, 0x5a);
hex("00800000 0000 01f8").copy(token);

describe("CDBs of third-party copy", () => {
  it("have the list identifier at byte 6 where something begins, and at byte 2 where it is asked for", () => {
    expect(populateTokenCdb(7, 32)).toEqual(hex("83 10 00000000 00000007 00000020 00 00"));
    expect(writeUsingTokenCdb(8, 552)).toEqual(hex("83 11 00000000 00000008 00000228 00 00"));
    expect(receiveRodTokenInformationCdb(7, 1024)).toEqual(hex("84 07 00000007 00000000 00000400 00 00"));
    expect(copyOperationAbortCdb(0xfffffffe)).toEqual(hex("83 1c fffffffe 00000000 00000000 00 00"));
    expect(reportAllRodTokensCdb(65536)).toEqual(hex("84 08 00000000 00000000 00010000 00 00"));
  });
});

describe("POPULATE TOKEN", () => {
  it("has ranges of 16 bytes behind a header of 16", () => {
    const list = populateTokenParameters({ ranges: [{ lba: 32768, blocks: 2048 }], inactivityTimeout: 0 });
    expect(list).toEqual(hex("001e 00 00 00000000 00000000 0000 0010 0000000000008000 00000800 00000000"));
  });

  it("asks for a kind of token, a life time, and blocks beyond 2^32", () => {
    const list = populateTokenParameters({
      ranges: [
        { lba: 0x1_2345_6789, blocks: 0xffffffff },
        { lba: 1, blocks: 2 },
      ],
      inactivityTimeout: 300,
      rodType: 0x00800001,
    });
    expect(list).toEqual(
      hex(
        "002e 02 00 0000012c 00800001 0000 0020 0000000123456789 ffffffff 00000000 0000000000000001 00000002 00000000",
      ),
    );
  });
});

describe("WRITE USING TOKEN", () => {
  it("has the token at byte 16 and the ranges at byte 536", () => {
    const list = writeUsingTokenParameters({ token, offsetInRod: 0, ranges: [{ lba: 12288, blocks: 2048 }] });
    expect(list.length).toBe(552);
    expect(list.subarray(0, 16)).toEqual(hex("0226 00 0000000000 0000000000000000"));
    expect(list.subarray(16, 528)).toEqual(token);
    expect(list.subarray(528)).toEqual(hex("000000000000 0010 0000000000003000 00000800 00000000"));
  });

  it("says where in the token to begin, and that the token may go", () => {
    const list = writeUsingTokenParameters({ token, offsetInRod: 4096, ranges: [], deleteToken: true });
    expect(list.subarray(0, 16)).toEqual(hex("0216 02 0000000000 0000000000001000"));
  });

  it("takes no token of another length", () => {
    const request = { token: Buffer.alloc(511), offsetInRod: 0, ranges: [] };
    expect(() => writeUsingTokenParameters(request)).toThrow(RangeError);
  });
});

describe("RECEIVE ROD TOKEN INFORMATION", () => {
  it("finds the token at byte 38 without sense data", () => {
    const data = information(token);
    expect(data.length).toBe(550);
    const decoded = decodeRodTokenInformation(data);
    expect(decoded).toMatchObject({ responseToServiceAction: 0x10, status: 1, statusUpdateDelay: undefined });
    expect(decoded.token).toEqual(token);
    expect(rodTypeOf(token)).toBe(0x00800000);
    expect(transferredBlocks(decoded, 512)).toBe(2048);
  });

  it("finds the token behind sense data", () => {
    const sense = hex("70 00 0a 00000000 0a 00000000 0d 04 00 000000");
    const decoded = decodeRodTokenInformation(information(token, sense));
    expect(decoded.senseData).toEqual(sense);
    expect(decoded.token).toEqual(token);
  });

  it("takes what is behind AVAILABLE DATA for nothing", () => {
    const padded = Buffer.concat([information(token), Buffer.alloc(474, 0xff)]);
    expect(decodeRodTokenInformation(padded).token).toEqual(token);
  });

  it("copies the token", () => {
    const data = information(token);
    const decoded = decodeRodTokenInformation(data);
    data.fill(0);
    expect(decoded.token).toEqual(token);
  });

  it("has no token where there is no descriptor", () => {
    const data = Buffer.alloc(36);
    data.writeUInt32BE(32, 0);
    data[5] = 0x12;
    data.writeUInt32BE(500, 8);
    const decoded = decodeRodTokenInformation(data);
    expect(decoded.token).toBeUndefined();
    expect(decoded.statusUpdateDelay).toBe(500);
    expect(isInProgress(decoded.status)).toBe(true);
    expect([1, 2, 3, 4, 0x60].some(isInProgress)).toBe(false);
  });

  it("refuses descriptors that are not one token", () => {
    const data = information(token);
    for (const length of [1, 512, 513, 515, 1028, 0xffffffff]) {
      data.writeUInt32BE(length, 32);
      expect(() => decodeRodTokenInformation(data)).toThrow(ProtocolError);
    }
  });

  it("takes any bytes, or says that they are wrong", () => {
    const mutated = fc.tuple(fc.array(fc.tuple(fc.nat(549), fc.nat(255)), { maxLength: 8 }), fc.nat(550));
    fc.assert(
      fc.property(mutated, ([changes, length]) => {
        const data = information(token);
        for (const [at, value] of changes) data[at] = value;
        try {
          const { token: found } = decodeRodTokenInformation(data.subarray(0, length));
          expect(found === undefined || found.length === 512).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

describe("transferredBlocks", () => {
  const counted = (transferCount: bigint, transferCountUnits: number) => ({
    ...decodeRodTokenInformation(information(token)),
    transferCount,
    transferCountUnits,
  });

  it("knows bytes, powers of 1024, and blocks", () => {
    expect(transferredBlocks(counted(5000n, 0), 512)).toBe(9);
    expect(transferredBlocks(counted(3n, 1), 512)).toBe(6);
    expect(transferredBlocks(counted(3n, 2), 4096)).toBe(768);
    expect(transferredBlocks(counted(3n, 0xf1), 4096)).toBe(3);
  });

  it("knows neither other units nor numbers without end", () => {
    expect(transferredBlocks(counted(3n, 7), 512)).toBeUndefined();
    expect(transferredBlocks(counted(2n ** 64n - 1n, 6), 512)).toBeUndefined();
  });
});

describe("REPORT ALL ROD TOKENS", () => {
  it("has the first 96 bytes of each token behind 8 bytes", () => {
    const data = Buffer.concat([hex("000000c4 00000000"), Buffer.alloc(96, 1), Buffer.alloc(96, 2), Buffer.alloc(50)]);
    expect(decodeReportAllRodTokens(data)).toEqual([Buffer.alloc(96, 1), Buffer.alloc(96, 2)]);
    // Cut in the second one.
    expect(decodeReportAllRodTokens(data.subarray(0, 150))).toHaveLength(1);
    expect(() => decodeReportAllRodTokens(data.subarray(0, 7))).toThrow(ProtocolError);
  });
});
