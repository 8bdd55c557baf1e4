// SPDX-License-Identifier: Apache-2.0
/** A tree of small files, copied with rclone. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must } from "../../conformance/lib/process.ts";
import { cpuSeconds, type RunningServer } from "../../conformance/lib/server.ts";
import type { Benchmark, Group, Sample, Target } from "../benchmark.ts";
import type { Scale } from "../scale.ts";
import { freshFolder } from "../share-files.ts";

const FILES_IN_FOLDER = 100;
const TIMEOUT = 900_000;

async function connected(server: RunningServer, folder: string) {
  const config = join(folder, "rclone.conf");
  writeFileSync(config, "");
  const env = {
    RCLONE_CONFIG: config,
    RCLONE_CONFIG_NAS_TYPE: "smb",
    RCLONE_CONFIG_NAS_HOST: "127.0.0.1",
    RCLONE_CONFIG_NAS_PORT: String(server.port),
    RCLONE_CONFIG_NAS_USER: server.account.name,
    RCLONE_CONFIG_NAS_PASS: (await must("rclone", ["obscure", server.account.password])).stdout.trim(),
    RCLONE_RETRIES: "1",
  };
  return (...args: string[]) => must("rclone", args, { env, timeout: TIMEOUT });
}

/** Sizes from nothing to 8 KiB. */
function makeTree(folder: string, files: number): void {
  if (existsSync(folder)) return;
  for (let index = 0; index < files; index += 1) {
    const inner = join(folder, `folder-${Math.floor(index / FILES_IN_FOLDER)}`);
    if (index % FILES_IN_FOLDER === 0) mkdirSync(inner, { recursive: true });
    writeFileSync(join(inner, `document-${index}.txt`), Buffer.alloc((index * 37) % 8192, `${index} `));
  }
}

function copy(direction: "to" | "from", { treeFiles }: Scale): Benchmark {
  return {
    name: `rclone: copy a tree of ${treeFiles.toLocaleString("en-US")} small files ${direction} the server`,
    unit: "1/s",
    better: "higher",
    cost: "1,000",
    setUp: async (target: Target) => {
      const rclone = await connected(target.server, target.client);
      const tree = join(target.client, "tree");
      makeTree(tree, treeFiles);
      if (direction === "from") {
        freshFolder(join(target.xfs, "tree"));
        await rclone("copy", tree, "nas:xfs/tree");
      }
      const [source, copied] =
        direction === "to" ? [tree, "nas:xfs/copied"] : ["nas:xfs/tree", join(target.client, "copied")];
      return {
        measure: async (): Promise<Sample> => {
          freshFolder(direction === "to" ? join(target.xfs, "copied") : copied);
          const cpu = cpuSeconds(target.server.pid);
          const { elapsed } = await rclone("copy", source, copied);
          const cost = ((cpuSeconds(target.server.pid) - cpu) / treeFiles) * 1000;
          return { value: treeFiles / (elapsed / 1000), cost };
        },
      };
    },
  };
}

export const rclone: Group = {
  name: "rclone",
  about: "a tree of small files, copied with rclone's four connections",
  tools: ["rclone"],
  benchmarks: (scale) => [copy("to", scale), copy("from", scale)],
};
