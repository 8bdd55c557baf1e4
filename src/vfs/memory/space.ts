// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";

/** Counts what a volume holds against its capacity. All numbers are bytes. */
export class Space {
  readonly capacity: number;
  #used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get free(): number {
    return this.capacity - this.#used;
  }

  /** Takes `bytes`, or gives them back where negative. @throws SmbError DISK_FULL: nothing is taken */
  take(bytes: number): void {
    if (bytes > this.free) throw new SmbError(NtStatus.DISK_FULL);
    this.#used += bytes;
  }
}
