// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PosixVolume, type PosixVolumeOptions } from "../../../src/vfs/posix/volume.ts";
import { describeVolume, type VolumeFixture } from "../volume-contract.ts";

const TMPFS_MAGIC = 0x01021994;

function fixture(parent: string, options: Partial<PosixVolumeOptions> = {}): () => Promise<VolumeFixture> {
  return async () => {
    const root = mkdtempSync(join(parent, "tessera-posix-"));
    return {
      volume: await PosixVolume.open({ ...options, root }),
      dispose: () => rmSync(root, { recursive: true, force: true }),
    };
  };
}

function isTmpfs(path: string): boolean {
  try {
    return statfsSync(path).type === TMPFS_MAGIC;
  } catch {
    return false;
  }
}

describeVolume("posix", fixture(tmpdir()));
describeVolume("posix without caches", fixture(tmpdir(), { nameCacheSize: 0, metadataCacheSize: 1 }));
if (isTmpfs("/dev/shm")) describeVolume("posix in memory", fixture("/dev/shm"));
