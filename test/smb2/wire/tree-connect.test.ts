// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { ShareCapability, ShareFlag, ShareType, TreeConnectFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeTreeConnectRequest,
  decodeTreeConnectResponse,
  encodeTreeConnectRequest,
  encodeTreeConnectResponse,
} from "../../../src/smb2/wire/tree-connect.ts";
import * as captured from "./captured.ts";
import { treeConnectExtended } from "./catalogue.ts";
import { bodyOf, expectGolden, hex, withBody, withU16, withU32 } from "./golden.ts";

describe("TREE_CONNECT request", () => {
  it("carries the path", () => {
    expectGolden(captured.treeConnectRequest, decodeTreeConnectRequest, encodeTreeConnectRequest, {
      flags: 0,
      path: "\\\\127.0.0.1\\s",
      contexts: [],
    });
  });

  it("carries an extension, whose contexts are counted from the body", () => {
    expectGolden(treeConnectExtended, decodeTreeConnectRequest, encodeTreeConnectRequest, {
      flags: TreeConnectFlag.EXTENSION_PRESENT,
      path: "\\\\s\\relo",
      contexts: [{ type: 1, data: hex("aabbcc") }],
    });
  });

  it("has a reserved field instead of the flags before SMB 3.1.1", () => {
    const message = withU16(captured.treeConnectRequest, 64 + 2, TreeConnectFlag.EXTENSION_PRESENT);
    expect(decodeTreeConnectRequest(bodyOf(message), false)).toEqual({
      flags: 0,
      path: "\\\\127.0.0.1\\s",
      contexts: [],
    });
  });

  it.each([
    ["an odd length", withU16(captured.treeConnectRequest, 64 + 6, 25)],
    ["a path inside the fixed part", withU16(captured.treeConnectRequest, 64 + 4, 70)],
    ["a path behind the end", withU16(captured.treeConnectRequest, 64 + 6, 28)],
    ["a path inside the extension", withU16(treeConnectExtended, 64 + 4, 0x50)],
    ["contexts inside the extension", withU32(treeConnectExtended, 64 + 8, 0x10)],
    ["contexts that are not aligned", withU32(treeConnectExtended, 64 + 8, 0x29)],
    ["more contexts than bytes", withU16(treeConnectExtended, 64 + 12, 2)],
  ])("is rejected with %s", (_name, message) => {
    expect(() => decodeTreeConnectRequest(bodyOf(message))).toThrow(MalformedPacketError);
  });
});

describe("TREE_CONNECT response", () => {
  it("is read and written", () => {
    expectGolden(captured.treeConnectResponse, decodeTreeConnectResponse, encodeTreeConnectResponse, {
      shareType: ShareType.PIPE,
      shareFlags: 0,
      capabilities: 0,
      maximalAccess: 0x001f00a9,
    });
    expectGolden(
      withBody("1000 01 00 30080000 10000000 ff011f00"),
      decodeTreeConnectResponse,
      encodeTreeConnectResponse,
      {
        shareType: ShareType.DISK,
        shareFlags: ShareFlag.NO_CACHING | ShareFlag.ACCESS_BASED_DIRECTORY_ENUM,
        capabilities: ShareCapability.CONTINUOUS_AVAILABILITY,
        maximalAccess: 0x001f01ff,
      },
    );
  });
});
