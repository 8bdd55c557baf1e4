// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";

/** AvId of an AV_PAIR (MS-NLMP 2.2.2.1). */
export const AvId = {
  EOL: 0x0000,
  NB_COMPUTER_NAME: 0x0001,
  NB_DOMAIN_NAME: 0x0002,
  DNS_COMPUTER_NAME: 0x0003,
  DNS_DOMAIN_NAME: 0x0004,
  DNS_TREE_NAME: 0x0005,
  FLAGS: 0x0006,
  TIMESTAMP: 0x0007,
  SINGLE_HOST: 0x0008,
  TARGET_NAME: 0x0009,
  CHANNEL_BINDINGS: 0x000a,
} as const;

/** Bit of MsvAvFlags: the AUTHENTICATE_MESSAGE carries a MIC. */
export const AV_FLAG_MIC_PRESENT = 0x00000002;

export interface AvPair {
  readonly id: number;
  readonly value: Buffer;
}

/** Encodes the pairs and the closing MsvAvEOL. */
export function encodeAvPairs(pairs: readonly AvPair[]): Buffer {
  const parts: Buffer[] = [];
  for (const { id, value } of [...pairs, { id: AvId.EOL, value: Buffer.alloc(0) }]) {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(id, 0);
    head.writeUInt16LE(value.length, 2);
    parts.push(head, value);
  }
  return Buffer.concat(parts);
}

/**
 * The pairs up to MsvAvEOL or the end, as views.
 * @throws SmbError INVALID_PARAMETER: a pair reaches beyond the end
 */
export function decodeAvPairs(data: Buffer): AvPair[] {
  const pairs: AvPair[] = [];
  let at = 0;
  while (at + 4 <= data.length) {
    const id = data.readUInt16LE(at);
    const end = at + 4 + data.readUInt16LE(at + 2);
    if (end > data.length) throw new SmbError(NtStatus.INVALID_PARAMETER, "AV_PAIR beyond the end");
    if (id === AvId.EOL) break;
    pairs.push({ id, value: data.subarray(at + 4, end) });
    at = end;
  }
  return pairs;
}

/** MsvAvFlags of the pairs; 0 where there are none. */
export function avFlags(pairs: readonly AvPair[]): number {
  const value = pairs.find((pair) => pair.id === AvId.FLAGS)?.value;
  return value !== undefined && value.length >= 4 ? value.readUInt32LE(0) : 0;
}
