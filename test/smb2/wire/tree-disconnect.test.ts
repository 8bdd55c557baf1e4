// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeTreeDisconnectRequest,
  decodeTreeDisconnectResponse,
  encodeTreeDisconnectRequest,
  encodeTreeDisconnectResponse,
} from "../../../src/smb2/wire/tree-disconnect.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectEmptyGolden, withBody } from "./golden.ts";

describe("TREE_DISCONNECT", () => {
  it("has no fields", () => {
    expectEmptyGolden(captured.treeDisconnectRequest, decodeTreeDisconnectRequest, encodeTreeDisconnectRequest);
    expectEmptyGolden(captured.treeDisconnectResponse, decodeTreeDisconnectResponse, encodeTreeDisconnectResponse);
  });

  it("is rejected with another size", () => {
    for (const body of ["0500 0000", "0400", ""]) {
      expect(() => decodeTreeDisconnectRequest(bodyOf(withBody(body)))).toThrow(MalformedPacketError);
      expect(() => decodeTreeDisconnectResponse(bodyOf(withBody(body)))).toThrow(MalformedPacketError);
    }
  });
});
