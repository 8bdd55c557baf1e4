// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Channel, WriteFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeWriteRequest,
  decodeWriteResponse,
  encodeWriteRequest,
  encodeWriteResponse,
} from "../../../src/smb2/wire/write.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, withBody, withU16, withU32 } from "./golden.ts";

describe("WRITE request", () => {
  it("is read and written", () => {
    expectGolden(captured.writeRequest, decodeWriteRequest, encodeWriteRequest, {
      offset: 0n,
      fileId: { persistent: 0x6b09ec95n, volatile: 0xb1f72fa7n },
      channel: Channel.NONE,
      remainingBytes: 0,
      channelInfo: Buffer.alloc(0),
      flags: 0,
      data: hex("00"),
    });
    expectGolden(
      withBody(`
        3100 7000 03000000 0807060504030201 1112131415161718 2122232425262728
        00000000 00000000 0000 0000 01000000 a1a2a3`),
      decodeWriteRequest,
      encodeWriteRequest,
      {
        offset: 0x0102030405060708n,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        channel: Channel.NONE,
        remainingBytes: 0,
        channelInfo: Buffer.alloc(0),
        flags: WriteFlag.WRITE_THROUGH,
        data: hex("a1a2a3"),
      },
    );
  });

  it("describes an RDMA channel", () => {
    expectGolden(
      withBody(`
        3100 0000 00000000 0000000000000000 1112131415161718 2122232425262728
        01000000 00100000 7000 0400 00000000 b1b2b3b4`),
      decodeWriteRequest,
      encodeWriteRequest,
      {
        offset: 0n,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        channel: Channel.RDMA_V1,
        remainingBytes: 0x1000,
        channelInfo: hex("b1b2b3b4"),
        flags: 0,
        data: Buffer.alloc(0),
      },
    );
  });

  it("gives a view of the data, not a copy", () => {
    const message = Buffer.from(captured.writeRequest);
    const { data } = decodeWriteRequest(bodyOf(message));
    message[112] = 0x5a;
    expect(data[0]).toBe(0x5a);
  });

  it("may carry no data, at any offset up to 0x100", () => {
    const empty = withU32(captured.writeRequest, 64 + 4, 0);
    expect(decodeWriteRequest(bodyOf(withU16(empty, 64 + 2, 0))).data).toHaveLength(0);
    expect(decodeWriteRequest(bodyOf(withU16(empty, 64 + 2, 0x100))).data).toHaveLength(0);
    expect(() => decodeWriteRequest(bodyOf(withU16(empty, 64 + 2, 0x101)))).toThrow(MalformedPacketError);
  });

  it.each([
    ["data inside the fixed part", withU16(captured.writeRequest, 64 + 2, 0x6f)],
    ["data behind the end", withU16(captured.writeRequest, 64 + 2, 0x71)],
    ["more data than bytes", withU32(captured.writeRequest, 64 + 4, 2)],
    ["4 GiB of data", withU32(captured.writeRequest, 64 + 4, 0xffff_ffff)],
  ])("is rejected with %s", (_name, message) => {
    expect(() => decodeWriteRequest(bodyOf(message))).toThrow(MalformedPacketError);
  });
});

describe("WRITE response", () => {
  it("tells the bytes written", () => {
    expectGolden(captured.writeResponse, decodeWriteResponse, encodeWriteResponse, { count: 3 });
  });
});
