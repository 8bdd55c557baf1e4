// SPDX-License-Identifier: Apache-2.0
/** Where `npm run bench:offload` copies: file systems with files of all sizes, each with a folder for either server. */
import { linkSync, mkdirSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type FileSystem, mountImage } from "../conformance/lib/image.ts";
import { attemptSync, must, onExit } from "../conformance/lib/process.ts";
import type { ServerKind } from "../conformance/lib/server.ts";
import { writeRandomFile } from "../conformance/lib/temp.ts";

const KiB = 1024;
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

export const KINDS: readonly ServerKind[] = ["samba", "tessera"];
export const fileSystems = ["xfs", "btrfs", "ext4", "tmpfs"] as const;
export type PlaceName = (typeof fileSystems)[number];

/** How the tables call them. */
export const titles: Readonly<Record<PlaceName, string>> = { xfs: "XFS", btrfs: "btrfs", ext4: "ext4", tmpfs: "tmpfs" };

export interface Size {
  /** How the command line calls it. */
  readonly key: string;
  readonly name: string;
  readonly bytes: number;
  /** Nothing but holes, and 1 MiB of data in each GiB. */
  readonly sparse: boolean;
  /** Copies in one measurement, where blocks are shared and where they are not: a single one may be over too soon to be timed. */
  readonly copies: { readonly shared: number; readonly moved: number };
}

export const sizes: readonly Size[] = [
  { key: "1M", name: "1 MiB", bytes: MiB, sparse: false, copies: { shared: 64, moved: 64 } },
  { key: "1G", name: "1 GiB", bytes: GiB, sparse: false, copies: { shared: 8, moved: 1 } },
  { key: "4G", name: "4 GiB", bytes: 4 * GiB, sparse: false, copies: { shared: 8, moved: 1 } },
  { key: "64G", name: "64 GiB, sparse", bytes: 64 * GiB, sparse: true, copies: { shared: 2, moved: 2 } },
];

export interface Place {
  readonly fileSystem: PlaceName;
  readonly path: string;
  readonly unmount: () => Promise<void>;
}

/** Files share blocks there. */
export const shares = (fileSystem: PlaceName): boolean => fileSystem === "xfs" || fileSystem === "btrfs";

export const sourceName = ({ bytes }: Size): string => `source-${bytes / KiB}`;

async function mountTmpfs(folder: string, sizeMiB: number): Promise<{ path: string; unmount: () => Promise<void> }> {
  const path = join(folder, "tmpfs");
  mkdirSync(path);
  await must("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m`, "tessera-bench", path]);
  const unmount = () => attemptSync("umount", ["--lazy", path]);
  const release = onExit(unmount);
  return {
    path,
    unmount: async () => {
      release();
      unmount();
    },
  };
}

async function writeSource(path: string, { bytes, sparse }: Size): Promise<void> {
  if (!sparse) return writeRandomFile(path, bytes);
  await writeRandomFile(path, MiB);
  const file: FileHandle = await open(path, "r+");
  try {
    const data = Buffer.alloc(MiB);
    await file.read(data, 0, MiB, 0);
    for (let at = GiB; at < bytes; at += GiB) await file.write(data, 0, MiB, at);
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
}

/** A file system with a source of each size in a folder for each server. */
export async function preparePlace(fileSystem: PlaceName, folder: string, wanted: readonly Size[]): Promise<Place> {
  const data = wanted.reduce((sum, { bytes, sparse }) => sum + (sparse ? bytes / 1024 : bytes), 0);
  // The sources, the copies, and what the file system needs for itself.
  const sizeMiB = Math.ceil(((shares(fileSystem) ? 1 : 2) * data * 1.15) / MiB) + 1024;
  const mounted =
    fileSystem === "tmpfs"
      ? await mountTmpfs(folder, sizeMiB)
      : await mountImage(fileSystem satisfies FileSystem, folder, sizeMiB);
  for (const kind of KINDS) mkdirSync(join(mounted.path, kind));
  for (const size of wanted) {
    const [first, ...others] = KINDS.map((kind) => join(mounted.path, kind, sourceName(size)));
    if (first === undefined) continue;
    await writeSource(first, size);
    await must("chmod", ["666", first]);
    // Both servers copy the very same data: from files of their own that share them, or else from one file.
    for (const other of others) {
      if (shares(fileSystem)) await must("cp", ["-p", "--reflink=always", first, other]);
      else linkSync(first, other);
    }
  }
  return { fileSystem, ...mounted };
}
