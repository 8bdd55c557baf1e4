// SPDX-License-Identifier: Apache-2.0

/** What tcp(7) knows of a connection and Node does not tell. */

import type { Socket } from "node:net";
import { bind, outcome, scratch } from "../native/ffi.ts";
import { descriptorOf } from "./socket-reader.ts";

const IPPROTO_TCP = 6;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_INFO = 11;
/** Offset of tcpi_bytes_acked, 64 bits, in struct tcp_info. Systems without it fill less of the structure. */
const BYTES_ACKED = 120;
const INFO_SIZE = BYTES_ACKED + 8;

/** Probes without an answer after which a client is gone. */
const PROBES = 6;

const getsockopt = bind<[number, number, number, number, number]>("getsockopt", "int", [
  ...(["int", "int", "int", "address", "address"] as const),
]);
const setsockopt = bind<[number, number, number, number, number]>("setsockopt", "int", [
  ...(["int", "int", "int", "address", "uint32"] as const),
]);
const value = scratch(INFO_SIZE);
const length = scratch(4);

/** Bytes that the other end's system has acknowledged; `undefined` where the socket is closed or the system does not tell. */
export function bytesAcknowledged(socket: Socket): number | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined || process.platform !== "linux") return undefined;
  length.buffer.writeUInt32LE(INFO_SIZE);
  if (outcome(getsockopt(fd, IPPROTO_TCP, TCP_INFO, value.address, length.address)) < 0) return undefined;
  if (length.buffer.readUInt32LE() < INFO_SIZE) return undefined;
  return Number(value.buffer.readBigUInt64LE(BYTES_ACKED));
}

/**
 * Has the system ask a silent client whether it is still there: the first time after a quarter of the time, then six times.
 * @param milliseconds without an answer after which the connection breaks; whole seconds count, at least 8
 */
export function keepAlive(socket: Socket, milliseconds: number): void {
  socket.setKeepAlive(true, milliseconds / 4);
  const fd = descriptorOf(socket);
  if (fd === undefined || process.platform !== "linux") return;
  // Node asks ten times within ten seconds: too short for a network that comes back by itself.
  setOption(fd, TCP_KEEPINTVL, Math.max(1, Math.round((milliseconds * 3) / 4 / PROBES / 1000)));
  setOption(fd, TCP_KEEPCNT, PROBES);
}

function setOption(fd: number, name: number, setting: number): void {
  value.buffer.writeInt32LE(setting);
  // A connection that is gone already needs no probes.
  setsockopt(fd, IPPROTO_TCP, name, value.address, 4);
}
