// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { decodeCancelRequest, encodeCancelRequest } from "../../../src/smb2/wire/cancel.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectEmptyGolden, withBody } from "./golden.ts";

describe("CANCEL", () => {
  it("has no fields", () => {
    expectEmptyGolden(captured.cancelRequest, decodeCancelRequest, encodeCancelRequest);
  });

  it("is rejected with another size", () => {
    for (const body of ["0500 0000", "0400"]) {
      expect(() => decodeCancelRequest(bodyOf(withBody(body)))).toThrow(MalformedPacketError);
    }
  });
});
