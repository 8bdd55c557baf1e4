// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, Reader, type Writer } from "../cursor.ts";

/** Bytes of one NETWORK_INTERFACE_INFO (MS-SMB2 2.2.32.5). */
export const NETWORK_INTERFACE_INFO_LENGTH = 152;

/** Capability of an interface. */
export const NetworkInterfaceCapability = {
  RSS_CAPABLE: 0x00000001,
  RDMA_CAPABLE: 0x00000002,
} as const;

/** Family of SOCKADDR_STORAGE (MS-SMB2 2.2.32.5.1). */
const FAMILY_INET = 0x0002;
const FAMILY_INET6 = 0x0017;
/** Bytes of SOCKADDR_STORAGE. */
const STORAGE_LENGTH = 128;
/** Bytes before SOCKADDR_STORAGE. */
const STORAGE_OFFSET = NETWORK_INTERFACE_INFO_LENGTH - STORAGE_LENGTH;

export interface NetworkInterfaceInfo {
  readonly ifIndex: number;
  /** {@link NetworkInterfaceCapability} bits. */
  readonly capability: number;
  /** Bits per second. */
  readonly linkSpeed: number;
  /** 4 bytes of IPv4, or 16 bytes of IPv6, in network order. */
  readonly address: Uint8Array;
}

/**
 * All interfaces, chained by Next. The caller has made sure that they fit.
 * @throws RangeError where an address has neither 4 nor 16 bytes
 */
export function encodeNetworkInterfaces(writer: Writer, interfaces: readonly NetworkInterfaceInfo[]): void {
  for (const [i, info] of interfaces.entries()) {
    const { address } = info;
    if (address.length !== 4 && address.length !== 16) throw new RangeError(`address of ${address.length} bytes`);
    writer.u32(i === interfaces.length - 1 ? 0 : NETWORK_INTERFACE_INFO_LENGTH);
    writer.u32(info.ifIndex);
    writer.u32(info.capability);
    writer.u32(0);
    writer.u64n(info.linkSpeed);
    writer.u16(address.length === 4 ? FAMILY_INET : FAMILY_INET6);
    // Port, and FlowInfo of IPv6.
    const before = address.length === 4 ? 2 : 6;
    writer.zeros(before);
    writer.bytes(address);
    writer.zeros(STORAGE_LENGTH - 2 - before - address.length);
  }
}

/** @throws MalformedPacketError also for an unknown address family */
export function decodeNetworkInterfaces(buffer: Buffer): NetworkInterfaceInfo[] {
  const interfaces: NetworkInterfaceInfo[] = [];
  if (buffer.length === 0) return interfaces;
  for (let start = 0; ; ) {
    const reader = new Reader(buffer, start);
    const next = reader.u32();
    const ifIndex = reader.u32();
    const capability = reader.u32();
    reader.skip(4);
    const linkSpeed = reader.u64n();
    const storage = new Reader(buffer.subarray(0, start + STORAGE_OFFSET + STORAGE_LENGTH), reader.position);
    const family = storage.u16();
    if (family !== FAMILY_INET && family !== FAMILY_INET6) throw new MalformedPacketError(`address family ${family}`);
    storage.skip(family === FAMILY_INET ? 2 : 6);
    const address = storage.bytes(family === FAMILY_INET ? 4 : 16);
    reader.skip(STORAGE_LENGTH);
    interfaces.push({ ifIndex, capability, linkSpeed, address });
    if (next === 0) return interfaces;
    if (next < NETWORK_INTERFACE_INFO_LENGTH || next % 8 !== 0) throw new MalformedPacketError(`Next ${next}`);
    start += next;
  }
}
