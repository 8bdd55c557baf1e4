// SPDX-License-Identifier: Apache-2.0

import { openNameless } from "./clone.ts";
import { check } from "./errno.ts";
import { changeFlags } from "./native/data.ts";
import { close } from "./native/files.ts";
import { statOpen } from "./native/stat.ts";

const BTRFS_MAGIC = 0x9123683e;
const FS_COMPR_FL = 0x4;
const FS_NOCOMP_FL = 0x400;

/** @param fd a descriptor that is not O_PATH @throws what the file system says */
export function setCompressed(fd: number, compressed: boolean): void {
  check(changeFlags(fd, FS_NOCOMP_FL | FS_COMPR_FL, compressed ? FS_COMPR_FL : 0), "FS_IOC_SETFLAGS");
}

/** Tries whether the files of a directory can be compressed. ext4 takes the flag too, but compresses nothing. */
export function canCompress(directory: number, fileSystemType: number): boolean {
  if (fileSystemType !== BTRFS_MAGIC) return false;
  const fd = openNameless(directory);
  if (fd < 0) return false;
  try {
    if (changeFlags(fd, 0, FS_COMPR_FL) < 0) return false;
    const stat = statOpen(fd);
    return typeof stat !== "number" && stat.compressed;
  } finally {
    close(fd);
  }
}
