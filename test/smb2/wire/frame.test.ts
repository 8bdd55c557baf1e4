// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import { frameHeader, MAXIMUM_FRAME_LENGTH, peekFrameLength, writeFrameHeader } from "../../../src/smb2/wire/frame.ts";
import { hex } from "./golden.ts";

describe("Direct TCP frame", () => {
  it("carries the length in network byte order", () => {
    expect(frameHeader(0x010203).toString("hex")).toBe("00010203");
    expect(peekFrameLength(hex("00010203"))).toBe(0x010203);
    expect(peekFrameLength(hex("ffff00ffffff"), 2)).toBe(MAXIMUM_FRAME_LENGTH);
  });

  it("waits for all four bytes", () => {
    expect(peekFrameLength(hex("000102"))).toBeUndefined();
    expect(peekFrameLength(hex("00000000"), 1)).toBeUndefined();
  });

  it("rejects a first byte other than zero", () => {
    expect(() => peekFrameLength(hex("85000000"))).toThrow(MalformedPacketError);
  });

  it("refuses a message that does not fit 24 bits", () => {
    const buffer = Buffer.alloc(4);
    writeFrameHeader(buffer, MAXIMUM_FRAME_LENGTH);
    expect(buffer.toString("hex")).toBe("00ffffff");
    expect(() => writeFrameHeader(buffer, MAXIMUM_FRAME_LENGTH + 1)).toThrow(RangeError);
  });
});
