// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { CreateAction, CreateDisposition, OplockLevel, ShareAccess } from "../../../src/smb2/wire/constants.ts";
import {
  type CreateRequest,
  decodeCreateRequest,
  decodeCreateResponse,
  encodeCreateRequest,
  encodeCreateResponse,
} from "../../../src/smb2/wire/create.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex, messageWith, withU16, withU32 } from "./golden.ts";

/** Positions of fields, from the header (MS-SMB2 2.2.13). */
const NAME_OFFSET = 64 + 44;
const NAME_LENGTH = 64 + 46;
const CONTEXTS_OFFSET = 64 + 48;
const CONTEXTS_LENGTH = 64 + 52;

describe("CREATE request", () => {
  const root: CreateRequest = {
    requestedOplockLevel: OplockLevel.NONE,
    impersonationLevel: 2,
    desiredAccess: 0x81,
    fileAttributes: 0x10,
    shareAccess: ShareAccess.READ | ShareAccess.WRITE,
    createDisposition: CreateDisposition.OPEN,
    createOptions: 1,
    name: "",
    contexts: [],
  };

  it("of the root has an empty name and one byte of Buffer", () => {
    expectGolden(captured.createRequestRoot, decodeCreateRequest, encodeCreateRequest, root);
  });

  it("carries several contexts, with and without data", () => {
    // The client gave the empty data of MxAc an offset, where MS-SMB2 2.2.13.2 asks for 0.
    const message = withU16(captured.createRequestFourContexts, 0x98 + 10, 0);
    expect(decodeCreateRequest(bodyOf(captured.createRequestFourContexts))).toEqual(
      decodeCreateRequest(bodyOf(message)),
    );
    expectGolden(message, decodeCreateRequest, encodeCreateRequest, {
      requestedOplockLevel: OplockLevel.NONE,
      impersonationLevel: 0,
      desiredAccess: 0x02000000,
      fileAttributes: 0x80,
      shareAccess: 7,
      createDisposition: CreateDisposition.OVERWRITE_IF,
      createOptions: 0x00200064,
      name: "test_create.dat",
      contexts: [
        { name: "MxAc", data: hex("") },
        { name: "AlSi", data: hex("0000100000000000") },
        { name: "DHnQ", data: Buffer.alloc(16) },
        { name: "TWrp", data: hex("1027000000000000") },
      ],
    });
  });

  it("carries a durable handle and a lease", () => {
    expectGolden(captured.createRequestDurableLease, decodeCreateRequest, encodeCreateRequest, {
      requestedOplockLevel: OplockLevel.LEASE,
      impersonationLevel: 2,
      desiredAccess: 0x001f01ff,
      fileAttributes: 0x80,
      shareAccess: 0,
      createDisposition: CreateDisposition.OPEN_IF,
      createOptions: 0x00200064,
      name: "durable_open_lease_xcchPz2h.dat",
      contexts: [
        { name: "DH2Q", data: hex("000000000000000000000000000000009b2eb8f5423ae7428a762266aa999bd2") },
        { name: "RqLs", data: hex("d2e65006000000002d19aff9ffffffff00000000000000000000000000000000") },
      ],
    });
  });

  it("keeps unpaired surrogates of a name", () => {
    const name = "a\ud800b";
    const message = messageWith((writer) => encodeCreateRequest(writer, { ...root, name }));
    expect(decodeCreateRequest(bodyOf(message)).name).toBe(name);
  });

  it("takes any offset of an empty name and of an empty list", () => {
    const message = withU32(withU16(captured.createRequestRoot, NAME_OFFSET, 1), CONTEXTS_OFFSET, 0xffff_fff1);
    expect(decodeCreateRequest(bodyOf(message))).toEqual(root);
  });

  it.each([
    ["57 bytes that are not there", captured.createRequestRoot.subarray(0, 64 + 56)],
    ["an odd NameLength", withU16(captured.createRequestFourContexts, NAME_LENGTH, 29)],
    ["a name inside the fixed part", withU16(captured.createRequestFourContexts, NAME_OFFSET, 118)],
    ["a name behind the end", withU16(captured.createRequestFourContexts, NAME_LENGTH, 400)],
    ["contexts that are not aligned", withU32(captured.createRequestFourContexts, CONTEXTS_OFFSET, 0x9c)],
    ["contexts inside the fixed part", withU32(captured.createRequestFourContexts, CONTEXTS_OFFSET, 0x70)],
    ["contexts behind the end", withU32(captured.createRequestFourContexts, CONTEXTS_LENGTH, 0x81)],
    ["contexts that are cut short", withU32(captured.createRequestFourContexts, CONTEXTS_LENGTH, 0x7f)],
  ])("is rejected with %s", (_name, message) => {
    expect(() => decodeCreateRequest(bodyOf(message))).toThrow(MalformedPacketError);
  });
});

describe("CREATE response", () => {
  it("carries maximal access", () => {
    expectGolden(captured.createResponseMaximalAccess, decodeCreateResponse, encodeCreateResponse, {
      oplockLevel: OplockLevel.NONE,
      flags: 0,
      createAction: CreateAction.OVERWRITTEN,
      creationTime: 0x01dd7aacdb0742dan,
      lastAccessTime: 0x01dd7aacdb0742dan,
      lastWriteTime: 0x01dd7aacdb07841dn,
      changeTime: 0x01dd7aacdb07841dn,
      allocationSize: 0x100000n,
      endOfFile: 0n,
      fileAttributes: 0x20,
      fileId: { persistent: 0x06d8637en, volatile: 0x2c328d33n },
      contexts: [{ name: "MxAc", data: hex("00000000ff011f00") }],
    });
  });

  it("carries a durable handle and a lease", () => {
    const response = decodeCreateResponse(bodyOf(captured.createResponseDurableLease));
    expectGolden(captured.createResponseDurableLease, decodeCreateResponse, encodeCreateResponse, response);
    expect(response.oplockLevel).toBe(OplockLevel.LEASE);
    expect(response.contexts.map((context) => context.name)).toEqual(["DH2Q", "RqLs"]);
  });

  it("without contexts ends with the fixed part, and its offset is 0", () => {
    const response = { ...decodeCreateResponse(bodyOf(captured.createResponseMaximalAccess)), contexts: [] };
    const message = messageWith((writer) => encodeCreateResponse(writer, response));
    expect(message).toHaveLength(64 + 88);
    expect(message.readBigUInt64LE(64 + 80)).toBe(0n);
    expect(decodeCreateResponse(bodyOf(message))).toEqual(response);
  });
});
