// SPDX-License-Identifier: Apache-2.0
/** The blocks of a logical unit, in a sparse file. All calls are synchronous: no command sees half of another. */
import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { extentAt, punchHole } from "./sparse.ts";

/** Told before bytes change, so that old ones can be kept. */
export interface Watcher {
  beforeChange(offset: number, length: number): void;
}

/** Bytes that one write of zeros covers where holes cannot be punched. */
const zeroPiece = Buffer.alloc(1024 * 1024);

export class Medium {
  readonly path: string;
  /** Bytes of a logical block: 512 or 4096. */
  readonly blockBytes: number;
  readonly #fd: number;
  readonly #watchers = new Set<Watcher>();
  #size: number;

  /**
   * Opens the file, or makes it.
   *
   * @param size bytes; an existing file grows to it, and 0 takes the file as it is. Rounded down to whole blocks.
   */
  constructor(path: string, size: number, blockBytes: number) {
    this.path = path;
    this.blockBytes = blockBytes;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const existing = fstatSync(this.#fd).size;
    const wanted = size === 0 ? existing : size;
    if (wanted > existing) ftruncateSync(this.#fd, wanted);
    this.#size = wanted - (wanted % blockBytes);
  }

  get blocks(): number {
    return this.#size / this.blockBytes;
  }

  get size(): number {
    return this.#size;
  }

  /** Grows or shrinks; what lay beyond a smaller size is gone. */
  resize(size: number): void {
    if (size < this.#size) this.#announce(size, this.#size - size);
    ftruncateSync(this.#fd, size);
    this.#size = size - (size % this.blockBytes);
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Reads `length` bytes at `offset` into a new buffer, or into `target`. */
  read(offset: number, length: number, target: Buffer = Buffer.allocUnsafe(length)): Buffer {
    let done = 0;
    while (done < length) {
      const count = readSync(this.#fd, target, done, length - done, offset + done);
      if (count === 0) throw new Error(`${this.path} is shorter than its unit`);
      done += count;
    }
    return target;
  }

  write(offset: number, data: Buffer): void {
    if (data.length === 0) return;
    this.#announce(offset, data.length);
    for (let done = 0; done < data.length; ) done += writeSync(this.#fd, data, done, data.length - done, offset + done);
  }

  /** Makes the bytes zero and, where the file system can, gives the space back. */
  deallocate(offset: number, length: number): void {
    if (length === 0) return;
    this.#announce(offset, length);
    if (punchHole(this.#fd, offset, length)) return;
    for (let done = 0; done < length; ) {
      done += writeSync(this.#fd, zeroPiece, 0, Math.min(length - done, zeroPiece.length), offset + done);
    }
  }

  /** Whether the bytes from `offset` on have space, and up to where that is so. */
  extent(offset: number): { readonly data: boolean; readonly end: number } {
    return extentAt(this.#fd, offset, this.#size);
  }

  /** Everything written so far survives the loss of the machine. */
  synchronize(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): void {
    closeSync(this.#fd);
  }

  #announce(offset: number, length: number): void {
    for (const watcher of this.#watchers) watcher.beforeChange(offset, length);
  }
}
