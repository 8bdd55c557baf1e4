// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { NetworkInterface } from "../smb2/server-context.ts";
import type { HostPort } from "./config/units.ts";
import { plainAddress } from "./tcp-transport.ts";

const MEGABIT = 1_000_000n;

/** Bits per second told where the system does not know, as for virtual interfaces. */
const UNKNOWN_SPEED = 1000n * MEGABIT;

function sysfsNumber(name: string, attribute: string): number | undefined {
  try {
    const value = Number(readFileSync(`/sys/class/net/${name}/${attribute}`, "latin1"));
    return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  } catch {
    // The interface has just gone, or keeps that to itself (EINVAL of `speed` without a link).
    return undefined;
  }
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
        address,
        family,
        linkSpeed: speed === undefined ? UNKNOWN_SPEED : BigInt(speed) * MEGABIT,
        receiveSideScaling: false,
      });
    }
  }
  return found;
}
