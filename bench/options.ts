// SPDX-License-Identifier: Apache-2.0
/** The command line of `npm run bench`. */
import { freemem, tmpdir } from "node:os";
import { parseArgs } from "node:util";
import type { ServerKind } from "../conformance/lib/server.ts";
import { fullScale, type Scale, shortScale } from "./scale.ts";

export const usage = `usage: npm run bench -- [OPTIONS] [GROUP ...]

Measures Samba and Tessera in turn, or the named groups of measurements only.

  --list            the groups and their measurements
  --only TEXT       measurements whose name holds TEXT
  --runs N          rounds of each measurement (5)
  --seconds S       of each rate (1)
  --short           everything once and small: does it work?
  --server KIND     samba or tessera alone
  --json FILE       where every number goes (bench/results.json)
  --profile FOLDER  a CPU profile of Tessera for each measurement; what it costs is in the numbers
  --images FOLDER   where the images of the file systems lie (/dev/shm, so that no disk takes part, where memory is free for it)
`;

/** Bytes of free memory that images in memory need. A machine that runs out of it measures nothing but that. */
const MEMORY_FOR_IMAGES = { full: 8 * 1024 ** 3, short: 2 * 1024 ** 3 };

const imagesFolder = (short: boolean) =>
  freemem() > MEMORY_FOR_IMAGES[short ? "short" : "full"] ? "/dev/shm" : tmpdir();

export interface Options {
  readonly groups: readonly string[];
  readonly list: boolean;
  readonly only: string;
  readonly scale: Scale;
  readonly short: boolean;
  readonly kinds: readonly ServerKind[];
  readonly json: string;
  readonly profile: string | undefined;
  readonly images: string;
}

/** @returns undefined where the usage has to be shown */
export function readOptions(groupNames: readonly string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      list: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      runs: { type: "string" },
      seconds: { type: "string" },
      short: { type: "boolean", default: false },
      server: { type: "string" },
      json: { type: "string", default: "bench/results.json" },
      profile: { type: "string" },
      images: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const base = values.short ? shortScale : fullScale;
  const scale = {
    ...base,
    rounds: Number(values.runs ?? base.rounds),
    seconds: Number(values.seconds ?? base.seconds),
  };
  const { server } = values;
  const wrong =
    positionals.some((name) => !groupNames.includes(name)) ||
    !Number.isInteger(scale.rounds) ||
    scale.rounds < 1 ||
    !(scale.seconds > 0) ||
    (server !== undefined && server !== "samba" && server !== "tessera");
  if (values.help || wrong) return undefined;
  return {
    groups: positionals.length === 0 ? groupNames : positionals,
    list: values.list,
    only: values.only,
    scale,
    short: values.short,
    kinds: server === undefined ? ["samba", "tessera"] : [server],
    json: values.json,
    profile: values.profile,
    images: values.images ?? imagesFolder(values.short),
  };
}
