// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { EaQueryFlag, InfoType } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeQueryInfoRequest,
  decodeQueryInfoResponse,
  encodeQueryInfoRequest,
  encodeQueryInfoResponse,
} from "../../../src/smb2/wire/query-info.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, withBody, withU16, withU32 } from "./golden.ts";

describe("QUERY_INFO request", () => {
  it("is read and written", () => {
    expectGolden(captured.queryInfoRequest, decodeQueryInfoRequest, encodeQueryInfoRequest, {
      infoType: InfoType.FILE,
      fileInfoClass: 0x12,
      outputBufferLength: 0xffff,
      additionalInformation: 0,
      flags: 0,
      fileId: { persistent: 0x3f4d4ef1n, volatile: 0xb4154a79n },
      input: Buffer.alloc(0),
    });
  });

  const eaQuery = withBody(`
    2900 01 0f 00100000 6800 0000 03000000 05000000 06000000
    1112131415161718 2122232425262728 a1a2a3`);

  it("carries input where the query has any", () => {
    expectGolden(eaQuery, decodeQueryInfoRequest, encodeQueryInfoRequest, {
      infoType: InfoType.FILE,
      fileInfoClass: 15,
      outputBufferLength: 0x1000,
      additionalInformation: 5,
      flags: EaQueryFlag.RETURN_SINGLE_ENTRY | EaQueryFlag.INDEX_SPECIFIED,
      fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
      input: hex("a1a2a3"),
    });
    const quota = Buffer.from(eaQuery);
    quota[64 + 2] = InfoType.QUOTA;
    quota[64 + 3] = 0;
    expect(decodeQueryInfoRequest(bodyOf(quota)).input).toEqual(hex("a1a2a3"));
  });

  it("has input fields that mean nothing in other queries", () => {
    const message = withU32(withU16(captured.queryInfoRequest, 64 + 8, 1), 64 + 12, 0xffff_ffff);
    expect(decodeQueryInfoRequest(bodyOf(message)).input).toHaveLength(0);
  });

  it("is rejected with input inside the fixed part or behind the end", () => {
    expect(() => decodeQueryInfoRequest(bodyOf(withU16(eaQuery, 64 + 8, 0x67)))).toThrow(MalformedPacketError);
    expect(() => decodeQueryInfoRequest(bodyOf(withU32(eaQuery, 64 + 12, 4)))).toThrow(MalformedPacketError);
  });
});

describe("QUERY_INFO response", () => {
  it("carries the information", () => {
    expectGolden(captured.queryInfoResponse, decodeQueryInfoResponse, encodeQueryInfoResponse, {
      output: hex("0a00000061002e00740078007400"),
    });
  });
});
