// SPDX-License-Identifier: Apache-2.0

import type { DataPins } from "../offload.ts";
import type { ByteRange, VolumeStream } from "../volume.ts";
import { fileOf, openNameless } from "./clone.ts";
import { DataStream } from "./data-stream.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errnoError } from "./errno.ts";
import { isUnsupported } from "./native/data.ts";
import type { Storage } from "./storage.ts";

/** How often a pin is tried again because the end of the file has moved meanwhile. */
const MAX_RACES = 16;

/**
 * Keeps data by sharing their blocks with a file that never has a name: it is gone when it is closed, by whatever. Data in an
 * attribute are copied to such a file.
 */
export class PosixPins implements DataPins {
  readonly #root: number;
  readonly #storage: Storage;
  readonly #clones: boolean;

  /** @param root descriptor of a directory on the file system  @param clones files can share blocks */
  constructor(root: number, storage: Storage, clones: boolean) {
    this.#root = root;
    this.#storage = storage;
    this.#clones = clones;
  }

  /** An empty file without a name. `undefined`: the file system has no such files */
  scratch(): DataStream | undefined {
    const fd = openNameless(this.#root);
    if (fd >= 0) return keptStream(fd, this.#storage);
    if (fd === -Errno.EOPNOTSUPP || fd === -Errno.EISDIR || fd === -Errno.EINVAL) return undefined;
    throw errnoError(-fd, "open a file without a name");
  }

  async pin(source: VolumeStream, range: ByteRange): Promise<VolumeStream | undefined> {
    const file = fileOf(source);
    if (file !== undefined && !this.#clones) return undefined;
    const pinned = this.scratch();
    if (pinned === undefined) return undefined;
    try {
      const done = await (file === undefined ? copySmall(source, range, pinned) : this.#share(file, range, pinned));
      if (done) return pinned;
    } catch (error) {
      pinned.close();
      throw error;
    }
    pinned.close();
    return undefined;
  }

  /** Whole blocks around the range, in one call: the kernel locks the file, so that nobody writes halfway. */
  async #share(file: DataStream, { offset, length }: ByteRange, pinned: DataStream): Promise<boolean> {
    const unit = this.#storage.blockSize;
    const start = Math.floor(offset / unit) * unit;
    for (let tries = 0; tries < MAX_RACES; tries++) {
      const { endOfFile } = file.size();
      const end = Math.min(Math.ceil((offset + length) / unit) * unit, endOfFile);
      if (end <= start) return true;
      const result = await pinned.shareFrom(file, start, start, end - start);
      if (result >= 0) return true;
      if (result === -Errno.EAGAIN) await file.flush();
      else if (isUnsupported(result) && file.size().endOfFile === endOfFile) return false;
      else if (!isUnsupported(result) && result !== -Errno.EINTR) check(result, "FICLONERANGE");
    }
    return false;
  }
}

/** A stream in an attribute is small enough to be copied. */
async function copySmall(source: VolumeStream, { offset, length }: ByteRange, pinned: DataStream): Promise<boolean> {
  const { endOfFile } = await source.size();
  const data = Buffer.alloc(Math.max(0, Math.min(length, endOfFile - offset)));
  const count = await source.read(offset, data);
  if (count > 0) await pinned.write(offset, data.subarray(0, count));
  return true;
}

/** A stream of a file that is no client's. @param fd open for reading and writing; closed with the stream */
export function keptStream(fd: number, storage: Storage): DataStream {
  const descriptor = new Descriptor(fd, fd);
  const stream = new DataStream({
    descriptor,
    storage,
    isSparse: () => true,
    setSparse: () => {},
    modified: () => {},
  });
  descriptor.release();
  return stream;
}
