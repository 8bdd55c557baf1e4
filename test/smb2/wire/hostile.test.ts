// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as data from "../../../src/smb2/wire/create-context-data.ts";
import { decodeCreateContexts } from "../../../src/smb2/wire/create-contexts.ts";
import { MalformedPacketError, Reader } from "../../../src/smb2/wire/cursor.ts";
import { decodeBufferTooSmallData, decodeSymbolicLinkErrorData } from "../../../src/smb2/wire/error-response.ts";
import { decodeHeader, HEADER_SIZE } from "../../../src/smb2/wire/header.ts";
import * as contexts from "../../../src/smb2/wire/negotiate-contexts.ts";
import { decodeSmb1NegotiateRequest } from "../../../src/smb2/wire/smb1-negotiate.ts";
import { decodeTransformHeader } from "../../../src/smb2/wire/transform-header.ts";
import { smb1NegotiateRequest } from "./captured.ts";
import { catalogue } from "./catalogue.ts";

/** What `run` returns, or `undefined` where it rejects the bytes in the one way that is allowed. */
function tolerated<T>(run: () => T): { value: T } | undefined {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof MalformedPacketError) return undefined;
    throw error;
  }
}

const mutations = fc.array(
  fc.record({ at: fc.nat(0xffff), value: fc.oneof(fc.constantFrom(0, 1, 7, 8, 0x7f, 0x80, 0xff), fc.nat(255)) }),
  { minLength: 1, maxLength: 6 },
);

function mutate(sample: Buffer, changes: readonly { at: number; value: number }[], from: number): Buffer {
  const copy = Buffer.from(sample);
  for (const { at, value } of changes) copy[from + (at % (copy.length - from))] = value;
  return copy;
}

describe.each(catalogue.map((entry) => [entry.name, entry] as const))("%s", (_name, entry) => {
  it("keeps what it read when it writes and reads it again", () => {
    expect(entry.again(entry.sample)).toEqual(entry.decode(entry.sample));
  });

  it("rejects or accepts every truncation", () => {
    for (let length = HEADER_SIZE; length < entry.sample.length; length += 1) {
      tolerated(() => entry.decode(entry.sample.subarray(0, length)));
    }
    expect(tolerated(() => entry.decode(entry.sample.subarray(0, HEADER_SIZE + 3)))).toBeUndefined();
  });

  it("rejects a wrong StructureSize", () => {
    const copy = Buffer.from(entry.sample);
    copy.writeUInt16LE(copy.readUInt16LE(HEADER_SIZE) + 1, HEADER_SIZE);
    expect(tolerated(() => entry.decode(copy))).toBeUndefined();
  });

  it("rejects mutated bytes, or reads them into what it can write", () => {
    fc.assert(
      fc.property(mutations, (changes) => {
        const message = mutate(entry.sample, changes, HEADER_SIZE);
        const found = tolerated(() => entry.decode(message));
        if (found !== undefined) expect(entry.again(message)).toEqual(found.value);
      }),
      { numRuns: 200 },
    );
  });

  it("rejects or reads random bodies", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        const message = Buffer.concat([entry.sample.subarray(0, HEADER_SIZE + 2), body]);
        tolerated(() => entry.decode(message));
      }),
      { numRuns: 100 },
    );
  });
});

describe("structures of no catalogue", () => {
  const decoders: readonly (readonly [string, (bytes: Buffer) => unknown])[] = [
    ["header", (bytes) => decodeHeader(new Reader(bytes))],
    ["transform header", (bytes) => decodeTransformHeader(new Reader(bytes))],
    ["SMB1 NEGOTIATE", (bytes) => decodeSmb1NegotiateRequest(new Reader(bytes))],
    ["create contexts", decodeCreateContexts],
    ["symbolic link error", decodeSymbolicLinkErrorData],
    ["buffer too small", decodeBufferTooSmallData],
    ["preauthentication capabilities", contexts.decodePreauthIntegrityCapabilities],
    ["encryption capabilities", contexts.decodeEncryptionCapabilities],
    ["compression capabilities", contexts.decodeCompressionCapabilities],
    ["netname", contexts.decodeNetname],
    ["transport capabilities", contexts.decodeTransportCapabilities],
    ["RDMA transforms", contexts.decodeRdmaTransformCapabilities],
    ["signing capabilities", contexts.decodeSigningCapabilities],
    ["DHnQ request", data.decodeDurableHandleRequest],
    ["DHnQ response", data.decodeDurableHandleResponse],
    ["DHnC", data.decodeDurableHandleReconnect],
    ["MxAc request", data.decodeMaximalAccessRequest],
    ["MxAc response", data.decodeMaximalAccessResponse],
    ["AlSi", data.decodeAllocationSize],
    ["TWrp", data.decodeTimewarpToken],
    ["QFid response", data.decodeOnDiskId],
    ["RqLs", data.decodeLease],
    ["DH2Q request", data.decodeDurableHandleRequestV2],
    ["DH2Q response", data.decodeDurableHandleResponseV2],
    ["DH2C", data.decodeDurableHandleReconnectV2],
    ["AppInstanceId", data.decodeAppInstanceId],
    ["AppInstanceVersion", data.decodeAppInstanceVersion],
  ];

  it.each(decoders)("%s: rejects or reads random bytes", (_name, decode) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), (bytes) => {
        tolerated(() => decode(Buffer.from(bytes)));
      }),
      { numRuns: 200 },
    );
  });

  it("SMB1 NEGOTIATE: rejects or reads mutated bytes", () => {
    fc.assert(
      fc.property(mutations, (changes) => {
        tolerated(() => decodeSmb1NegotiateRequest(new Reader(mutate(smb1NegotiateRequest, changes, 4))));
      }),
    );
  });
});
