// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, Reader, Writer } from "./cursor.ts";
import { align8, expectAligned8, fitsU16 } from "./layout.ts";

/** ContextType of a negotiate context (MS-SMB2 2.2.3.1). */
export const NegotiateContextType = {
  PREAUTH_INTEGRITY_CAPABILITIES: 0x0001,
  ENCRYPTION_CAPABILITIES: 0x0002,
  COMPRESSION_CAPABILITIES: 0x0003,
  NETNAME: 0x0005,
  TRANSPORT_CAPABILITIES: 0x0006,
  RDMA_TRANSFORM_CAPABILITIES: 0x0007,
  SIGNING_CAPABILITIES: 0x0008,
  RESERVED: 0x0100,
} as const;

/** Preauthentication integrity hash functions (MS-SMB2 2.2.3.1.1). */
export const HashAlgorithm = { SHA_512: 0x0001 } as const;

/** Encryption algorithms (MS-SMB2 2.2.3.1.2). */
export const Cipher = {
  AES_128_CCM: 0x0001,
  AES_128_GCM: 0x0002,
  AES_256_CCM: 0x0003,
  AES_256_GCM: 0x0004,
} as const;

/** Compression algorithms (MS-SMB2 2.2.3.1.3). */
export const CompressionAlgorithm = {
  NONE: 0x0000,
  LZNT1: 0x0001,
  LZ77: 0x0002,
  LZ77_HUFFMAN: 0x0003,
  PATTERN_V1: 0x0004,
  LZ4: 0x0005,
} as const;

/** Flags of the compression capabilities (MS-SMB2 2.2.3.1.3). */
export const CompressionFlag = { NONE: 0x00000000, CHAINED: 0x00000001 } as const;

/** Flags of the transport capabilities (MS-SMB2 2.2.3.1.5). */
export const TransportFlag = { ACCEPT_TRANSPORT_LEVEL_SECURITY: 0x00000001 } as const;

/** RDMA transforms (MS-SMB2 2.2.3.1.6). */
export const RdmaTransform = { NONE: 0x0000, ENCRYPTION: 0x0001, SIGNING: 0x0002 } as const;

/** Signing algorithms (MS-SMB2 2.2.3.1.7). */
export const SigningAlgorithm = { HMAC_SHA256: 0x0000, AES_CMAC: 0x0001, AES_GMAC: 0x0002 } as const;

/**
 * SMB2_NEGOTIATE_CONTEXT as it stands on the wire (MS-SMB2 2.2.3.1). The data are decoded by the codec of the type, when
 * the receiver has decided that it does not ignore the context: a context that is ignored is not judged.
 */
export interface NegotiateContext {
  /** `NegotiateContextType` value, or one that is not known. */
  readonly type: number;
  readonly data: Buffer;
}

const CONTEXT_HEADER_SIZE = 8;

/**
 * Reads `count` contexts, the first at `offset` from the SMB2 header, each at the next multiple of 8 (MS-SMB2 2.2.3).
 * The list must begin at `minimum` or later.
 */
export function decodeNegotiateContexts(
  reader: Reader,
  offset: number,
  count: number,
  minimum: number,
): NegotiateContext[] {
  const contexts: NegotiateContext[] = [];
  if (count === 0) return contexts;
  expectAligned8(offset, "NegotiateContextOffset");
  if (offset < minimum) throw new MalformedPacketError("NegotiateContextOffset lies inside the fixed part");
  let at = offset;
  for (let index = 0; index < count; index += 1) {
    reader.seek(at);
    const type = reader.u16();
    const length = reader.u16();
    reader.skip(4);
    contexts.push({ type, data: reader.bytes(length) });
    at = align8(at + CONTEXT_HEADER_SIZE + length);
  }
  return contexts;
}

/** Writes the contexts, padded to multiples of 8 in front of each; returns the offset of the first (MS-SMB2 2.2.3). */
export function encodeNegotiateContexts(writer: Writer, contexts: readonly NegotiateContext[]): number {
  writer.align(8);
  const offset = writer.offset;
  for (const { type, data } of contexts) {
    writer.align(8);
    writer.u16(type);
    writer.u16(fitsU16(data.length, "NegotiateContext"));
    writer.u32(0);
    writer.bytes(data);
  }
  return offset;
}

function u16List(reader: Reader, count: number): number[] {
  const values: number[] = [];
  for (let index = 0; index < count; index += 1) values.push(reader.u16());
  return values;
}

/** A list that must hold something. */
function filledU16List(reader: Reader, count: number, name: string): number[] {
  if (count === 0) throw new MalformedPacketError(`${name}: an empty list`);
  return u16List(reader, count);
}

function built(type: number, size: number, fill: (writer: Writer) => void): NegotiateContext {
  const writer = new Writer(size);
  fill(writer);
  return { type, data: writer.view() };
}

/** SMB2_PREAUTH_INTEGRITY_CAPABILITIES (MS-SMB2 2.2.3.1.1). */
export interface PreauthIntegrityCapabilities {
  /** `HashAlgorithm` values. */
  readonly hashAlgorithms: readonly number[];
  readonly salt: Buffer;
}

/** Reads the data of an SMB2_PREAUTH_INTEGRITY_CAPABILITIES context (MS-SMB2 2.2.3.1.1). */
export function decodePreauthIntegrityCapabilities(data: Buffer): PreauthIntegrityCapabilities {
  const reader = new Reader(data);
  const count = reader.u16();
  const saltLength = reader.u16();
  return { hashAlgorithms: filledU16List(reader, count, "HashAlgorithms"), salt: reader.bytes(saltLength) };
}

