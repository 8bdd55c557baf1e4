// SPDX-License-Identifier: Apache-2.0

import { STORAGE_OFFLOAD_TOKEN_LENGTH } from "../../../nt/offload-token.ts";
import { MalformedPacketError, type Reader, type Writer } from "../cursor.ts";
import { writeFixed } from "../layout.ts";

/** OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE (MS-FSCC 2.3.42). */
export const OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE = 0x00000001;

/** Bytes of the four payloads, also the value of their Size field. */
export const OFFLOAD_READ_INPUT_LENGTH = 32;
export const OFFLOAD_READ_OUTPUT_LENGTH = 528;
export const OFFLOAD_WRITE_INPUT_LENGTH = 544;
export const OFFLOAD_WRITE_OUTPUT_LENGTH = 16;

/** FSCTL_OFFLOAD_READ_INPUT (MS-FSCC 2.3.41), 32 bytes. */
export interface OffloadReadInput {
  /** Milliseconds; 0 asks for the default. A hint. */
  readonly tokenTimeToLive: number;
  /** Bytes, a multiple of the logical sector. */
  readonly fileOffset: bigint;
  readonly copyLength: bigint;
}

export function encodeOffloadReadInput(writer: Writer, input: OffloadReadInput): void {
  writer.u32(OFFLOAD_READ_INPUT_LENGTH);
  writer.u32(0);
  writer.u32(input.tokenTimeToLive);
  writer.u32(0);
  writer.u64(input.fileOffset);
  writer.u64(input.copyLength);
}

/** `size` is the Size field: another value than 32 is INVALID_PARAMETER, at its place among the checks. */
export function decodeOffloadReadInput(reader: Reader): OffloadReadInput & { readonly size: number } {
  const size = reader.u32();
  reader.skip(4);
  const tokenTimeToLive = reader.u32();
  reader.skip(4);
  return { size, tokenTimeToLive, fileOffset: reader.u64(), copyLength: reader.u64() };
}

/** FSCTL_OFFLOAD_READ_OUTPUT (MS-FSCC 2.3.42), 528 bytes. */
export interface OffloadReadOutput {
  /** {@link OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE} or 0. */
  readonly flags: number;
  /** Bytes that the token stands for, a multiple of the logical sector. */
  readonly transferLength: number;
  /** 512 bytes, passed on as they are; decoded, a view. */
  readonly token: Buffer;
}

export function encodeOffloadReadOutput(writer: Writer, output: OffloadReadOutput): void {
  writer.u32(OFFLOAD_READ_OUTPUT_LENGTH);
  writer.u32(output.flags);
  writer.u64n(output.transferLength);
  writeFixed(writer, output.token, STORAGE_OFFLOAD_TOKEN_LENGTH, "Token");
}

/** @throws MalformedPacketError also where the Size field is not 528 */
export function decodeOffloadReadOutput(reader: Reader): OffloadReadOutput {
  expectSize(reader, OFFLOAD_READ_OUTPUT_LENGTH);
  return { flags: reader.u32(), transferLength: reader.u64n(), token: reader.bytes(STORAGE_OFFLOAD_TOKEN_LENGTH) };
}

/** FSCTL_OFFLOAD_WRITE_INPUT (MS-FSCC 2.3.43), 544 bytes. */
export interface OffloadWriteInput {
  /** Bytes, a multiple of the logical sector. */
  readonly fileOffset: bigint;
  readonly copyLength: bigint;
  /** Offset inside the data that the token stands for. */
  readonly transferOffset: bigint;
  /** 512 bytes; decoded, a view into the request. */
  readonly token: Buffer;
}

export function encodeOffloadWriteInput(writer: Writer, input: OffloadWriteInput): void {
  writer.u32(OFFLOAD_WRITE_INPUT_LENGTH);
  writer.u32(0);
  writer.u64(input.fileOffset);
  writer.u64(input.copyLength);
  writer.u64(input.transferOffset);
  writeFixed(writer, input.token, STORAGE_OFFLOAD_TOKEN_LENGTH, "Token");
}

/** `size` is the Size field: another value than 544 is INVALID_PARAMETER, at its place among the checks. */
export function decodeOffloadWriteInput(reader: Reader): OffloadWriteInput & { readonly size: number } {
  const size = reader.u32();
  reader.skip(4);
  const fileOffset = reader.u64();
  const copyLength = reader.u64();
  const transferOffset = reader.u64();
  return { size, fileOffset, copyLength, transferOffset, token: reader.bytes(STORAGE_OFFLOAD_TOKEN_LENGTH) };
}

/** FSCTL_OFFLOAD_WRITE_OUTPUT (MS-FSCC 2.3.44), 16 bytes. `lengthWritten` in bytes, a multiple of the logical sector. */
export function encodeOffloadWriteOutput(writer: Writer, lengthWritten: number): void {
  writer.u32(OFFLOAD_WRITE_OUTPUT_LENGTH);
  writer.u32(0);
  writer.u64n(lengthWritten);
}

/** @throws MalformedPacketError also where the Size field is not 16 */
export function decodeOffloadWriteOutput(reader: Reader): number {
  expectSize(reader, OFFLOAD_WRITE_OUTPUT_LENGTH);
  reader.skip(4);
  return reader.u64n();
}

function expectSize(reader: Reader, size: number): void {
  const found = reader.u32();
  if (found !== size) throw new MalformedPacketError(`Size ${found} is not ${size}`);
}
