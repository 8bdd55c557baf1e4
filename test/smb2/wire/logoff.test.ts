// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeLogoffRequest,
  decodeLogoffResponse,
  encodeLogoffRequest,
  encodeLogoffResponse,
} from "../../../src/smb2/wire/logoff.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectEmptyGolden, withBody } from "./golden.ts";

describe("LOGOFF", () => {
  it("has no fields", () => {
    expectEmptyGolden(captured.logoffRequest, decodeLogoffRequest, encodeLogoffRequest);
    expectEmptyGolden(captured.logoffResponse, decodeLogoffResponse, encodeLogoffResponse);
  });

  it("is rejected with another size", () => {
    for (const body of ["0500 0000", "0400", ""]) {
      expect(() => decodeLogoffRequest(bodyOf(withBody(body)))).toThrow(MalformedPacketError);
      expect(() => decodeLogoffResponse(bodyOf(withBody(body)))).toThrow(MalformedPacketError);
    }
  });
});
