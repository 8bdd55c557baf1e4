// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AaplCapability,
  AaplQuery,
  AaplVolumeCapability,
  aaplServerQueryContext,
  aaplServerReplyContext,
  decodeAaplRequest,
  decodeAaplServerReply,
} from "../../../src/smb2/wire/aapl.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import { hex } from "./golden.ts";

describe("the create context AAPL", () => {
  /** As macOS asks: everything, with all its own capabilities. */
  const request = hex("01000000 00000000 0700000000000000 3f00000000000000");

  it("is a server query", () => {
    const query = { requested: 7n, clientCapabilities: 0x3fn };
    expect(decodeAaplRequest(request)).toEqual(query);
    expect(aaplServerQueryContext(query)).toEqual({ name: "AAPL", data: request });
  });

  it("may hold another command, which is not looked at", () => {
    expect(decodeAaplRequest(hex("02000000 00000000 0807060504030201"))).toBeUndefined();
    expect(decodeAaplRequest(hex("ffffffff 00000000"))).toBeUndefined();
  });

  it("is refused with another length", () => {
    for (const wrong of [
      hex(""),
      request.subarray(0, 7),
      request.subarray(0, 23),
      Buffer.concat([request, hex("00")]),
    ]) {
      expect(() => decodeAaplRequest(wrong)).toThrow(MalformedPacketError);
    }
  });

  it("is answered with what was asked for, in the order of the bits", () => {
    const reply = {
      serverCapabilities: BigInt(AaplCapability.OSX_COPYFILE),
      volumeCapabilities: BigInt(AaplVolumeCapability.FULL_SYNC),
      model: "Xserve",
    };
    const bytes = hex(
      "01000000 00000000 0700000000000000 0200000000000000 0400000000000000" +
        "00000000 0c000000 580073006500720076006500 00000000",
    );
    expect(aaplServerReplyContext(reply)).toEqual({ name: "AAPL", data: bytes });
    expect(decodeAaplServerReply(bytes)).toEqual(reply);
  });

  it("is answered with nothing but the bitmap where nothing was asked for", () => {
    const bytes = hex("01000000 00000000 0000000000000000");
    expect(aaplServerReplyContext({}).data).toEqual(bytes);
    expect(decodeAaplServerReply(bytes)).toEqual({});
  });

  it("is answered with single parts", () => {
    const volume = hex("01000000 00000000 0200000000000000 0300000000000000");
    expect(aaplServerReplyContext({ volumeCapabilities: 3n }).data).toEqual(volume);
    const { data } = aaplServerReplyContext({ model: "ab" });
    expect(data).toEqual(hex("01000000 00000000 0400000000000000 00000000 04000000 61006200 00000000"));
    expect(data.readUInt32LE(8)).toBe(AaplQuery.MODEL_INFO);
  });

  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const decode of [decodeAaplRequest, decodeAaplServerReply]) {
          try {
            decode(Buffer.from(bytes));
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedPacketError);
          }
        }
      }),
    );
  });
});
