// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { InfoType, SecurityInformation } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeSetInfoRequest,
  decodeSetInfoResponse,
  encodeSetInfoRequest,
  encodeSetInfoResponse,
} from "../../../src/smb2/wire/set-info.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectEmptyGolden, expectGolden, hex, withBody, withU16, withU32 } from "./golden.ts";

describe("SET_INFO", () => {
  it("is read and written", () => {
    expectGolden(captured.setInfoRequest, decodeSetInfoRequest, encodeSetInfoRequest, {
      infoType: InfoType.FILE,
      fileInfoClass: 13,
      additionalInformation: 0,
      fileId: { persistent: 0x4f9968b0n, volatile: 0x0487790dn },
      input: hex("01"),
    });
    expectGolden(
      withBody("2100 03 00 02000000 6000 0000 05000000 1112131415161718 2122232425262728 a1a2"),
      decodeSetInfoRequest,
      encodeSetInfoRequest,
      {
        infoType: InfoType.SECURITY,
        fileInfoClass: 0,
        additionalInformation: SecurityInformation.OWNER | SecurityInformation.DACL,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        input: hex("a1a2"),
      },
    );
  });

  it("is rejected with a buffer inside the fixed part or behind the end", () => {
    for (const message of [
      withU16(captured.setInfoRequest, 64 + 8, 0x5f),
      withU16(captured.setInfoRequest, 64 + 8, 0x61),
      withU32(captured.setInfoRequest, 64 + 4, 2),
    ]) {
      expect(() => decodeSetInfoRequest(bodyOf(message))).toThrow(MalformedPacketError);
    }
  });

  it("has a response of two bytes", () => {
    expectEmptyGolden(captured.setInfoResponse, decodeSetInfoResponse, encodeSetInfoResponse);
    expect(() => decodeSetInfoResponse(bodyOf(withBody("0400")))).toThrow(MalformedPacketError);
  });
});
