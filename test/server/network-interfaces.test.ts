// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { type NetworkSystem, reachableInterfaces } from "../../src/server/network-interfaces.ts";

const speeds: Readonly<Record<string, number>> = { eth0: 25_000, eth1: 1000 };

const system: NetworkSystem = {
  addresses: () => ({
    lo: [
      { address: "127.0.0.1", family: "IPv4", internal: true },
      { address: "::1", family: "IPv6", internal: true },
    ],
    eth0: [
      { address: "192.0.2.7", family: "IPv4", internal: false },
      { address: "2001:db8::7", family: "IPv6", internal: false },
      { address: "fe80::1", family: "IPv6", internal: false },
    ],
    eth1: [{ address: "198.51.100.7", family: "IPv4", internal: false }],
    tun0: [
      { address: "203.0.113.7", family: "IPv4", internal: false },
      { address: "169.254.3.4", family: "IPv4", internal: false },
    ],
  }),
  number: (name, attribute) => (attribute === "speed" ? speeds[name] : name === "eth0" ? 2 : 3),
  receiveQueues: (name) => (name === "eth0" ? 8 : 1),
};

const told = (...hosts: string[]) =>
  reachableInterfaces(
    hosts.map((host) => ({ host, port: 445 })),
    system,
  ).map(({ address, linkSpeed, receiveSideScaling, index }) => {
    return `${index} ${address.toString("hex")} ${linkSpeed / 1e6}${receiveSideScaling ? " RSS" : ""}`;
  });

describe("the interfaces that clients are told of", () => {
  it("are all, with their speeds, where the server listens everywhere", () => {
    const v4 = ["2 c0000207 25000 RSS", "3 c6336407 1000", "3 cb007107 1000"];
    expect(told("0.0.0.0")).toEqual(v4);
    expect(told("::").sort()).toEqual([...v4, "2 20010db8000000000000000000000007 25000 RSS"].sort());
  });

  it("are only those it listens on", () => {
    expect(told("198.51.100.7")).toEqual(["3 c6336407 1000"]);
    expect(told("127.0.0.1", "2001:db8::7")).toEqual([
      "3 7f000001 1000",
      "2 20010db8000000000000000000000007 25000 RSS",
    ]);
  });

  it("are read from the system", () => {
    expect(reachableInterfaces([{ host: "127.0.0.1", port: 445 }])).toMatchObject([
      { index: 1, address: Buffer.from([127, 0, 0, 1]), receiveSideScaling: false },
    ]);
  });
});
