// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** NETWORK_RESILIENCY_REQUEST, the input of FSCTL_LMR_REQUEST_RESILIENCY (MS-SMB2 2.2.31.3). */
export interface NetworkResiliencyRequest {
  /** Milliseconds that the server is to keep the handle after a cut; 0 leaves the choice to it. */
  readonly timeout: number;
}

/** Bytes of NETWORK_RESILIENCY_REQUEST. */
export const NETWORK_RESILIENCY_REQUEST_SIZE = 8;

/** Reads NETWORK_RESILIENCY_REQUEST (MS-SMB2 2.2.31.3). */
export function decodeNetworkResiliencyRequest(reader: Reader): NetworkResiliencyRequest {
  const timeout = reader.u32();
  reader.skip(4);
  return { timeout };
}

/** Writes NETWORK_RESILIENCY_REQUEST (MS-SMB2 2.2.31.3). */
export function encodeNetworkResiliencyRequest(writer: Writer, { timeout }: NetworkResiliencyRequest): void {
  writer.u32(timeout);
  writer.u32(0);
}
