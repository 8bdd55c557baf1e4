// SPDX-License-Identifier: Apache-2.0

import type { Socket } from "node:net";
import { bind, outcome, scratch } from "../vfs/posix/native/libc.ts";

/** tcp(7): the level and the name of the option TCP_INFO. */
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** Offset of tcpi_bytes_acked, 64 bits, in struct tcp_info. Systems without it fill less of the structure. */
const BYTES_ACKED = 120;
const INFO_SIZE = BYTES_ACKED + 8;

const getsockopt = bind<[number, number, number, number, number]>("getsockopt", "int", [
  ...(["int", "int", "int", "address", "address"] as const),
]);
const info = scratch(INFO_SIZE);
const length = scratch(4);

/** The descriptor of a connected socket; Node gives it away in no other way. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof handle?.fd === "number" ? handle.fd : -1;
}

/** Bytes that the other end's system has acknowledged; `undefined` where the socket is closed or the system does not tell. */
export function bytesAcknowledged(socket: Socket): number | undefined {
  const fd = descriptorOf(socket);
  if (process.platform !== "linux" || fd < 0) return undefined;
  length.buffer.writeUInt32LE(INFO_SIZE);
  if (outcome(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info.address, length.address)) < 0) return undefined;
  if (length.buffer.readUInt32LE() < INFO_SIZE) return undefined;
  return Number(info.buffer.readBigUInt64LE(BYTES_ACKED));
}
