// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import type { Volume, VolumeStream } from "../vfs/volume.ts";

/** Where the data of a token are. */
export interface TokenSource {
  readonly volume: Volume;
  /** Holds the data at the offsets that they had when the token was made. */
  readonly stream: VolumeStream;
  /** Nothing can change the data. Otherwise they are the stream that clients write, and {@link isCurrent} tells. */
  readonly pinned: boolean;
  /** Whether the data are still those of the moment at which the token was made. */
  isCurrent(): Awaitable<boolean>;
  release(): Awaitable<void>;
}

/** Data that the volume keeps as they were. */
export class PinnedSource implements TokenSource {
  readonly volume: Volume;
  readonly stream: VolumeStream;
  readonly pinned = true;

  /** @param stream made by the volume's `pins`; closed with the source */
  constructor(volume: Volume, stream: VolumeStream) {
    this.volume = volume;
    this.stream = stream;
  }

  isCurrent(): boolean {
    return true;
  }

  release(): Awaitable<void> {
    return this.stream.close();
  }
}
