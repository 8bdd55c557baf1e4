// SPDX-License-Identifier: Apache-2.0

/** inotify(7): what happens to files and directories, whoever does it. */

import { addressOf, bind, outcome } from "../../../native/ffi.ts";
import { Errno } from "../errno.ts";
import { close } from "./files.ts";
import { decodeStored, PathArgument } from "./path.ts";

/** Bits of `mask`: events that can be asked for, and what the kernel adds to them. */
export const InotifyMask = {
  MODIFY: 0x2,
  ATTRIB: 0x4,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  UNMOUNT: 0x2000,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ONLYDIR: 0x01000000,
  EXCL_UNLINK: 0x04000000,
  ISDIR: 0x40000000,
} as const;

export interface InotifyEvent {
  /** Watch descriptor; -1 for an overflow. */
  readonly wd: number;
  /** {@link InotifyMask} bits. */
  readonly mask: number;
  /** Ties the two events of a rename together. */
  readonly cookie: number;
  /** Stored name in the watched directory, "" where the event is about the watched file itself. */
  readonly name: string;
}

/** Bytes of wd, mask, cookie and len of struct inotify_event. */
const EVENT_SIZE = 16;
const BUFFER_SIZE = 64 * 1024;
const CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;

const inotifyInit1 = bind<[number]>("inotify_init1", "int", ["int"]);
const inotifyAddWatch = bind<[number, number, number]>("inotify_add_watch", "int", ["int", "address", "uint32"]);
const inotifyRmWatch = bind<[number, number]>("inotify_rm_watch", "int", ["int", "int"]);
const readFd = bind<[number, number, number]>("read", "int64", ["int", "address", "int64"]);

const path = new PathArgument(64);

/** One queue of events. Reading it never waits. */
export class Inotify {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);
  readonly #address = addressOf(this.#buffer);

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** A negated error number on failure: -EMFILE where the user has too many queues already. */
  static open(): Inotify | number {
    const fd = outcome(inotifyInit1(CLOEXEC_NONBLOCK));
    return fd < 0 ? fd : new Inotify(fd);
  }

  /**
   * Watches the file behind a descriptor, O_PATH is enough.
   * @returns the watch descriptor, the same one for the same file; -ENOSPC where the user has too many, -EACCES where he may not read
   */
  add(fd: number, mask: number): number {
    return outcome(inotifyAddWatch(this.#fd, path.set(`/proc/self/fd/${fd}`), mask));
  }

  remove(wd: number): void {
    inotifyRmWatch(this.#fd, wd);
  }

  /** Some of the events that have happened, in their order; none where there are no more for now. */
  read(): InotifyEvent[] {
    const events: InotifyEvent[] = [];
    const length = outcome(readFd(this.#fd, this.#address, BUFFER_SIZE));
    if (length < 0 && length !== -Errno.EAGAIN && length !== -Errno.EINTR) throw new Error(`inotify: errno ${-length}`);
    const buffer = this.#buffer;
    for (let at = 0; at < length; ) {
      const size = buffer.readUInt32LE(at + 12);
      const name = at + EVENT_SIZE;
      const end = size === 0 ? name : buffer.indexOf(0, name);
      events.push({
        wd: buffer.readInt32LE(at),
        mask: buffer.readUInt32LE(at + 4),
        cookie: buffer.readUInt32LE(at + 8),
        name: decodeStored(buffer, name, end),
      });
      at = name + size;
    }
    return events;
  }

  close(): void {
    close(this.#fd);
  }
}
