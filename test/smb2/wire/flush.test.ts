// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import {
  decodeFlushRequest,
  decodeFlushResponse,
  encodeFlushRequest,
  encodeFlushResponse,
} from "../../../src/smb2/wire/flush.ts";
import * as captured from "./captured.ts";
import { expectEmptyGolden, expectGolden } from "./golden.ts";

describe("FLUSH", () => {
  it("is read and written", () => {
    expectGolden(captured.flushRequest, decodeFlushRequest, encodeFlushRequest, {
      fileId: { persistent: 0x85e3c454n, volatile: 0x2d42e5ebn },
    });
    expectEmptyGolden(captured.flushResponse, decodeFlushResponse, encodeFlushResponse);
  });
});
