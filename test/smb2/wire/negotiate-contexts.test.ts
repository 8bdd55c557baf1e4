// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  Cipher,
  CompressionAlgorithm,
  CompressionFlag,
  compressionContext,
  decodeCompressionCapabilities,
  decodeEncryptionCapabilities,
  decodeNetname,
  decodePreauthIntegrityCapabilities,
  decodeRdmaTransformCapabilities,
  decodeSigningCapabilities,
  decodeTransportCapabilities,
  encryptionContext,
  HashAlgorithm,
  type NegotiateContext,
  netnameContext,
  preauthIntegrityContext,
  RdmaTransform,
  rdmaTransformContext,
  SigningAlgorithm,
  signingContext,
  TransportFlag,
  transportContext,
} from "../../../src/smb2/wire/negotiate-contexts.ts";
import { hex } from "./golden.ts";

function expectContext<T>(
  type: number,
  data: string,
  value: T,
  decode: (data: Buffer) => T,
  build: (value: T) => NegotiateContext,
): void {
  expect(decode(hex(data))).toEqual(value);
  expect(build(value)).toEqual({ type, data: hex(data) });
}

describe("negotiate context", () => {
  it("SMB2_PREAUTH_INTEGRITY_CAPABILITIES", () => {
    const value = { hashAlgorithms: [HashAlgorithm.SHA_512], salt: hex("a1a2a3") };
    expectContext(1, "0100 0300 0100 a1a2a3", value, decodePreauthIntegrityCapabilities, preauthIntegrityContext);
    expect(() => decodePreauthIntegrityCapabilities(hex("0100 0400 0100 a1a2a3"))).toThrow(MalformedPacketError);
  });

  it("SMB2_ENCRYPTION_CAPABILITIES", () => {
    const ciphers = [Cipher.AES_256_GCM, Cipher.AES_128_GCM];
    expectContext<number[]>(2, "0200 0400 0200", ciphers, decodeEncryptionCapabilities, encryptionContext);
    expect(() => decodeEncryptionCapabilities(hex("0300 0400 0200"))).toThrow(MalformedPacketError);
  });

  it("SMB2_COMPRESSION_CAPABILITIES", () => {
    const value = {
      flags: CompressionFlag.CHAINED,
      algorithms: [CompressionAlgorithm.PATTERN_V1, CompressionAlgorithm.LZ77],
    };
    expectContext(3, "0200 0000 01000000 0400 0200", value, decodeCompressionCapabilities, compressionContext);
    expect(() => decodeCompressionCapabilities(hex("0100 0000 01000000"))).toThrow(MalformedPacketError);
  });

  it("SMB2_NETNAME_NEGOTIATE_CONTEXT_ID", () => {
    expectContext(5, "6e00 6100 7300", "nas", decodeNetname, netnameContext);
    expect(() => decodeNetname(hex("6e0061"))).toThrow(MalformedPacketError);
  });

  it("SMB2_TRANSPORT_CAPABILITIES", () => {
    const flags = TransportFlag.ACCEPT_TRANSPORT_LEVEL_SECURITY;
    expectContext<number>(6, "01000000", flags, decodeTransportCapabilities, transportContext);
  });

  it("SMB2_RDMA_TRANSFORM_CAPABILITIES", () => {
    const transforms = [RdmaTransform.ENCRYPTION, RdmaTransform.SIGNING];
    expectContext<number[]>(
      7,
      "0200 0000 00000000 0100 0200",
      transforms,
      decodeRdmaTransformCapabilities,
      rdmaTransformContext,
    );
  });

  it("SMB2_SIGNING_CAPABILITIES", () => {
    const algorithms = [SigningAlgorithm.AES_GMAC, SigningAlgorithm.AES_CMAC, SigningAlgorithm.HMAC_SHA256];
    expectContext<number[]>(8, "0300 0200 0100 0000", algorithms, decodeSigningCapabilities, signingContext);
  });
});
