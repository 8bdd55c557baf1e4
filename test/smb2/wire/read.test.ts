// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Channel, ReadFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeReadRequest,
  decodeReadResponse,
  encodeReadRequest,
  encodeReadResponseHeader,
  READ_DATA_OFFSET,
} from "../../../src/smb2/wire/read.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, messageWith, withBody, withU16, withU32 } from "./golden.ts";

describe("READ request", () => {
  it("is read and written", () => {
    expectGolden(captured.readRequest, decodeReadRequest, encodeReadRequest, {
      padding: 0,
      flags: 0,
      length: 3,
      offset: 0n,
      fileId: { persistent: 0x3f4d4ef1n, volatile: 0xb4154a79n },
      minimumCount: 0,
      channel: Channel.NONE,
      remainingBytes: 0,
      channelInfo: Buffer.alloc(0),
    });
  });

  const rdma = withBody(`
    3100 50 01 00000100 0807060504030201 1112131415161718 2122232425262728
    04000000 01000000 00000100 7000 1000 303132333435363738393a3b3c3d3e3f`);

  it("describes an RDMA channel", () => {
    expectGolden(rdma, decodeReadRequest, encodeReadRequest, {
      padding: 0x50,
      flags: ReadFlag.READ_UNBUFFERED,
      length: 0x10000,
      offset: 0x0102030405060708n,
      fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
      minimumCount: 4,
      channel: Channel.RDMA_V1,
      remainingBytes: 0x10000,
      channelInfo: hex("303132333435363738393a3b3c3d3e3f"),
    });
  });

  it("has channel fields that mean nothing without a channel", () => {
    const message = withU16(withU32(rdma, 64 + 36, Channel.NONE), 64 + 44, 0xffff);
    expect(decodeReadRequest(bodyOf(message)).channelInfo).toHaveLength(0);
  });

  it("is rejected with channel information behind the end, or cut short", () => {
    expect(() => decodeReadRequest(bodyOf(withU16(rdma, 64 + 44, 0x71)))).toThrow(MalformedPacketError);
    expect(() => decodeReadRequest(bodyOf(rdma.subarray(0, 64 + 47)))).toThrow(MalformedPacketError);
  });
});

describe("READ response", () => {
  it("has 16 fixed bytes in front of the data", () => {
    const { data, dataRemaining, flags } = decodeReadResponse(bodyOf(captured.readResponse));
    expect({ data, dataRemaining, flags }).toEqual({ data: hex("766d0a"), dataRemaining: 0, flags: 0 });
    const message = messageWith((writer) => encodeReadResponseHeader(writer, 3, 0));
    expect(message).toHaveLength(READ_DATA_OFFSET);
    expect(message.toString("hex", 64)).toBe(captured.readResponse.toString("hex", 64, READ_DATA_OFFSET));
  });

  it("tells what went over the channel", () => {
    const message = messageWith((writer) => encodeReadResponseHeader(writer, 0, 0x12345678));
    expect(message.toString("hex", 64)).toBe("11005000000000007856341200000000");
    expect(decodeReadResponse(bodyOf(message)).dataRemaining).toBe(0x12345678);
  });

  it("is rejected with data inside the header or behind the end", () => {
    const inside = Buffer.from(captured.readResponse);
    inside[64 + 2] = 0x4f;
    expect(() => decodeReadResponse(bodyOf(inside))).toThrow(MalformedPacketError);
    expect(() => decodeReadResponse(bodyOf(withU32(captured.readResponse, 64 + 4, 4)))).toThrow(MalformedPacketError);
  });
});
