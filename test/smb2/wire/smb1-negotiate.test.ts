// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeSmb1NegotiateRequest,
  encodeSmb1NegotiateRequest,
  SMB1_DIALECT_SMB_2_002,
  SMB1_DIALECT_SMB_2_WILDCARD,
} from "../../../src/smb2/wire/smb1-negotiate.ts";
import { smb1NegotiateRequest } from "./captured.ts";
import { withU16 } from "./golden.ts";

const decode = (bytes: Buffer) => decodeSmb1NegotiateRequest(new Reader(bytes));

describe("SMB1 NEGOTIATE", () => {
  const dialects = ["NT LANMAN 1.0", "NT LM 0.12", SMB1_DIALECT_SMB_2_002, SMB1_DIALECT_SMB_2_WILDCARD];

  it("lists the dialect strings of a captured request", () => {
    expect(decode(smb1NegotiateRequest)).toEqual({ dialects });
  });

  it("is written with the same parameters and data", () => {
    const writer = new Writer();
    encodeSmb1NegotiateRequest(writer, { dialects });
    expect(decode(Buffer.from(writer.view()))).toEqual({ dialects });
    expect(writer.view().toString("hex", 32)).toBe(smb1NegotiateRequest.toString("hex", 32));
  });

  it("may offer nothing", () => {
    expect(decode(withU16(smb1NegotiateRequest, 33, 0))).toEqual({ dialects: [] });
  });

  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(smb1NegotiateRequest);
    copy[at] = value;
    return copy;
  };

  it.each([
    ["another protocol identifier", changed(0, 0xfe)],
    ["another command", changed(4, 0x73)],
    ["parameter words", changed(32, 1)],
    ["more bytes than there are", withU16(smb1NegotiateRequest, 33, 0x32)],
    ["another buffer format", changed(35, 1)],
    ["a string without its end", withU16(smb1NegotiateRequest, 33, 0x30)],
    ["a header that is cut short", smb1NegotiateRequest.subarray(0, 31)],
  ])("is rejected with %s", (_name, bytes) => {
    expect(() => decode(bytes)).toThrow(MalformedPacketError);
  });
});
