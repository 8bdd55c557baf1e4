// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileTimeFromMilliseconds } from "../../../src/nt/filetime.ts";
import { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import { type FormatOptions, formatArrayVolume } from "../../../src/vfs/array/format.ts";
import type { MountOptions } from "../../../src/vfs/array/mount.ts";
import { MemoryArray, MemoryUnit } from "../../support/memory-array.ts";

export const silent = { info: () => {}, warn: () => {}, error: () => {} };

export const MEBIBYTE = 1024 * 1024;

/** A formatted volume on units in memory, with its catalogue in a folder of its own. */
export class ArrayFixture {
  readonly folder: string;
  readonly units: readonly MemoryUnit[];

  private constructor(folder: string, units: readonly MemoryUnit[]) {
    this.folder = folder;
    this.units = units;
  }

  static async make({
    luns = 2,
    size = 64 * MEBIBYTE,
    blockSize = 512,
    array = new MemoryArray(),
    ...format
  }: {
    luns?: number;
    size?: number;
    blockSize?: number;
    array?: MemoryArray;
  } & Partial<Omit<FormatOptions, "luns">> = {}): Promise<ArrayFixture> {
    const folder = await mkdtemp(join(tmpdir(), "tessera-array-"));
    const units = Array.from({ length: luns }, (_, index) => {
      return new MemoryUnit({ name: `naa.600000000000000${index}`, size, blockSize, array });
    });
    const fixture = new ArrayFixture(folder, units);
    await formatArrayVolume({
      catalogue: folder,
      luns: units,
      label: "Array",
      now: fileTimeFromMilliseconds(Date.now()),
      volumeId: randomBytes(16),
      // Units in memory begin with something that is no zero.
      force: true,
      ...format,
    });
    return fixture;
  }

  open(options: Partial<MountOptions> = {}): Promise<ArrayVolume> {
    return ArrayVolume.open({ catalogue: this.folder, luns: this.units, log: silent, patience: 100, ...options });
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
