// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { TransformFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError, Reader, Writer } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeTransformHeader,
  encodeTransformHeader,
  peekTransformSessionId,
  TRANSFORM_AAD_OFFSET,
  TRANSFORM_HEADER_SIZE,
  type TransformHeader,
} from "../../../src/smb2/wire/transform-header.ts";
import { hex } from "./golden.ts";

const golden = hex(`
  fd534d42 101112131415161718191a1b1c1d1e1f 202122232425262728292a2b00000000
  78560000 0000 0100 0807060504030201`);
const header: TransformHeader = {
  signature: hex("101112131415161718191a1b1c1d1e1f"),
  nonce: hex("202122232425262728292a2b00000000"),
  originalMessageSize: 0x5678,
  flags: TransformFlag.ENCRYPTED,
  sessionId: 0x0102030405060708n,
};

describe("TRANSFORM_HEADER", () => {
  it("is read and written", () => {
    const reader = new Reader(golden);
    expect(decodeTransformHeader(reader)).toEqual(header);
    expect(reader.position).toBe(TRANSFORM_HEADER_SIZE);
    expect(peekTransformSessionId(golden)).toBe(header.sessionId);
    const writer = new Writer();
    encodeTransformHeader(writer, header);
    expect(writer.view().toString("hex")).toBe(golden.toString("hex"));
    expect(golden.subarray(TRANSFORM_AAD_OFFSET, TRANSFORM_AAD_OFFSET + 4).toString("hex")).toBe("20212223");
  });

  it("rejects another ProtocolId and a short header", () => {
    const wrong = Buffer.from(golden);
    wrong[0] = 0xfe;
    expect(() => decodeTransformHeader(new Reader(wrong))).toThrow(MalformedPacketError);
    expect(() => decodeTransformHeader(new Reader(golden.subarray(0, 51)))).toThrow(MalformedPacketError);
  });
});
