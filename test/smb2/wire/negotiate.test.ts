// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Dialect, GlobalCapability, SecurityMode } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeNegotiateRequest,
  decodeNegotiateResponse,
  encodeNegotiateRequest,
  encodeNegotiateResponse,
} from "../../../src/smb2/wire/negotiate.ts";
import { decodePreauthIntegrityCapabilities, NegotiateContextType } from "../../../src/smb2/wire/negotiate-contexts.ts";
import * as windows from "../../support/windows-session.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, withBody, withU16, withU32 } from "./golden.ts";

describe("NEGOTIATE request", () => {
  it("of SMB 3.1.1 carries contexts", () => {
    expectGolden(captured.negotiateRequest311, decodeNegotiateRequest, encodeNegotiateRequest, {
      securityMode: SecurityMode.SIGNING_ENABLED,
      capabilities: 0x7f,
      clientGuid: hex("6719726941eba34f90c85bed1f36e3fb"),
      dialects: [0x0202, 0x0210, 0x0300, 0x0302, 0x0311],
      contexts: [
        {
          type: NegotiateContextType.PREAUTH_INTEGRITY_CAPABILITIES,
          data: hex("01002000010057500a6c9ceeb4b52a17fd19e2268947e853e45019ad13dfb8b35004ef5aebbd"),
        },
        { type: NegotiateContextType.ENCRYPTION_CAPABILITIES, data: hex("04000200010004000300") },
        { type: NegotiateContextType.SIGNING_CAPABILITIES, data: hex("0300020001000000") },
        { type: NegotiateContextType.NETNAME, data: hex("3100320037002e0030002e0030002e003100") },
      ],
    });
  });

  it("of a Windows client is read", () => {
    const request = decodeNegotiateRequest(bodyOf(windows.negotiateRequest));
    expect(request.dialects).toEqual([0x0202, 0x0210, 0x0300, 0x0302, 0x0311]);
    expect(request.capabilities).toBe(0x3f);
    expect(request.contexts.map((context) => context.type)).toEqual([1, 2]);
  });

  it("of SMB 2.0.2 has a reserved field where the contexts would be", () => {
    expectGolden(captured.negotiateRequest202, decodeNegotiateRequest, encodeNegotiateRequest, {
      securityMode: SecurityMode.SIGNING_ENABLED,
      capabilities: 0,
      clientGuid: Buffer.alloc(16),
      dialects: [Dialect.SMB_2_0_2],
      contexts: [],
    });
    const startTime = withU32(withU16(captured.negotiateRequest202, 64 + 32, 9), 64 + 28, 0x77777777);
    expect(decodeNegotiateRequest(bodyOf(startTime)).contexts).toEqual([]);
  });

  it("may have no dialects, which the server judges", () => {
    const message = withBody(`2400 0000 0100 0000 00000000 ${"00".repeat(16)} 0000000000000000`);
    expect(decodeNegotiateRequest(bodyOf(message)).dialects).toEqual([]);
  });

  it.each([
    ["more dialects than bytes", withU16(captured.negotiateRequest202, 64 + 2, 2)],
    ["contexts that are not aligned", withU32(captured.negotiateRequest311, 64 + 28, 0x74)],
    ["contexts inside the dialects", withU32(captured.negotiateRequest311, 64 + 28, 0x68)],
    ["contexts behind the end", withU32(captured.negotiateRequest311, 64 + 28, 0x1000)],
    ["more contexts than bytes", withU16(captured.negotiateRequest311, 64 + 32, 5)],
    ["a context that ends behind the message", withU16(captured.negotiateRequest311, 0x72, 0x1000)],
  ])("is rejected with %s", (_name, message) => {
    expect(() => decodeNegotiateRequest(bodyOf(message))).toThrow(MalformedPacketError);
  });
});

describe("NEGOTIATE response", () => {
  it("of SMB 2.0.2 has no contexts", () => {
    expectGolden(captured.negotiateResponse202, decodeNegotiateResponse, encodeNegotiateResponse, {
      securityMode: SecurityMode.SIGNING_ENABLED,
      dialect: Dialect.SMB_2_0_2,
      serverGuid: hex("66697800000000000000000000000000"),
      capabilities: GlobalCapability.DFS,
      maxTransactSize: 0x10000,
      maxReadSize: 0x10000,
      maxWriteSize: 0x10000,
      systemTime: 0x01dd7aacdae7bb26n,
      serverStartTime: 0n,
      securityBuffer: hex(`
        604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028
        a0261b246e6f745f646566696e65645f696e5f5246433431373840706c656173655f69676e6f7265`),
      contexts: [],
    });
  });

  it("of a Windows server is written byte for byte", () => {
    const response = decodeNegotiateResponse(bodyOf(windows.negotiateResponse));
    expectGolden(windows.negotiateResponse, decodeNegotiateResponse, encodeNegotiateResponse, response);
    expect(response.dialect).toBe(Dialect.SMB_3_1_1);
    expect(response.securityBuffer).toHaveLength(0x140);
    expect(response.maxReadSize).toBe(0x800000);
    const [preauth, encryption] = response.contexts;
    if (preauth === undefined || encryption === undefined) throw new Error("two contexts");
    expect(decodePreauthIntegrityCapabilities(preauth.data).salt).toHaveLength(32);
    expect(encryption).toEqual({ type: NegotiateContextType.ENCRYPTION_CAPABILITIES, data: hex("01000200") });
  });

  it("writes no contexts where the dialect has none", () => {
    const response = decodeNegotiateResponse(bodyOf(captured.negotiateResponse202));
    const contexts = [{ type: 1, data: hex("aabb") }];
    expectGolden(
      captured.negotiateResponse202,
      decodeNegotiateResponse,
      (writer) => encodeNegotiateResponse(writer, { ...response, contexts }),
      response,
    );
  });
});
