// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { NetworkInterface } from "../smb2/server-context.ts";
import type { HostPort } from "./config/units.ts";
import { plainAddress } from "./tcp-transport.ts";

const MEGABIT = 1_000_000;

/** Bits per second told where the system does not know, as for virtual interfaces. */
const UNKNOWN_SPEED = 1000 * MEGABIT;

function sysfsNumber(name: string, attribute: string): number | undefined {
  try {
    const value = Number(readFileSync(`/sys/class/net/${name}/${attribute}`, "latin1"));
    return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  } catch {
    // The interface has just gone, or keeps that to itself (EINVAL of `speed` without a link).
    return undefined;
  }
}

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

/** The addresses of this machine on which clients reach the server, given what it listens on. */
export function reachableInterfaces(listening: readonly HostPort[]): readonly NetworkInterface[] {
  const hosts = new Set(listening.map(({ host }) => plainAddress(host)));
  const every = { IPv4: hosts.has("0.0.0.0") || hosts.has("::"), IPv6: hosts.has("::") };
  const found: NetworkInterface[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const reachable = (addresses ?? []).filter(
      ({ address, family, internal }) => hosts.has(address) || (every[family] && !internal),
    );
    if (reachable.length === 0) {
      continue;
    }
    const index = sysfsNumber(name, "ifindex") ?? found.length + 1;
    const speed = sysfsNumber(name, "speed");
    for (const { address, family } of reachable) {
      found.push({
        index,
        address: family === "IPv4" ? ipv4Bytes(address) : ipv6Bytes(address),
        linkSpeed: speed === undefined ? UNKNOWN_SPEED : speed * MEGABIT,
        receiveSideScaling: false,
      });
    }
  }
  return found;
}
