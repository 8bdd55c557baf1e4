// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from "node:fs";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { NetworkInterface } from "../smb2/server-context.ts";
import type { HostPort } from "./config/units.ts";
import { plainAddress } from "./tcp-transport.ts";

const MEGABIT = 1_000_000;

/** Bits per second told where the system does not know, as for virtual interfaces. */
const UNKNOWN_SPEED = 1000 * MEGABIT;

/** What the system says of its interfaces. */
export interface NetworkSystem {
  addresses(): NodeJS.Dict<readonly Pick<NetworkInterfaceInfo, "address" | "family" | "internal">[]>;
  /** A number of `/sys/class/net/NAME`; `undefined`: not there, not positive, or no link. */
  number(name: string, attribute: "ifindex" | "speed"): number | undefined;
  /** Queues of received packets: with several, connections are worked on by several processors. */
  receiveQueues(name: string): number;
}

const linux: NetworkSystem = {
  addresses: networkInterfaces,
  number(name, attribute) {
    try {
      const value = Number(readFileSync(`/sys/class/net/${name}/${attribute}`, "latin1"));
      return Number.isSafeInteger(value) && value > 0 ? value : undefined;
    } catch {
      // The interface has just gone, or keeps that to itself (EINVAL of `speed` without a link).
      return undefined;
    }
  },
  receiveQueues(name) {
    try {
      return readdirSync(`/sys/class/net/${name}/queues`).filter((queue) => queue.startsWith("rx-")).length;
    } catch {
      return 0;
    }
  },
};

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

/** 16 bytes of the text form, zone left out (RFC 4291 2.2). */
function ipv6Bytes(address: string): Buffer {
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const before = groups(head);
  const after = groups(tail ?? "");
  const bytes = Buffer.alloc(16);
  for (const [at, value] of before.entries()) bytes.writeUInt16BE(value, at * 2);
  for (const [at, value] of after.entries()) bytes.writeUInt16BE(value, 16 - (after.length - at) * 2);
  return bytes;
}

/** 169.254.0.0/16, fe80::/10: of use only together with an interface of the client, which the answer cannot name. */
function isLinkLocal(address: Buffer): boolean {
  if (address.length === 4) return address[0] === 169 && address[1] === 254;
  return address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
}

/** The addresses of this machine on which clients reach the server, given what it listens on. */
export function reachableInterfaces(listening: readonly HostPort[], system = linux): readonly NetworkInterface[] {
  const hosts = new Set(listening.map(({ host }) => plainAddress(host)));
  const every = { IPv4: hosts.has("0.0.0.0") || hosts.has("::"), IPv6: hosts.has("::") };
  const found: NetworkInterface[] = [];
  for (const [name, addresses] of Object.entries(system.addresses())) {
    const reachable = (addresses ?? [])
      .filter(({ address, family, internal }) => hosts.has(address) || (every[family] && !internal))
      .map(({ address, family }) => (family === "IPv4" ? ipv4Bytes(address) : ipv6Bytes(address)))
      .filter((address) => !isLinkLocal(address));
    if (reachable.length === 0) continue;
    const index = system.number(name, "ifindex") ?? found.length + 1;
    const speed = system.number(name, "speed");
    const linkSpeed = speed === undefined ? UNKNOWN_SPEED : speed * MEGABIT;
    const receiveSideScaling = system.receiveQueues(name) > 1;
    for (const address of reachable) found.push({ index, address, linkSpeed, receiveSideScaling });
  }
  return found;
}
