// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeEchoRequest,
  decodeEchoResponse,
  encodeEchoRequest,
  encodeEchoResponse,
} from "../../../src/smb2/wire/echo.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectEmptyGolden, withBody } from "./golden.ts";

describe("ECHO", () => {
  it("has no fields", () => {
    expectEmptyGolden(captured.echoRequest, decodeEchoRequest, encodeEchoRequest);
    expectEmptyGolden(captured.echoResponse, decodeEchoResponse, encodeEchoResponse);
  });

  it("is rejected with another size", () => {
    for (const body of ["0500 0000", "0400", ""]) {
      expect(() => decodeEchoRequest(bodyOf(withBody(body)))).toThrow(MalformedPacketError);
      expect(() => decodeEchoResponse(bodyOf(withBody(body)))).toThrow(MalformedPacketError);
    }
  });
});
