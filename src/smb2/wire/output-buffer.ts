// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "./cursor.ts";
import { HEADER_SIZE } from "./header.ts";
import { expectStructureSize, variablePart } from "./layout.ts";

/**
 * Where the output of QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO responses begins, in bytes from the SMB2 header
 * (MS-SMB2 2.2.34, 2.2.36, 2.2.38).
 */
export const OUTPUT_BUFFER_OFFSET = HEADER_SIZE + 8;

/**
 * Writes the fixed part of a response that is one output buffer, and leaves the length open (MS-SMB2 2.2.34, 2.2.36,
 * 2.2.38). The caller writes the output straight into the writer, then calls {@link endOutputBuffer}.
 *
 * @returns the position of the writer at which the output begins
 */
export function beginOutputBuffer(writer: Writer): number {
  writer.u16(9);
  writer.u16(OUTPUT_BUFFER_OFFSET);
  writer.u32(0);
  return writer.position;
}

/** Fills in the length of the output that was written since {@link beginOutputBuffer} gave `start` (MS-SMB2 2.2.34). */
export function endOutputBuffer(writer: Writer, start: number): void {
  writer.patchU32(start - 4, writer.position - start);
}

/** Writes a response that is one output buffer (MS-SMB2 2.2.34, 2.2.36, 2.2.38). */
export function encodeOutputBuffer(writer: Writer, output: Uint8Array): void {
  writer.u16(9);
  writer.u16(OUTPUT_BUFFER_OFFSET);
  writer.u32(output.length);
  writer.bytes(output);
}

/** Reads a response that is one output buffer (MS-SMB2 2.2.34, 2.2.36, 2.2.38). */
export function decodeOutputBuffer(reader: Reader, name: string): Buffer {
  expectStructureSize(reader, 9, name);
  const offset = reader.u16();
  const length = reader.u32();
  return variablePart(reader, offset, length, OUTPUT_BUFFER_OFFSET, name);
}
