// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import { describeVolume, type VolumeFixture } from "../volume-contract.ts";

async function fixture(): Promise<VolumeFixture> {
  const root = mkdtempSync(join(tmpdir(), "tessera-posix-"));
  return {
    volume: await PosixVolume.open({ root }),
    dispose: () => rmSync(root, { recursive: true, force: true }),
  };
}

describeVolume("posix", fixture);
