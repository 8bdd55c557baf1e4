// SPDX-License-Identifier: Apache-2.0
/** File systems in loop-mounted images: XFS with reflinks, btrfs, ext4. Needs root. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attemptSync, must, onExit } from "./process.ts";

export type FileSystem = "xfs" | "btrfs" | "ext4";

export interface Image {
  /** The mount point. */
  readonly path: string;
  readonly unmount: () => Promise<void>;
}

const makers: Readonly<Record<FileSystem, readonly [string, ...string[]]>> = {
  xfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
  btrfs: ["mkfs.btrfs", "-q"],
  ext4: ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0"],
};

/** Makes a sparse image of `sizeMiB` in `folder`, formats it and mounts it on `folder/FILESYSTEM`. */
export async function mountImage(fileSystem: FileSystem, folder: string, sizeMiB: number): Promise<Image> {
  if (process.getuid?.() !== 0) throw new Error(`mounting a ${fileSystem} image needs root`);
  const file = join(folder, `${fileSystem}.img`);
  const path = join(folder, fileSystem);
  writeFileSync(file, "");
  truncateSync(file, sizeMiB * 1024 * 1024);
  mkdirSync(path, { recursive: true });
  const [command, ...options] = makers[fileSystem];
  await must(command, [...options, file]);
  await must("mount", ["-o", "loop", file, path]);
  const release = onExit(() => attemptSync("umount", ["--lazy", path]));
  return {
    path,
    unmount: async () => {
      release();
      attemptSync("umount", ["--lazy", path]);
      rmSync(file, { force: true });
    },
  };
}
