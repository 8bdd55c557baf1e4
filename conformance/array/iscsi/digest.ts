// SPDX-License-Identifier: Apache-2.0
/** CRC32C digests of headers and data (RFC 7143 13.1). */
import { crc32c } from "@node-rs/crc32";

export const digestBytes = 4;

/** The digest of several buffers taken as one, in the byte order of the wire. */
export function digestOf(...parts: readonly Buffer[]): Buffer {
  let value = 0;
  for (const part of parts) {
    if (part.length > 0) value = crc32c(part, value);
  }
  const digest = Buffer.alloc(digestBytes);
  digest.writeUInt32LE(value >>> 0, 0);
  return digest;
}
