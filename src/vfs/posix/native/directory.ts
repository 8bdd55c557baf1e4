// SPDX-License-Identifier: Apache-2.0

/** getdents64(2): the names of a directory, a buffer at a time. */

import { addressOf, bind, outcome } from "../../../native/ffi.ts";
import { Errno } from "../errno.ts";
import { decodeStored } from "./path.ts";
import { systemCallNumber } from "./system-calls.ts";

/** d_type values. */
export const EntryType = { UNKNOWN: 0, DIRECTORY: 4, REGULAR: 8, LINK: 10 } as const;

const getdents64 = bind<[number, number, number, number]>("syscall", "int64", ["int64", "int", "address", "int64"]);
const GETDENTS64 = systemCallNumber("getdents64");
const DOT = 0x2e;

/** Reads a directory through a descriptor of its own, whose position it moves. */
export class DirectoryReader {
  readonly #fd: number;
  readonly #buffer: Buffer;
  readonly #address: number;
  #offset = 0;
  #filled = 0;
  #end = false;
  /** Type of the entry that {@link next} returned last: one of {@link EntryType} or another d_type. */
  type = 0;
  #entry = 0;

  /** @param bufferSize bytes asked for at a time */
  constructor(fd: number, bufferSize = 32 * 1024) {
    this.#fd = fd;
    this.#buffer = Buffer.allocUnsafeSlow(bufferSize);
    this.#address = addressOf(this.#buffer);
  }

  /** Inode number of the entry that {@link next} returned last. */
  get inode(): bigint {
    return this.#buffer.readBigUInt64LE(this.#entry);
  }

  /** The next stored name, `undefined` at the end, a negated error number on failure. "." and ".." are left out. */
  next(): string | undefined | number {
    for (;;) {
      if (this.#offset >= this.#filled) {
        if (this.#end) return undefined;
        const read = outcome(getdents64(GETDENTS64, this.#fd, this.#address, this.#buffer.length));
        if (read < 0 && read !== -Errno.ENOENT) return read;
        // A directory that was removed while it was open has no entries: ENOENT.
        if (read <= 0) {
          this.#end = true;
          return undefined;
        }
        this.#offset = 0;
        this.#filled = read;
      }
      const buffer = this.#buffer;
      const start = this.#offset;
      this.#entry = start;
      const length = buffer.readUInt16LE(start + 16);
      this.#offset = start + length;
      const name = start + 19;
      const first = buffer[name];
      if (first === DOT) {
        const second = buffer[name + 1];
        if (second === 0 || (second === DOT && buffer[name + 2] === 0)) continue;
      }
      this.type = buffer[start + 18] ?? EntryType.UNKNOWN;
      return decodeStored(buffer, name, buffer.indexOf(0, name));
    }
  }
}
