// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  CLOSE_RESPONSE_WITHOUT_ATTRIBUTES,
  decodeCloseRequest,
  decodeCloseResponse,
  encodeCloseRequest,
  encodeCloseResponse,
} from "../../../src/smb2/wire/close.ts";
import { CloseFlag } from "../../../src/smb2/wire/constants.ts";
import * as captured from "./captured.ts";
import { expectGolden, messageWith, withBody } from "./golden.ts";

describe("CLOSE", () => {
  it("asks for attributes", () => {
    expectGolden(captured.closeRequest, decodeCloseRequest, encodeCloseRequest, {
      flags: CloseFlag.POSTQUERY_ATTRIB,
      fileId: { persistent: 0x85e3c454n, volatile: 0x2d42e5ebn },
    });
  });

  it("answers with attributes", () => {
    expectGolden(captured.closeResponse, decodeCloseResponse, encodeCloseResponse, {
      flags: CloseFlag.POSTQUERY_ATTRIB,
      creationTime: 0x01dd7aaceb5b5d31n,
      lastAccessTime: 0x01dd7aaceb5c2a1an,
      lastWriteTime: 0x01dd7aaceb5c2902n,
      changeTime: 0x01dd7aaceb5c2902n,
      allocationSize: 0x10000n,
      endOfFile: 0x10000n,
      fileAttributes: 0x20,
    });
  });

  it("answers with zeros where nobody asked", () => {
    const message = messageWith((writer) => encodeCloseResponse(writer, CLOSE_RESPONSE_WITHOUT_ATTRIBUTES));
    expect(message.toString("hex")).toBe(withBody(`3c00${"00".repeat(58)}`).toString("hex"));
  });
});
