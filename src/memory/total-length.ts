// SPDX-License-Identifier: Apache-2.0

/** Bytes in all of the buffers. */
export function totalLength(buffers: readonly Buffer[]): number {
  let length = 0;
  for (const buffer of buffers) length += buffer.length;
  return length;
}
