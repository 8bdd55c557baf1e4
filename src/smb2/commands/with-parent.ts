// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import type { NtPath, Volume, VolumeFile } from "../../vfs/volume.ts";

/** Opens the directory that holds a name, for as long as `use` takes. `undefined` where there is none. */
export async function withParent<T>(
  volume: Volume,
  path: NtPath,
  use: (parent: VolumeFile) => Awaitable<T>,
): Promise<T | undefined> {
  const parent = await volume.open(path.slice(0, -1));
  if (parent === undefined) return undefined;
  try {
    return await use(parent.file);
  } finally {
    await parent.file.close();
  }
}
