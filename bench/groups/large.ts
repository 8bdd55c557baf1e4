// SPDX-License-Identifier: Apache-2.0
/** Reads and writes of long files by our own generator. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeRandomFile } from "../../conformance/lib/temp.ts";
import { type Benchmark, type Group, ofBytes, type Target } from "../benchmark.ts";
import { limitName } from "../limits.ts";
import { Fleet } from "../load/fleet.ts";
import type { Protection } from "../load/protection.ts";
import type { Scale } from "../scale.ts";
import { openToAll } from "../share-files.ts";

type Direction = "read" | "write" | "mixed";

interface Case {
  readonly direction: Direction;
  readonly protection: Protection;
  readonly connections: number;
  readonly bytes: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;
/** Bytes that a connection has under way, within this number of requests. */
const UNDER_WAY = 8 * MiB;
const MOST_REQUESTS = 16;

const titles = { read: "get", write: "put", mixed: "get and put" } as const;
const protectionNames: Readonly<Record<Protection, string>> = {
  off: "unprotected",
  gmac: "GMAC",
  cmac: "CMAC",
  "gcm-128": "AES-128-GCM",
  "gcm-256": "AES-256-GCM",
};

const size = (bytes: number) => (bytes >= MiB ? `${bytes / MiB} MiB` : `${bytes / KiB} KiB`);

function nameOf({ direction, protection, connections, bytes }: Case): string {
  const clients = connections === 1 ? "1 connection" : `${connections} connections`;
  return `${titles[direction]}, ${protectionNames[protection]}, ${size(bytes)}, ${clients}`;
}

async function prepareFiles({ xfs }: Target, connections: number, bytes: number): Promise<void> {
  for (let client = 0; client < connections; client += 1) {
    const file = join(xfs, `stream-${client}`);
    if (!existsSync(file)) await writeRandomFile(file, bytes);
    openToAll(file);
  }
}

function benchmark(which: Case, scale: Scale): Benchmark {
  const { direction, protection, connections, bytes } = which;
  const depth = Math.max(2, Math.min(MOST_REQUESTS, UNDER_WAY / bytes / (connections > 1 ? 4 : 1)));
  return {
    name: nameOf(which),
    unit: "MB/s",
    better: "higher",
    cost: "GiB",
    limit: limitName(protection),
    setUp: async (target) => {
      await prepareFiles(target, connections, scale.span);
      const fleet = await Fleet.connect(target.server, { connections, protection });
      await fleet.prepare({ operation: direction, file: "stream", bytes, span: scale.span }, depth);
      return {
        measure: async () => ofBytes(await fleet.run(scale.seconds, scale.warmUp)),
        tearDown: () => fleet.close(),
      };
    },
  };
}

function cases(): Case[] {
  const list: Case[] = [];
  const directions = ["read", "write", "mixed"] as const;
  for (const protection of ["off", "gmac", "gcm-128", "gcm-256"] as const) {
    for (const direction of directions) {
      for (const connections of [1, 8]) list.push({ direction, protection, connections, bytes: MiB });
    }
  }
  for (const bytes of [64 * KiB, 8 * MiB]) {
    for (const protection of ["off", "gmac", "gcm-128"] as const) {
      for (const direction of ["read", "write"] as const) list.push({ direction, protection, connections: 1, bytes });
    }
  }
  // What clients before Windows 11 and Linux before 5.15 sign with.
  for (const direction of ["read", "write"] as const) {
    list.push({ direction, protection: "cmac", connections: 1, bytes: MiB });
  }
  return list;
}

export const large: Group = {
  name: "large",
  about: "get, put and both, 64 KiB to 8 MiB in a request, by protection and connections",
  benchmarks: (scale) => cases().map((which) => benchmark(which, scale)),
};
