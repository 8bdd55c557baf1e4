// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { SessionFlag, SessionSetupFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeSessionSetupRequest,
  decodeSessionSetupResponse,
  encodeSessionSetupRequest,
  encodeSessionSetupResponse,
} from "../../../src/smb2/wire/session-setup.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, withBody, withU16 } from "./golden.ts";

describe("SESSION_SETUP", () => {
  it("reads and writes a captured request", () => {
    expectGolden(captured.sessionSetupRequest, decodeSessionSetupRequest, encodeSessionSetupRequest, {
      flags: 0,
      securityMode: 1,
      capabilities: 1,
      previousSessionId: 0n,
      securityBuffer: captured.sessionSetupRequest.subarray(88),
    });
  });

  it("reads and writes a binding request with a previous session", () => {
    expectGolden(
      withBody("1900 01 02 01000000 00000000 5800 0200 0807060504030201 a1a2"),
      decodeSessionSetupRequest,
      encodeSessionSetupRequest,
      {
        flags: SessionSetupFlag.BINDING,
        securityMode: 2,
        capabilities: 1,
        previousSessionId: 0x0102030405060708n,
        securityBuffer: hex("a1a2"),
      },
    );
  });

  it("reads and writes responses", () => {
    expectGolden(captured.sessionSetupResponse, decodeSessionSetupResponse, encodeSessionSetupResponse, {
      sessionFlags: 0,
      securityBuffer: hex("a11b3019a0030a0100a312041001000000c1ebba1cd3f1950a00000000"),
    });
    expectGolden(withBody("0900 0500 4800 0000"), decodeSessionSetupResponse, encodeSessionSetupResponse, {
      sessionFlags: SessionFlag.IS_GUEST | SessionFlag.ENCRYPT_DATA,
      securityBuffer: Buffer.alloc(0),
    });
  });

  it("takes any offset of an empty token, and no offset inside the fixed part otherwise", () => {
    const empty = withU16(withU16(captured.sessionSetupRequest, 64 + 14, 0), 64 + 12, 3);
    expect(decodeSessionSetupRequest(bodyOf(empty)).securityBuffer).toHaveLength(0);
    const inside = withU16(captured.sessionSetupRequest, 64 + 12, 87);
    const beyond = withU16(captured.sessionSetupRequest, 64 + 12, 89);
    for (const message of [inside, beyond]) {
      expect(() => decodeSessionSetupRequest(bodyOf(message))).toThrow(MalformedPacketError);
    }
  });
});
