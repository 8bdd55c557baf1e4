// SPDX-License-Identifier: Apache-2.0

import { crc32c } from "@node-rs/crc32";
import { padding } from "./bhs.ts";

const zeros = Buffer.alloc(3);

function digest(crc: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(crc, 0);
  return bytes;
}

/**
 * The buffers of one PDU on the wire: header, digest, data, padding, digest (RFC 7143 11.2). Data are not copied.
 * @param length bytes in `data`
 */
export function assemblePdu(
  bhs: Buffer,
  data: readonly Buffer[],
  length: number,
  headerDigest: boolean,
  dataDigest: boolean,
): Buffer[] {
  const buffers = [bhs];
  if (headerDigest) buffers.push(digest(crc32c(bhs)));
  if (length === 0) return buffers;
  buffers.push(...data);
  const pad = padding(length);
  if (pad > 0) buffers.push(zeros.subarray(0, pad));
  if (dataDigest) {
    let crc = 0;
    for (const buffer of data) crc = crc32c(buffer, crc);
    if (pad > 0) crc = crc32c(zeros.subarray(0, pad), crc);
    buffers.push(digest(crc));
  }
  return buffers;
}