/** Builds an SMB2_PREAUTH_INTEGRITY_CAPABILITIES context (MS-SMB2 2.2.3.1.1). */
export function preauthIntegrityContext(value: PreauthIntegrityCapabilities): NegotiateContext {
  const { hashAlgorithms, salt } = value;
  return built(NegotiateContextType.PREAUTH_INTEGRITY_CAPABILITIES, 6 + salt.length, (writer) => {
    writer.u16(hashAlgorithms.length);
    writer.u16(salt.length);
    for (const id of hashAlgorithms) writer.u16(id);
    writer.bytes(salt);
  });
}

/** Reads the Ciphers of an SMB2_ENCRYPTION_CAPABILITIES context, most preferred first (MS-SMB2 2.2.3.1.2). */
export function decodeEncryptionCapabilities(data: Buffer): number[] {
  const reader = new Reader(data);
  return filledU16List(reader, reader.u16(), "Ciphers");
}

/** Builds an SMB2_ENCRYPTION_CAPABILITIES context of `Cipher` values (MS-SMB2 2.2.3.1.2). */
export function encryptionContext(ciphers: readonly number[]): NegotiateContext {
  return built(NegotiateContextType.ENCRYPTION_CAPABILITIES, 4, (writer) => {
    writer.u16(ciphers.length);
    for (const id of ciphers) writer.u16(id);
  });
}

/** SMB2_COMPRESSION_CAPABILITIES (MS-SMB2 2.2.3.1.3). */
export interface CompressionCapabilities {
  /** `CompressionFlag` value. */
  readonly flags: number;
  /** `CompressionAlgorithm` values, most preferred first. */
  readonly algorithms: readonly number[];
}

/** Reads the data of an SMB2_COMPRESSION_CAPABILITIES context (MS-SMB2 2.2.3.1.3). */
export function decodeCompressionCapabilities(data: Buffer): CompressionCapabilities {
  const reader = new Reader(data);
  const count = reader.u16();
  reader.skip(2);
  return { flags: reader.u32(), algorithms: u16List(reader, count) };
}

/** Builds an SMB2_COMPRESSION_CAPABILITIES context (MS-SMB2 2.2.3.1.3). */
export function compressionContext(value: CompressionCapabilities): NegotiateContext {
  return built(NegotiateContextType.COMPRESSION_CAPABILITIES, 16, (writer) => {
    writer.u16(value.algorithms.length);
    writer.u16(0);
    writer.u32(value.flags);
    for (const id of value.algorithms) writer.u16(id);
  });
}

/** Reads the server name of an SMB2_NETNAME_NEGOTIATE_CONTEXT_ID context (MS-SMB2 2.2.3.1.4). */
export function decodeNetname(data: Buffer): string {
  return new Reader(data).utf16(data.length);
}

/** Builds an SMB2_NETNAME_NEGOTIATE_CONTEXT_ID context (MS-SMB2 2.2.3.1.4). */
export function netnameContext(name: string): NegotiateContext {
  return { type: NegotiateContextType.NETNAME, data: Buffer.from(name, "utf16le") };
}

/** Reads the `TransportFlag` bits of an SMB2_TRANSPORT_CAPABILITIES context (MS-SMB2 2.2.3.1.5). */
export function decodeTransportCapabilities(data: Buffer): number {
  return new Reader(data).u32();
}

/** Builds an SMB2_TRANSPORT_CAPABILITIES context (MS-SMB2 2.2.3.1.5). */
export function transportContext(flags: number): NegotiateContext {
  return built(NegotiateContextType.TRANSPORT_CAPABILITIES, 4, (writer) => writer.u32(flags));
}

/** Reads the `RdmaTransform` ids of an SMB2_RDMA_TRANSFORM_CAPABILITIES context (MS-SMB2 2.2.3.1.6). */
export function decodeRdmaTransformCapabilities(data: Buffer): number[] {
  const reader = new Reader(data);
  const count = reader.u16();
  reader.skip(6);
  return filledU16List(reader, count, "RDMATransformIds");
}

/** Builds an SMB2_RDMA_TRANSFORM_CAPABILITIES context (MS-SMB2 2.2.3.1.6). */
export function rdmaTransformContext(transforms: readonly number[]): NegotiateContext {
  return built(NegotiateContextType.RDMA_TRANSFORM_CAPABILITIES, 16, (writer) => {
    writer.u16(transforms.length);
    writer.zeros(6);
    for (const id of transforms) writer.u16(id);
  });
}

/** Reads the `SigningAlgorithm` ids of an SMB2_SIGNING_CAPABILITIES context, most preferred first (MS-SMB2 2.2.3.1.7). */
export function decodeSigningCapabilities(data: Buffer): number[] {
  const reader = new Reader(data);
  return filledU16List(reader, reader.u16(), "SigningAlgorithms");
}

/** Builds an SMB2_SIGNING_CAPABILITIES context (MS-SMB2 2.2.3.1.7). */
export function signingContext(algorithms: readonly number[]): NegotiateContext {
  return built(NegotiateContextType.SIGNING_CAPABILITIES, 4, (writer) => {
    writer.u16(algorithms.length);
    for (const id of algorithms) writer.u16(id);
  });
}
