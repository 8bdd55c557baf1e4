// SPDX-License-Identifier: Apache-2.0
/** Operations without much data by our own generator. */
import { join } from "node:path";
import { type Benchmark, type Group, ofOperations, type Prepared, type Target } from "../benchmark.ts";
import { Fleet } from "../load/fleet.ts";
import type { LoadSpec } from "../load/load-spec.ts";
import type { Protection } from "../load/protection.ts";
import type { Scale } from "../scale.ts";
import { freshFolder, manyFiles, smallFile } from "../share-files.ts";

const CONNECTIONS = 2;
const DEPTH = 8;
const SMALL = 4096;

const common = { unit: "1/s", better: "higher", cost: "1,000" } as const;

/** A load that can go on for ever. */
function steady(name: string, load: LoadSpec, scale: Scale, protection: Protection = "off"): Benchmark {
  return {
    ...common,
    name,
    setUp: async (target) => {
      smallFile(target.xfs, "small.txt");
      const fleet = await Fleet.connect(target.server, { connections: CONNECTIONS, protection });
      await fleet.prepare(load, DEPTH);
      return {
        measure: async () => ofOperations(await fleet.run(scale.seconds, scale.warmUp)),
        tearDown: () => fleet.close(),
      };
    },
  };
}

/** Files that are made, renamed and removed; one of the three is what is measured. */
function files(name: string, measured: "create" | "rename" | "remove", scale: Scale): Benchmark {
  return {
    ...common,
    name,
    setUp: async (target): Promise<Prepared> => {
      const folder = "files";
      freshFolder(join(target.xfs, folder));
      const fleet = await Fleet.connect(target.server, { connections: CONNECTIONS });
      const run = async (load: LoadSpec) => {
        await fleet.prepare(load, DEPTH);
        return fleet.count(scale.files);
      };
      return {
        measure: async () => {
          const created = await run({ operation: "create", folder, bytes: SMALL });
          const renamed = measured === "rename" ? await run({ operation: "rename", folder }) : undefined;
          const removed = await run({ operation: "remove", folder, renamed: renamed !== undefined });
          return ofOperations(measured === "create" ? created : (renamed ?? removed));
        },
        tearDown: () => fleet.close(),
      };
    },
  };
}

function listing(scale: Scale): Benchmark {
  return {
    ...common,
    name: `list ${scale.listed.toLocaleString("en-US")} names with attributes, entries`,
    setUp: async (target: Target) => {
      manyFiles(join(target.xfs, "listed"), scale.listed);
      const fleet = await Fleet.connect(target.server, { connections: 1 });
      await fleet.prepare({ operation: "list", folder: "listed", bytes: 65_536 });
      return {
        measure: async () => {
          await fleet.prepare({ operation: "list", folder: "listed", bytes: 65_536 });
          return ofOperations(await fleet.count(1));
        },
        tearDown: () => fleet.close(),
      };
    },
  };
}

export const small: Group = {
  name: "small",
  about: `echo, open, stat, create, rename, delete, list: ${CONNECTIONS} connections with ${DEPTH} operations under way each`,
  benchmarks: (scale) => [
    steady("echo", { operation: "echo" }, scale),
    steady("echo, GMAC", { operation: "echo" }, scale, "gmac"),
    steady("echo, AES-128-GCM", { operation: "echo" }, scale, "gcm-128"),
    steady("open and close", { operation: "open", path: "small.txt" }, scale),
    steady("open and close, GMAC", { operation: "open", path: "small.txt" }, scale, "gmac"),
    steady("attributes by path (compound)", { operation: "stat", path: "small.txt" }, scale),
    files("create, write 4 KiB, close", "create", scale),
    files("rename (compound)", "rename", scale),
    files("delete (compound)", "remove", scale),
    listing(scale),
  ],
};
