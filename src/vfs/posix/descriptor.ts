// SPDX-License-Identifier: Apache-2.0

import { Errno, errnoError } from "./errno.ts";
import { close, OpenFlag, reopen } from "./native/files.ts";

/**
 * The descriptors of one open file: the one it was opened by, which holds the file, and one for its data, opened when
 * data are first touched. Closed when the file, its streams and every call under way have let go.
 */
export class Descriptor {
  /** Holds the file: O_PATH, or the data descriptor of a file just created. */
  readonly handle: number;
  #data: number;
  #writable: boolean;
  #references = 1;
  #writeError = 0;

  /** @param data a descriptor open for reading and writing that may be `handle` itself, -1 for none yet */
  constructor(handle: number, data = -1) {
    this.handle = handle;
    this.#data = data;
    this.#writable = data >= 0;
  }

  hold(): void {
    this.#references++;
  }

  release(): void {
    if (--this.#references > 0) return;
    if (this.#data >= 0 && this.#data !== this.handle) close(this.#data);
    this.#data = -1;
    close(this.handle);
  }

  /** A descriptor to read data by. */
  forReading(): number {
    return this.#data >= 0 ? this.#data : this.#open();
  }

  /** A descriptor to write data by. @throws ACCESS_DENIED, MEDIA_WRITE_PROTECTED, … as opening for writing failed */
  forWriting(): number {
    if (this.#data < 0) this.#open();
    if (!this.#writable) throw errnoError(this.#writeError, "open for writing");
    return this.#data;
  }

  #open(): number {
    let fd = reopen(this.handle, OpenFlag.RDWR);
    this.#writable = fd >= 0;
    if (fd < 0) {
      this.#writeError = -fd;
      const mayRead = [Errno.EACCES, Errno.EPERM, Errno.EROFS, Errno.ETXTBSY].some((errno) => errno === -fd);
      if (mayRead) fd = reopen(this.handle, OpenFlag.RDONLY);
      if (fd < 0) throw errnoError(-fd, "open");
    }
    this.#data = fd;
    return fd;
  }
}
