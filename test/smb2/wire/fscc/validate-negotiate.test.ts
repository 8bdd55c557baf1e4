// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader } from "../../../../src/smb2/wire/cursor.ts";
import * as validate from "../../../../src/smb2/wire/fscc/validate-negotiate.ts";
import { expectFixedLength, expectGolden, hex } from "./codec.ts";

describe("VALIDATE_NEGOTIATE_INFO", () => {
  const guid = Buffer.alloc(16, 0x77);

  it("writes request and response", () => {
    expectGolden(
      `7f000000 ${"77".repeat(16)} 0100 0200 0202 1003`,
      { capabilities: 0x7f, guid, securityMode: 1, dialects: [0x0202, 0x0310] },
      validate.encodeValidateNegotiateInfoRequest,
      validate.decodeValidateNegotiateInfoRequest,
    );
    expectGolden(
      `7f000000 ${"77".repeat(16)} 0300 0203`,
      { capabilities: 0x7f, guid, securityMode: 3, dialect: 0x0302 },
      validate.encodeValidateNegotiateInfoResponse,
      validate.decodeValidateNegotiateInfoResponse,
    );
    expectFixedLength(24, validate.decodeValidateNegotiateInfoRequest);
  });

  it("refuses a list of dialects cut short", () => {
    const bytes = hex(`7f000000 ${"77".repeat(16)} 0100 0200 0202`);
    expect(() => validate.decodeValidateNegotiateInfoRequest(new Reader(bytes))).toThrow(MalformedPacketError);
  });
});
