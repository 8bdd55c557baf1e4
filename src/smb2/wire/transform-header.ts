// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, type Reader, u64At, type Writer } from "./cursor.ts";
import { SIGNATURE_SIZE, TRANSFORM_PROTOCOL_ID } from "./header.ts";
import { writeFixed } from "./layout.ts";

/** Size of the SMB2 TRANSFORM_HEADER, in bytes (MS-SMB2 2.2.41). */
export const TRANSFORM_HEADER_SIZE = 52;

/** Position of the Signature in the transform header (MS-SMB2 2.2.41). */
export const TRANSFORM_SIGNATURE_OFFSET = 4;

/** Where the authenticated part of the transform header begins; it ends with the header (MS-SMB2 3.1.4.3). */
export const TRANSFORM_AAD_OFFSET = 20;

/** Size of the Nonce field, of which CCM uses 11 bytes and GCM 12 (MS-SMB2 2.2.41). */
export const NONCE_FIELD_SIZE = 16;

const SESSION_ID_OFFSET = 44;

/** SMB2 TRANSFORM_HEADER (MS-SMB2 2.2.41). */
export interface TransformHeader {
  /** View of 16 bytes. */
  readonly signature: Buffer;
  /** View of 16 bytes. */
  readonly nonce: Buffer;
  /** Bytes of the message before encryption. */
  readonly originalMessageSize: number;
  /** `TransformFlag` bits. */
  readonly flags: number;
  readonly sessionId: bigint;
}

/** Reads an SMB2 TRANSFORM_HEADER and moves behind it, to the encrypted message (MS-SMB2 2.2.41). */
export function decodeTransformHeader(reader: Reader): TransformHeader {
  if (reader.u32() !== TRANSFORM_PROTOCOL_ID) throw new MalformedPacketError("transform header: wrong ProtocolId");
  const signature = reader.bytes(SIGNATURE_SIZE);
  const nonce = reader.bytes(NONCE_FIELD_SIZE);
  const originalMessageSize = reader.u32();
  reader.skip(2);
  return { signature, nonce, originalMessageSize, flags: reader.u16(), sessionId: reader.u64() };
}

/** Writes an SMB2 TRANSFORM_HEADER (MS-SMB2 2.2.41). */
export function encodeTransformHeader(writer: Writer, header: TransformHeader): void {
  writer.u32(TRANSFORM_PROTOCOL_ID);
  writeFixed(writer, header.signature, SIGNATURE_SIZE, "Signature");
  writeFixed(writer, header.nonce, NONCE_FIELD_SIZE, "Nonce");
  writer.u32(header.originalMessageSize);
  writer.u16(0);
  writer.u16(header.flags);
  writer.u64(header.sessionId);
}

/** SessionId of a transform header at the start of a buffer, which must hold all of it (MS-SMB2 2.2.41). */
export function peekTransformSessionId(buffer: Buffer): bigint {
  return u64At(buffer, SESSION_ID_OFFSET);
}
