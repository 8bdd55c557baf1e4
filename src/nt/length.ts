// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "./status.ts";

/**
 * A 64-bit length or file offset of a request as a number.
 * @throws SmbError INVALID_PARAMETER below 0 or above 2^53 - 1
 */
export function toSafeLength(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  return Number(value);
}
