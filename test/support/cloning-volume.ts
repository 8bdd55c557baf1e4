// SPDX-License-Identifier: Apache-2.0

import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import type { BlockClone } from "../../src/vfs/offload.ts";
import type { VolumeStream } from "../../src/vfs/volume.ts";

/**
 * A memory volume that takes the offsets and lengths that FICLONERANGE would take, and notes them: for tests of what the
 * protocol asks of a volume that shares blocks.
 */
export class CloningVolume extends MemoryVolume {
  readonly calls: { sourceOffset: number; offset: number; length: number }[] = [];
  readonly clone: BlockClone = {
    clone: (source, sourceOffset, target, offset, length) => this.#clone(source, sourceOffset, target, offset, length),
  };

  async #clone(source: VolumeStream, sourceOffset: number, target: VolumeStream, offset: number, length: number) {
    this.calls.push({ sourceOffset, offset, length });
    const unit = this.info.allocationUnit;
    const from = (await source.size()).endOfFile;
    const to = (await target.size()).endOfFile;
    if (sourceOffset % unit !== 0 || offset % unit !== 0 || sourceOffset + length > from) return false;
    const reachesEnds = sourceOffset + length === from && offset + length >= to;
    if (length % unit !== 0 && !reachesEnds) return false;
    return (await target.copyFrom(source, sourceOffset, offset, length)) === length;
  }
}
