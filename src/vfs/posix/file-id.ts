// SPDX-License-Identifier: Apache-2.0

import type { Statx } from "./native/stat.ts";

/** Identity of a file as a key for tables: cheap to compare, the same whenever {@link fileIdOf} is the same. */
export type FileKey = number | bigint;

/**
 * Makes file ids of inode numbers. Files of the share's own device keep their inode number; those of devices mounted
 * below it get the device mixed in, in a range of their own, so that ids are unique in the volume and stable.
 */
export class FileIds {
  readonly #major: number;
  readonly #minor: number;

  constructor(root: Statx) {
    this.#major = root.deviceMajor;
    this.#minor = root.deviceMinor;
  }

  isRootDevice(stat: Statx): boolean {
    return stat.deviceMajor === this.#major && stat.deviceMinor === this.#minor;
  }

  keyOf(stat: Statx): FileKey {
    if (this.isRootDevice(stat)) return stat.inode;
    const device = (BigInt(stat.deviceMajor) * 0x9e3779b1n + BigInt(stat.deviceMinor) * 0x85ebca6bn) & 0x7fffffn;
    return BigInt.asUintN(64, (1n << 63n) | ((device << 40n) ^ BigInt(stat.inode)));
  }
}

export function fileIdOf(key: FileKey): bigint {
  return typeof key === "bigint" ? key : BigInt(key);
}
