// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { IoctlFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import { isNoFileId, NO_FILE_ID } from "../../../src/smb2/wire/file-id.ts";
import { Fsctl } from "../../../src/smb2/wire/fsctl.ts";
import {
  decodeIoctlRequest,
  decodeIoctlResponse,
  encodeIoctlRequest,
  encodeIoctlResponse,
  ioctlOutput,
} from "../../../src/smb2/wire/ioctl.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, withBody, withU32 } from "./golden.ts";

/** Positions of fields, from the header (MS-SMB2 2.2.31). */
const INPUT_OFFSET = 64 + 24;
const INPUT_COUNT = 64 + 28;

describe("IOCTL request", () => {
  it("reads FSCTL_VALIDATE_NEGOTIATE_INFO, whose OutputOffset is not zero", () => {
    const request = decodeIoctlRequest(bodyOf(captured.ioctlRequest));
    expect(request).toEqual({
      ctlCode: Fsctl.VALIDATE_NEGOTIATE_INFO,
      fileId: NO_FILE_ID,
      input: hex("0000000000000000000000000000000000000000010001000202"),
      maxInputResponse: 0,
      outputCount: 0,
      maxOutputResponse: 24,
      flags: IoctlFlag.IS_FSCTL,
    });
    expect(isNoFileId(request.fileId)).toBe(true);
  });

  it("is read and written", () => {
    expectGolden(
      withBody(`
        3900 0000 78001400 1112131415161718 2122232425262728
        00000000 00000000 01000000 00000000 02000000 20000000 01000000 00000000`),
      decodeIoctlRequest,
      encodeIoctlRequest,
      {
        ctlCode: Fsctl.SRV_REQUEST_RESUME_KEY,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        input: Buffer.alloc(0),
        maxInputResponse: 1,
        outputCount: 2,
        maxOutputResponse: 32,
        flags: IoctlFlag.IS_FSCTL,
      },
    );
  });

  it("takes any InputOffset where there is no input", () => {
    const message = withU32(withU32(captured.ioctlRequest, INPUT_COUNT, 0), INPUT_OFFSET, 0xffff_ffff);
    expect(decodeIoctlRequest(bodyOf(message)).input).toHaveLength(0);
  });

  it.each([
    ["input inside the fixed part", withU32(captured.ioctlRequest, INPUT_OFFSET, 0x70)],
    ["input that is not aligned", withU32(withU32(captured.ioctlRequest, INPUT_OFFSET, 0x7c), INPUT_COUNT, 4)],
    ["input behind the end", withU32(captured.ioctlRequest, INPUT_OFFSET, 0x80)],
    ["more input than bytes", withU32(captured.ioctlRequest, INPUT_COUNT, 27)],
    ["an InputOffset and InputCount that overflow", withU32(captured.ioctlRequest, INPUT_OFFSET, 0xffff_fff8)],
  ])("is rejected with %s", (_name, message) => {
    expect(() => decodeIoctlRequest(bodyOf(message))).toThrow(MalformedPacketError);
  });
});

describe("IOCTL response", () => {
  it("carries output", () => {
    expectGolden(captured.ioctlResponse, decodeIoctlResponse, encodeIoctlResponse, {
      ctlCode: Fsctl.SRV_COPYCHUNK,
      fileId: { persistent: 0x641c0c97n, volatile: 0x48dc1de6n },
      input: Buffer.alloc(0),
      output: hex("010000000000000000100000"),
    });
  });

  it("aligns the output behind the input", () => {
    expectGolden(
      withBody(`
        3100 0000 0c00 0900 1112131415161718 2122232425262728
        70000000 03000000 78000000 02000000 00000000 00000000
        a1a2a30000000000 b1b2`),
      decodeIoctlResponse,
      encodeIoctlResponse,
      {
        ctlCode: 0x0009000c,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        input: hex("a1a2a3"),
        output: hex("b1b2"),
      },
    );
  });

  it("answers a request with its own control code and FileId", () => {
    const request = decodeIoctlRequest(bodyOf(captured.ioctlRequest));
    expect(ioctlOutput(request, hex("01"))).toEqual({
      ctlCode: Fsctl.VALIDATE_NEGOTIATE_INFO,
      fileId: NO_FILE_ID,
      input: Buffer.alloc(0),
      output: hex("01"),
    });
  });
});
