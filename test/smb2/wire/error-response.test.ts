// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  bufferTooSmallData,
  decodeBufferTooSmallData,
  decodeErrorResponse,
  decodeSymbolicLinkErrorData,
  EMPTY_ERROR_RESPONSE,
  ErrorId,
  encodeErrorResponse,
  errorResponseWithData,
  symbolicLinkErrorData,
} from "../../../src/smb2/wire/error-response.ts";
import * as captured from "./captured.ts";
import { errorWithContexts } from "./catalogue.ts";
import { bodyOf, expectGolden, hex, messageWith, withBody, withU32 } from "./golden.ts";

describe("ERROR response", () => {
  it("without data has one byte of padding", () => {
    expectGolden(captured.errorResponse, decodeErrorResponse, encodeErrorResponse, EMPTY_ERROR_RESPONSE);
    const message = messageWith((writer) => encodeErrorResponse(writer));
    expect(message.toString("hex", 64)).toBe("090000000000000000");
  });

  it("carries bare data before SMB 3.1.1", () => {
    expectGolden(
      withBody("0900 00 00 04000000 00010000"),
      decodeErrorResponse,
      encodeErrorResponse,
      errorResponseWithData(bufferTooSmallData(0x100), false),
    );
  });

  it("carries data in a context in SMB 3.1.1", () => {
    expectGolden(
      withBody("0900 01 00 0c000000 04000000 00000000 00010000"),
      decodeErrorResponse,
      encodeErrorResponse,
      errorResponseWithData(bufferTooSmallData(0x100), true),
    );
  });

  it("aligns several contexts", () => {
    expectGolden(errorWithContexts, decodeErrorResponse, encodeErrorResponse, {
      contexts: [
        { id: ErrorId.DEFAULT, data: hex("1103") },
        { id: ErrorId.SHARE_REDIRECT, data: hex("beef") },
      ],
      data: Buffer.alloc(0),
    });
  });

  it("is rejected with a ByteCount behind the end", () => {
    expect(() => decodeErrorResponse(bodyOf(withU32(captured.errorResponse, 64 + 4, 2)))).toThrow(MalformedPacketError);
  });

  it("tells the length that would do", () => {
    expect(decodeBufferTooSmallData(bufferTooSmallData(0xfedcba98))).toBe(0xfedcba98);
  });
});

describe("Symbolic Link Error Response", () => {
  // The examples of MS-SMB2 2.2.2.2.1.1.
  it("of an absolute link", () => {
    const substituteName = "\\??\\D:\\DonHall\\MiscDocuments\\PDocs";
    const printName = "D:\\DonHall\\MiscDocuments\\PDocs";
    const link = { unparsedPathLength: 0x2e, substituteName, printName, relative: false };
    const data = symbolicLinkErrorData(link);
    expect(data.subarray(0, 28)).toEqual(hex("98000000 53594d4c 0c0000a0 8c00 2e00 0000 4400 4400 3c00 00000000"));
    expect(data.toString("utf16le", 28)).toBe(substituteName + printName);
    expect(decodeSymbolicLinkErrorData(data)).toEqual(link);
  });

  it("of a relative link", () => {
    const name = "..\\DonHall\\Documents\\PDocs";
    const link = { unparsedPathLength: 0x2e, substituteName: name, printName: name, relative: true };
    const data = symbolicLinkErrorData(link);
    expect(data.readUInt16LE(16)).toBe(0);
    expect(data.readUInt16LE(18)).toBe(0x34);
    expect(data.readUInt32LE(24)).toBe(1);
    expect(decodeSymbolicLinkErrorData(data)).toEqual(link);
  });

  it("is rejected with wrong tags or names behind the end", () => {
    const data = symbolicLinkErrorData({ unparsedPathLength: 0, substituteName: "a", printName: "b", relative: true });
    for (const wrong of [withU32(data, 4, 0), withU32(data, 8, 0xa0000003), data.subarray(0, data.length - 1)]) {
      expect(() => decodeSymbolicLinkErrorData(wrong)).toThrow(MalformedPacketError);
    }
  });
});
