// SPDX-License-Identifier: Apache-2.0
/** A file without a name, for blocks that are kept: gone with the process. */
import { randomUUID } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";

export class SpillFile {
  readonly #fd: number;

  /** Lies on the file system of `besides`; reads as zeros where nothing was written. */
  constructor(besides: string, size: number) {
    const path = `${besides}.${randomUUID()}.kept`;
    this.#fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    ftruncateSync(this.#fd, size);
  }

  read(offset: number, target: Buffer): void {
    for (let done = 0; done < target.length; ) {
      const count = readSync(this.#fd, target, done, target.length - done, offset + done);
      if (count === 0) throw new Error("a spill file is shorter than it was made");
      done += count;
    }
  }

  write(offset: number, data: Buffer): void {
    for (let done = 0; done < data.length; ) done += writeSync(this.#fd, data, done, data.length - done, offset + done);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
