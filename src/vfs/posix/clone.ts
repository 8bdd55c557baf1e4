// SPDX-License-Identifier: Apache-2.0

import type { BlockClone } from "../offload.ts";
import type { VolumeStream } from "../volume.ts";
import { DataStream } from "./data-stream.ts";
import { check, Errno } from "./errno.ts";
import { NamedStream } from "./named-stream.ts";
import { cloneRange, isUnsupported, writeNow } from "./native/data.ts";
import { close, OpenFlag, openOwn } from "./native/files.ts";

/** A file in a directory that never has a name, or a negated error number. */
export function openNameless(directory: number): number {
  return openOwn(directory, ".", OpenFlag.TMPFILE | OpenFlag.RDWR, 0o600);
}

/** Tries whether the file system of a directory shares blocks of `unit` bytes between files. */
export async function canClone(directory: number, unit: number): Promise<boolean> {
  const source = openNameless(directory);
  const target = openNameless(directory);
  try {
    if (source < 0 || target < 0) return false;
    if (writeNow(source, 0, Buffer.alloc(2 * unit, 0x54)) !== 2 * unit) return false;
    // From and to the second block: a file system with larger blocks than it says refuses that.
    return (await cloneRange({ source, sourceOffset: unit, target, offset: unit, length: unit })) >= 0;
  } finally {
    if (source >= 0) close(source);
    if (target >= 0) close(target);
  }
}

/** The file that holds the data of a stream, where a file of its own does. */
export function fileOf(stream: VolumeStream): DataStream | undefined {
  if (stream instanceof DataStream) return stream;
  const stored = stream instanceof NamedStream ? stream.stored() : undefined;
  return stored instanceof DataStream ? stored : undefined;
}

/** Block clone by FICLONERANGE. */
export const posixClone: BlockClone = {
  async clone(source, sourceOffset, target, offset, length) {
    // To the kernel, no length means "up to the end".
    if (length === 0) return true;
    const from = fileOf(source);
    const to = fileOf(target);
    if (from === undefined || to === undefined) return false;
    for (let flushed = false; ; ) {
      const result = await to.shareFrom(from, sourceOffset, offset, length);
      if (result === -Errno.EINTR) continue;
      // ZFS shares only what is on the disk already.
      if (result === -Errno.EAGAIN && !flushed) {
        await from.flush();
        flushed = true;
        continue;
      }
      if (isUnsupported(result) || result === -Errno.ETXTBSY || result === -Errno.EAGAIN) return false;
      check(result, "FICLONERANGE");
      return true;
    }
  },
};
