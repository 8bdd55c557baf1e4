// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  beginOutputBuffer,
  decodeOutputBuffer,
  encodeOutputBuffer,
  endOutputBuffer,
  OUTPUT_BUFFER_OFFSET,
} from "../../../src/smb2/wire/output-buffer.ts";
import { bodyOf, hex, messageWith, withBody } from "./golden.ts";

describe("output buffer", () => {
  it("is written in place as it is written from a buffer", () => {
    const output = hex("a1a2a3a4a5");
    const copied = messageWith((writer) => encodeOutputBuffer(writer, output));
    const inPlace = messageWith((writer) => {
      const start = beginOutputBuffer(writer);
      expect(start - writer.base).toBe(OUTPUT_BUFFER_OFFSET);
      writer.bytes(output);
      endOutputBuffer(writer, start);
    });
    expect(copied.toString("hex", 64)).toBe("0900480005000000a1a2a3a4a5");
    expect(inPlace).toEqual(copied);
  });

  it("may be empty, with any offset", () => {
    expect(decodeOutputBuffer(bodyOf(withBody("0900 0000 00000000 00")), "test")).toHaveLength(0);
  });

  it("is rejected inside the fixed part and behind the end", () => {
    for (const body of ["0900 4700 01000000 00", "0900 4800 02000000 00", "0900 4900 01000000 00"]) {
      expect(() => decodeOutputBuffer(bodyOf(withBody(body)), "test")).toThrow(MalformedPacketError);
    }
  });
});
