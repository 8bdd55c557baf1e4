// SPDX-License-Identifier: Apache-2.0
/** How a file lies on the disk, by FIEMAP: which of its blocks it shares with other files. */
import { must } from "./process.ts";

export interface Extent {
  /** Blocks of the file system. */
  readonly physical: number;
  readonly length: number;
  readonly shared: boolean;
}

/** The extents of a file, after it has been written out. */
export async function extentsOf(path: string): Promise<Extent[]> {
  const { stdout } = await must("filefrag", ["-s", "-v", path]);
  const line = /^\s*\d+:\s*\d+\.\.\s*\d+:\s*(\d+)\.\.\s*\d+:\s*(\d+):(?:\s*\d+:)?\s*(\S*)$/gm;
  return [...stdout.matchAll(line)].map(([, physical, length, flags = ""]) => ({
    physical: Number(physical),
    length: Number(length),
    shared: flags.split(",").includes("shared"),
  }));
}

/** True where both files lie in the same blocks, all of them. */
export async function shareAllBlocks(one: string, other: string): Promise<boolean> {
  const extents = await extentsOf(one);
  const blocks = (list: readonly Extent[]) => list.reduce((sum, { length }) => sum + length, 0);
  const where = (list: readonly Extent[]) => list.map(({ physical, length }) => `${physical}+${length}`).join();
  return (
    blocks(extents) > 0 && extents.every(({ shared }) => shared) && where(extents) === where(await extentsOf(other))
  );
}
