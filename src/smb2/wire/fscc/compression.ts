// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** CompressionState of FSCTL_GET_COMPRESSION and FSCTL_SET_COMPRESSION: a `CompressionFormat` (MS-FSCC 2.3.18, 2.3.67). */
export function encodeCompressionState(writer: Writer, compressionFormat: number): void {
  writer.u16(compressionFormat);
}

/** Unknown formats are for the caller to refuse. */
export function decodeCompressionState(reader: Reader): number {
  return reader.u16();
}
