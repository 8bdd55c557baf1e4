// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { DurableHandleFlag, LeaseFlag, LeaseState } from "../../../src/smb2/wire/constants.ts";
import * as codec from "../../../src/smb2/wire/create-context-data.ts";
import { type CreateContext, CreateContextName } from "../../../src/smb2/wire/create-contexts.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import { hex } from "./golden.ts";

/** Both ways, and rejected with one byte less or more. */
function expectData<T>(
  name: string,
  data: string,
  value: T,
  decode: (data: Buffer) => T,
  build: (value: T) => CreateContext,
): void {
  const bytes = hex(data);
  expect(decode(bytes)).toEqual(value);
  expect(build(value)).toEqual({ name, data: bytes });
  for (const wrong of [bytes.subarray(1), Buffer.concat([bytes, hex("00")])]) {
    expect(() => decode(wrong)).toThrow(MalformedPacketError);
  }
}

const fileIdHex = "0807060504030201 1817161514131211";
const fileId = { persistent: 0x0102030405060708n, volatile: 0x1112131415161718n };
const keyHex = "202122232425262728292a2b2c2d2e2f";
const parentHex = "303132333435363738393a3b3c3d3e3f";

describe("data of create contexts", () => {
  it("durable handle, version 1", () => {
    expect(codec.durableHandleRequestContext()).toEqual({ name: "DHnQ", data: Buffer.alloc(16) });
    expect(codec.durableHandleResponseContext()).toEqual({ name: "DHnQ", data: Buffer.alloc(8) });
    codec.decodeDurableHandleRequest(Buffer.alloc(16, 1));
    codec.decodeDurableHandleResponse(Buffer.alloc(8, 1));
    expect(() => codec.decodeDurableHandleRequest(Buffer.alloc(8))).toThrow(MalformedPacketError);
    expect(() => codec.decodeDurableHandleResponse(Buffer.alloc(16))).toThrow(MalformedPacketError);
    expectData("DHnC", fileIdHex, fileId, codec.decodeDurableHandleReconnect, codec.durableHandleReconnectContext);
  });

  it("maximal access", () => {
    expectData<bigint | undefined>(
      "MxAc",
      "0807060504030201",
      0x0102030405060708n,
      codec.decodeMaximalAccessRequest,
      codec.maximalAccessRequestContext,
    );
    expect(codec.decodeMaximalAccessRequest(hex(""))).toBeUndefined();
    expect(codec.maximalAccessRequestContext()).toEqual({ name: "MxAc", data: hex("") });
    const response = { queryStatus: 0xc0000022, maximalAccess: 0x001f01ff };
    expectData(
      "MxAc",
      "220000c0 ff011f00",
      response,
      codec.decodeMaximalAccessResponse,
      codec.maximalAccessResponseContext,
    );
  });

  it("allocation size and time warp", () => {
    expectData("AlSi", "0000100000000000", 0x100000n, codec.decodeAllocationSize, codec.allocationSizeContext);
    expectData("TWrp", "80fe22dbac7add01", 0x01dd7aacdb22fe80n, codec.decodeTimewarpToken, codec.timewarpTokenContext);
  });

  it("identifier on disk", () => {
    expect(codec.emptyCreateContext("QFid")).toEqual({ name: "QFid", data: hex("") });
    expectData(
      "QFid",
      `${fileIdHex} ${"00".repeat(16)}`,
      { diskFileId: fileId.persistent, volumeId: fileId.volatile },
      codec.decodeOnDiskId,
      codec.onDiskIdContext,
    );
  });

  it("lease, version 1", () => {
    const value: codec.LeaseContext = {
      version: 1,
      leaseKey: hex(keyHex),
      leaseState: LeaseState.READ_CACHING | LeaseState.HANDLE_CACHING,
      flags: LeaseFlag.BREAK_IN_PROGRESS,
      parentLeaseKey: Buffer.alloc(16),
      epoch: 0,
    };
    expectData("RqLs", `${keyHex} 03000000 02000000 0000000000000000`, value, codec.decodeLease, codec.leaseContext);
  });

  it("lease, version 2", () => {
    const value: codec.LeaseContext = {
      version: 2,
      leaseKey: hex(keyHex),
      leaseState: LeaseState.READ_CACHING | LeaseState.HANDLE_CACHING | LeaseState.WRITE_CACHING,
      flags: LeaseFlag.PARENT_LEASE_KEY_SET,
      parentLeaseKey: hex(parentHex),
      epoch: 0x4711,
    };
    const data = `${keyHex} 07000000 04000000 0000000000000000 ${parentHex} 1147 0000`;
    expectData("RqLs", data, value, codec.decodeLease, codec.leaseContext);
    expect(() => codec.leaseContext({ ...value, leaseKey: hex("00") })).toThrow(RangeError);
  });

  it("durable handle, version 2", () => {
    const request = { timeout: 60000, flags: DurableHandleFlag.PERSISTENT, createGuid: hex(keyHex) };
    expectData(
      "DH2Q",
      `60ea0000 02000000 0000000000000000 ${keyHex}`,
      request,
      codec.decodeDurableHandleRequestV2,
      codec.durableHandleRequestV2Context,
    );
    expectData(
      "DH2Q",
      "60ea0000 02000000",
      { timeout: 60000, flags: DurableHandleFlag.PERSISTENT },
      codec.decodeDurableHandleResponseV2,
      codec.durableHandleResponseV2Context,
    );
    expectData(
      "DH2C",
      `${fileIdHex} ${keyHex} 02000000`,
      { fileId, createGuid: hex(keyHex), flags: DurableHandleFlag.PERSISTENT },
      codec.decodeDurableHandleReconnectV2,
      codec.durableHandleReconnectV2Context,
    );
  });

  it("application instance", () => {
    expectData(
      CreateContextName.APP_INSTANCE_ID,
      `1400 0000 ${keyHex}`,
      hex(keyHex),
      codec.decodeAppInstanceId,
      codec.appInstanceIdContext,
    );
    expectData(
      CreateContextName.APP_INSTANCE_VERSION,
      `1800 0000 00000000 ${fileIdHex}`,
      { high: fileId.persistent, low: fileId.volatile },
      codec.decodeAppInstanceVersion,
      codec.appInstanceVersionContext,
    );
    expect(() => codec.decodeAppInstanceId(hex(`1500 0000 ${keyHex}`))).toThrow(MalformedPacketError);
    expect(() => codec.decodeAppInstanceVersion(hex(`1400 0000 00000000 ${fileIdHex}`))).toThrow(MalformedPacketError);
  });
});
